"""Write the tables and the plot of ``benchmarks/fit.py`` into the documentation.

    python benchmarks/fit_tables.py fit.json                       # what was measured now
    python benchmarks/fit_tables.py fit.json --before before.json  # the same clips with earlier code, as the first row

The tables go between two marks in ``docs/accuracy.md``; the plot beside its pictures.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

import matplotlib

from diffsign.errors import DiffSignError
from diffsign.files import atomic

matplotlib.use("Agg")
import matplotlib.pyplot as plt

BEGIN, END = "<!-- benchmarks/fit_tables.py writes from here -->", "<!-- to here -->"
#: Title, key, factor and decimals of each column.
COLUMNS = (
    ("upper body", "tr_v2v_upper_body_mm", 1.0, 1),
    ("left hand", "tr_v2v_left_hand_mm", 1.0, 1),
    ("right hand", "tr_v2v_right_hand_mm", 1.0, 1),
    ("face", "tr_v2v_face_mm", 1.0, 1),
    ("MPJPE body", "mpjpe_upper_body_mm", 1.0, 1),
    ("fingers °", "finger_joints_deg", 1.0, 1),
    ("acceleration, as fitted", "acceleration_unsmoothed_mm_s2", 1e-3, 1),
    ("smoothed", "acceleration_mm_s2", 1e-3, 1),
    ("fit, frames a CPU second", "fit_cpu_fps", 1.0, 1),
)
#: Targets of the mean by kind of points: key, most.
TARGETS = {
    "detected": {
        "tr_v2v_upper_body_mm": 28.0,
        "tr_v2v_left_hand_mm": 8.9,
        "tr_v2v_right_hand_mm": 8.9,
        "finger_joints_deg": 15.0,
    },
    "true": {"tr_v2v_upper_body_mm": 15.0, "tr_v2v_left_hand_mm": 5.0, "tr_v2v_right_hand_mm": 5.0},
}
KINDS = {"detected": "Detected points", "true": "True 2D points"}


def line(cells: list[str]) -> str:
    """Return a row of a Markdown table."""
    return "| " + " | ".join(cells) + " |"


def cells(row: dict[str, float]) -> list[str]:
    """Return the figures of a clip or a mean."""
    return [f"{row[key] * factor:.{decimals}f}" if key in row else "" for _, key, factor, decimals in COLUMNS]


def table(kind: str, now: dict, before: dict | None) -> list[str]:
    """Return the lines of one table: means before and now, the targets, then clip by clip."""
    lines = [line([KINDS[kind], *(title for title, *_ in COLUMNS)]), line(["---", *("---:" for _ in COLUMNS)])]
    if before and kind in before["mean"]:
        lines.append(line(["mean before", *cells(before["mean"][kind])]))
    lines.append(line(["**mean**", *(f"**{cell}**" for cell in cells(now["mean"][kind]))]))
    lines.append(line(["target, at most", *(f"{TARGETS[kind].get(key, ''):}" for _, key, *_ in COLUMNS)]))
    for row in now["clips"]:
        if row["points"] == kind:
            lines.append(line([str(row["clip"]).removesuffix("/source.mp4"), *cells(row)]))
    return [*lines, ""]


def plot(now: dict, path: Path) -> None:
    """Draw the errors of every clip, detected beside true points."""
    parts = COLUMNS[:3]
    figure, axes = plt.subplots(1, len(parts), figsize=(10, 3), layout="constrained")
    for axis, (title, key, *_) in zip(axes, parts, strict=True):
        for n, kind in enumerate(KINDS):
            rows = [row for row in now["clips"] if row["points"] == kind]
            if not rows:
                continue
            places = [place + 0.4 * n for place in range(len(rows))]
            bars = axis.bar(places, [row[key] for row in rows], 0.4, label=KINDS[kind])
            axis.axhline(TARGETS[kind][key], color=bars.patches[0].get_facecolor(), linewidth=1, linestyle="--")
            names = [str(row["clip"]).split("/")[0].removeprefix("seed") for row in rows]
            axis.set_xticks([place + 0.2 for place in range(len(rows))], names, rotation=90, fontsize=7)
        axis.set_title(f"{title}, TR-V2V in mm (dashed: target)", fontsize=9)
    axes[0].legend(fontsize=8)
    figure.savefig(path, dpi=110)


def main() -> None:
    """Write tables and plot."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("json", type=Path, help="what benchmarks/fit.py wrote")
    parser.add_argument("--before", type=Path, help="the same with earlier code")
    parser.add_argument("--docs", type=Path, default=Path("docs/accuracy.md"), help="page with the two marks")
    given = parser.parse_args()
    now = json.loads(given.json.read_text())
    before = json.loads(given.before.read_text()) if given.before else None
    text = given.docs.read_text()
    if BEGIN not in text or END not in text:
        raise DiffSignError(f"'{given.docs}' lacks the marks '{BEGIN}' and '{END}', between which the tables go.")
    lines = [entry for kind in KINDS if kind in now["mean"] for entry in table(kind, now, before)]
    memory = max(row["peak_memory_mb"] for row in now["clips"]) / 1000
    lines.append(f"Peak memory of the whole run {memory:.1f} GB. Errors in mm, accelerations in m/s².")
    lines += ["", "![Errors clip by clip](images/fit_clips.png)"]
    start, rest = text.split(BEGIN)[0], text.split(END)[1]
    with atomic(given.docs) as temporary:
        temporary.write_text(start + BEGIN + "\n\n" + "\n".join(lines) + "\n\n" + END + rest)
    plot(now, given.docs.parent / "images" / "fit_clips.png")


if __name__ == "__main__":
    try:
        main()
    except DiffSignError as error:
        sys.exit(f"Error: {error}")
