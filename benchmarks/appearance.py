"""Do the demo family's pictures show what words, pictures and poses ask for, without flicker?

    python benchmarks/appearance.py --json appearance.json --body body.npz [--docs docs/appearance.md]

Signers with seeds that training did not use sign phrases of their own; the attributes asked for are those that training
keeps out (:meth:`diffsign.training.attributes.Attributes.held_out`). Everything is drawn by the code that
``diffsign encode`` and ``diffsign generate`` run, with the family's own preset. Labels, controls and the plain
rendering that results are compared with come from the G-buffer that training frames come from
(:mod:`diffsign.training.gbuffer`), which knows what every pixel shows. Small: ``--clips 1 --length 8 --signers 4
--frames 2``. A folder given with ``--work`` keeps the frames for the next run.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path

import cv2
import numpy as np
import tables
import torch
from appearance_measures import Artist, clip_accuracy, held_out_attributes, make_clips, manifest_of, prompt_accuracy
from rich.table import Table

from diffsign.body.model import load_body
from diffsign.config.generate import GenerateSettings
from diffsign.errors import DiffSignError
from diffsign.files import atomic
from diffsign.training.attributes import CHOICES
from diffsign.training.gbuffer import COARSE
from diffsign.training.layout import read_card

#: What the figures should reach; ``at most`` for those that are better when small.
TARGETS = {
    "words_all": 0.90,
    "picture_all": 0.85,
    "both_words_win": 0.90,
    "body_pck": 0.95,
    "hands_below_rendering": 0.10,
    "flicker": 1.5,
    "seconds_for_72_frames": 90.0,
}
AT_MOST = ("hands_below_rendering", "flicker", "seconds_for_72_frames")


def reached(name: str, value: float | None) -> bool | None:
    """Tell whether a figure is as good as its target; None if it has none."""
    if name not in TARGETS or value is None:
        return None
    return value <= TARGETS[name] if name in AT_MOST else value >= TARGETS[name]


def lines(figures: dict[str, float | None]) -> list[tuple[str, str, str, str]]:
    """Return the figures as rows of a table: name, value, target, and how it stands to it."""
    table = []
    for name, value in figures.items():
        good = reached(name, value)
        target = "" if name not in TARGETS else f"{'≤' if name in AT_MOST else '≥'} {TARGETS[name]:g}"
        told = "–" if value is None else f"{value:.4g}" if abs(value) < 0.01 else f"{value:.3f}".rstrip("0").rstrip(".")
        verdict = "" if good is None else "reached" if good else f"missed by {abs(value - TARGETS[name]):.3f}"  # type: ignore[operator]
        table.append((name.replace("_", " "), told, target, verdict))
    return table


def plot(figures: dict[str, float | None], path: Path) -> None:
    """Draw the shares of attributes shown, one by one, against the targets."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot

    names = [*CHOICES, "all"]
    figure, axes = pyplot.subplots(figsize=(7, 3), layout="constrained")
    for shift, (kind, colour) in enumerate((("words", "#33669a"), ("picture", "#d98032"))):
        values = [figures.get(f"{kind}_{name}") or 0 for name in names]
        axes.bar(np.arange(len(names)) + 0.4 * shift - 0.2, values, 0.38, color=colour, label=f"from {kind}")
        axes.axhline(TARGETS[f"{kind}_all"], color=colour, linewidth=0.8, linestyle="--")
    axes.set_xticks(range(len(names)), names)
    axes.set(ylim=(0, 1.02), ylabel="frames as asked for")
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False, loc="lower right")
    with atomic(path) as temporary:
        figure.savefig(temporary, dpi=110)
    pyplot.close(figure)


