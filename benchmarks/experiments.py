"""The tables of docs/experiments.md, from the comparisons that the target ``experiments`` has written.

    python benchmarks/experiments.py --page docs/experiments.md

Reads ``compare/compare.csv`` of ``results/experiments`` and of ``results/clips``, which are made by the commands
that docs/experiments.md names.
"""

from __future__ import annotations

import argparse
import csv
import sys
from pathlib import Path

from tables import replace_between

from diffsign.errors import DiffSignError
from diffsign.files import require_file
from diffsign.records.metric_definitions import format_value

ROOT = Path(__file__).resolve().parents[1]
#: Columns of the tables, and what they are called.
COLUMNS = {
    "signing_all_source": "seconds that hold ↑",
    "hands_recall_source": "hands kept ↑",
    "hands_precision_source": "hands not invented ↑",
    "hands_pck_strict_source": "hand points in place ↑",
    "handshape_error_source": "handshape error ↓",
    "flicker": "flicker ↓",
    "fid": "FID ↓",
    "directional_similarity": "directional similarity ↑",
    "reference_similarity": "like the reference ↑",
}
#: Metrics that count whole frames, not hands or pairs.
OF_FRAMES = ("fid", "directional_similarity", "reference_similarity")
#: Tables of the page, by the mark between which each stands: folder of results, and whether intervals are shown.
TABLES = {"one clip": ("results/experiments", False), "six clips": ("results/clips", True)}


def cell(row: dict[str, str] | None, clips: int, *, interval: bool) -> str:
    """Return a figure: in bold if it is the best, with a star if it is significantly worse, its interval below it.

    Fewer clips than the row has are said.
    """
    if row is None or not row["mean"]:
        return "–"
    name = row["metric"]
    text = format_value(name, float(row["mean"]))
    text = f"**{text}**" if row["best"] == "True" else text
    text += "*" if row["p"] and float(row["p"]) < 0.05 else ""
    if interval and row["low"]:
        text += f"<br>{format_value(name, float(row['low']))} to {format_value(name, float(row['high']))}"
    if int(row["n"]) < clips:
        text += f"<br>n = {row['n']}"
    return text.replace("-", "−")


def table(path: Path, *, intervals: bool) -> list[str]:
    """Return the lines of a comparison's table in Markdown.

    Raises:
        DiffSignError: if there is no such comparison.
    """
    with require_file(path, "comparison").open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    methods = list(dict.fromkeys(row["method"] for row in rows))
    found = {(row["method"], row["metric"]): row for row in rows if row["mean"]}
    shown = [name for name in COLUMNS if any((method, name) in found for method in methods)]
    lines = ["| | n | frames | " + " | ".join(COLUMNS[name] for name in shown) + " |", "|---" * (len(shown) + 3) + "|"]
    for method in methods:
        clips = max(int(row["n"]) for (name, _), row in found.items() if name == method)
        counted = [found.get((method, metric), {}).get("frames") for metric in OF_FRAMES]
        frames = max((int(count) for count in counted if count), default=0) or "–"
        cells = [cell(found.get((method, name)), clips, interval=intervals) for name in shown]
        lines.append(f"| {method} | {clips} | {frames} | " + " | ".join(cells) + " |")
    return lines


def main() -> None:
    """Write the tables into the page, or print them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--page", type=Path, help="page whose tables are written; without it they are printed")
    parser.add_argument("--root", type=Path, default=ROOT, help="folder in which the results are")
    options = parser.parse_args()
    try:
        for mark, (folder, intervals) in TABLES.items():
            path = options.root / folder / "compare" / "compare.csv"
            if not path.exists():
                sys.stderr.write(f"No comparison at '{path}'; the table '{mark}' stays as it is.\n")
                continue
            lines = table(path, intervals=intervals)
            if options.page is None:
                sys.stdout.write("\n".join([mark, *lines, ""]))
            else:
                replace_between(options.page, f"<!-- {mark} -->", f"<!-- end of {mark} -->", lines)
    except DiffSignError as error:
        raise SystemExit(str(error)) from None


if __name__ == "__main__":
    main()