def document(report: dict, path: Path) -> None:
    """Put the table between the marks of a document."""
    begin, end = "<!-- figures: begin -->", "<!-- figures: end -->"
    text = path.read_text(encoding="utf-8")
    if begin not in text or end not in text:
        raise DiffSignError(f"'{path}' has no lines '{begin}' and '{end}' to put the figures between.")
    options = " ".join(f"--{name} {value}" for name, value in report["options"].items())
    rows = [
        f"`python benchmarks/appearance.py --json appearance.json {options}`:\n",
        "| figure | value | target | |",
        "|---|---|---|---|",
        *(f"| {' | '.join(row)} |" for row in lines(report["figures"])),
    ]
    before, rest = text.split(begin)
    with atomic(path) as temporary:
        temporary.write_text(
            before + begin + "\n" + "\n".join(rows) + "\n" + end + rest.split(end)[1], encoding="utf-8"
        )


def measure(given: argparse.Namespace, work: Path) -> tuple[dict, list[np.ndarray]]:
    """Measure everything; return the report and rows of pictures."""
    torch.set_num_threads(given.threads)
    body = load_body(given.body)
    manifest = manifest_of(given.family)
    held = make_clips(body, work, given.clips, given.length)
    rng = np.random.default_rng(given.seed)
    people = held_out_attributes(given.signers, rng)
    artist = Artist(manifest, held, GenerateSettings(steps=given.steps, device="cpu"))  # type: ignore[call-arg]
    figures, sheet = prompt_accuracy(artist, people, min(given.frames, len(held.frames)), rng, work)
    figures |= clip_accuracy(artist, body, people, work, given.threads)
    options = {name: getattr(given, name) for name in ("clips", "length", "signers", "frames", "seed", "threads")}
    options |= {"steps": given.steps} if given.steps else {}
    card = read_card(manifest.base.path)
    return {"family": card, "options": options, "figures": figures, "targets": TARGETS}, sheet


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("--json", type=Path, required=True, help="figures to write; pictures and a plot go beside it")
    parser.add_argument("--body", type=Path, required=True, help="body file, from diffsign body build")
    parser.add_argument(
        "--family", type=Path, help="folder of a family of the demo's kind; by default the one that ships"
    )
    parser.add_argument("--work", type=Path, help="folder that keeps the held-out frames; by default a temporary one")
    parser.add_argument("--clips", type=int, default=4, help="held-out clips")
    parser.add_argument("--length", type=int, default=72, help="frames of each")
    parser.add_argument(
        "--signers", "--looks", type=int, default=30, help="combinations of attributes that training never drew"
    )
    parser.add_argument("--frames", type=int, default=4, help="frames drawn of each, from all clips")
    parser.add_argument("--steps", type=int, help="denoising steps; by default the preset's")
    parser.add_argument("--seed", type=int, default=0, help="chooses attributes and frames")
    parser.add_argument("--threads", type=int, default=2, help="processors to use")
    parser.add_argument("--docs", type=Path, help="document to put the table into, pictures beside it")
    given = parser.parse_args()
    try:
        with tempfile.TemporaryDirectory() as temporary:
            work = given.work or Path(temporary)
            work.mkdir(parents=True, exist_ok=True)
            report, rows = measure(given, work)
        with atomic(given.json) as target:
            target.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
        sheet = cv2.cvtColor(np.vstack(rows[:12]), cv2.COLOR_RGB2BGR)
        with atomic(given.json.with_suffix(".png")) as target:
            cv2.imwrite(str(target), sheet)
        plot(report["figures"], given.json.with_name(f"{given.json.stem}-plot.png"))
        if given.docs:
            document(report, given.docs)
            images = given.docs.parent / "images"
            images.mkdir(exist_ok=True)
            with atomic(images / "appearance.jpg") as target:
                cv2.imwrite(str(target), sheet[: 6 * COARSE], [cv2.IMWRITE_JPEG_QUALITY, 90])
            plot(report["figures"], images / "appearance-plot.png")
    except DiffSignError as error:
        parser.exit(1, f"{error}\n")
    table = Table("figure", "value", "target", "")
    for row in lines(report["figures"]):
        table.add_row(*row)
    tables.show(table)


if __name__ == "__main__":
    main()
