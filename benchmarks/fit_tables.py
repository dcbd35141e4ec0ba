"""Write the tables and the plot of ``benchmarks/fit.py`` into the documentation.

    python benchmarks/fit_tables.py fit.json                       # what was measured; several files make one
    python benchmarks/fit_tables.py fit.json --before before.json  # the same clips with earlier code, as the first row

The tables go between two marks in ``docs/accuracy.md``; the plot beside its pictures.
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import dataclass
from pathlib import Path

import matplotlib as mpl
from tables import replace_between

from diffsign.errors import DiffSignError

mpl.use("Agg")
from matplotlib import pyplot

BEGIN, END = "<!-- benchmarks/fit_tables.py writes from here -->", "<!-- to here -->"


@dataclass(frozen=True)
class Column:
    """A column of a table: title, key in the benchmark's rows, factor and decimals."""

    title: str
    key: str
    factor: float = 1.0
    decimals: int = 1

    def cell(self, row: dict[str, float]) -> str:
        """Return a row's figure as text; empty if it has none."""
        return f"{row[self.key] * self.factor:.{self.decimals}f}" if self.key in row else ""


#: Errors after alignment of each part.
ALIGNED = (
    Column("upper body", "tr_v2v_upper_body_mm"),
    Column("left hand", "tr_v2v_left_hand_mm"),
    Column("right hand", "tr_v2v_right_hand_mm"),
    Column("face", "tr_v2v_face_mm"),
    Column("MPJPE body", "mpjpe_upper_body_mm"),
    Column("fingers °", "finger_joints_deg"),
    Column("acceleration, as fitted", "acceleration_unsmoothed_mm_s2", 1e-3),
    Column("smoothed", "acceleration_mm_s2", 1e-3),
    Column("fit, frames a CPU second", "fit_cpu_fps"),
)
#: The parameters of a sign, a row each: what a reader should know of how well signing is kept.
PARAMETERS = (
    ("Location", (
        Column("wrist from the head, mm, median", "location_wrist_from_head_mm_median"),
        Column("90 %", "location_wrist_from_head_mm_p90"),
        Column("wrist from the shoulders, mm, median", "location_wrist_from_shoulders_mm_median"),
        Column("fingertips from the head, mm, median", "location_tips_from_head_mm_median"),
        Column("wrist in the picture, palm widths, 90 %", "location_wrist_palms_p90", 1, 2),
        Column("fingertips in the picture, palm widths, 90 %", "location_tips_palms_p90", 1, 2),
    )),
    ("Contact", (
        Column("touches kept, %", "contact_recall", 100, 0),
        Column("touches that are right, %", "contact_precision", 100, 0),
        Column("distance at touch, mm", "contact_distance_mm"),
    )),
    ("Movement", (
        Column("peak speed in the picture, % of the truth, as fitted", "as_fitted_peak_speed_ratio", 100, 0),
        Column("smoothed", "peak_speed_ratio", 100, 0),
        Column("peak speed in space, % of the truth, as fitted", "as_fitted_peak_speed_ratio_in_space", 100, 0),
        Column("smoothed", "peak_speed_ratio_in_space", 100, 0),
        Column("correlation of velocities", "velocity_correlation", 1, 2),
        Column("delay, frames", "delay_frames", 1, 2),
        Column("tremble of a held hand, m/s², as fitted", "as_fitted_tremble_m_s2"),
        Column("smoothed", "tremble_m_s2"),
        Column("shoulders in depth, mm a frame", "shoulders_depth_mm_a_frame"),
    )),
    ("Orientation", (
        Column("palm, °, median", "orientation_palm_deg_median"),
        Column("pointing, °, median", "orientation_pointing_deg_median"),
    )),
    ("Handshape", (
        Column("finger joints, °, median", "handshape_deg_median"),
        Column("fingers extended or folded as they should, %", "fingers_kept", 100, 0),
    )),
    ("Presence", (
        Column("absent hands shown, %", "absent_hands_shown", 100, 0),
        Column("present hands shown, %", "presence_recall", 100, 0),
        Column("hands off by more than a palm, %", "wrong_hands", 100),
        Column("of these flagged, %", "wrong_hands_flagged", 100, 0),
        Column("false alarms, %", "false_alarms", 100),
    )),
    ("Non-manuals", (
        Column("head, °, median", "head_rotation_deg_median"),
        Column("mouth opening, eye distances, median", "mouth_opening_eye_distances_median", 1, 3),
        Column("brow height, eye distances, median", "brow_height_eye_distances_median", 1, 3),
    )),
)  # fmt: skip
#: Targets of the mean by set and kind of points: key, most (or least, where larger is better).
TARGETS = {
    "gentle, detected": {
        "tr_v2v_upper_body_mm": 19.0,
        "tr_v2v_left_hand_mm": 8.9,
        "tr_v2v_right_hand_mm": 8.9,
        "finger_joints_deg": 10.9,
    },
    "gentle, true": {"tr_v2v_upper_body_mm": 15.0, "tr_v2v_left_hand_mm": 5.0, "tr_v2v_right_hand_mm": 5.0},
    "like life, detected": {
        "tr_v2v_upper_body_mm": 25.0,
        "tr_v2v_left_hand_mm": 9.0,
        "tr_v2v_right_hand_mm": 9.0,
        "location_wrist_from_head_mm_median": 30.0,
        "absent_hands_shown": 0.02,
        "wrong_hands_flagged": 0.9,
        "false_alarms": 0.05,
        "peak_speed_ratio": 0.95,
    },
    "like life, true": {},
}
LEAST = ("wrong_hands_flagged", "peak_speed_ratio")


def line(cells: list[str]) -> str:
    """Return a row of a Markdown table."""
    return "| " + " | ".join(cells) + " |"


def aligned(kind: str, now: dict, before: dict | None) -> list[str]:
    """Return the lines of one table of errors: means before and now, the targets, then clip by clip."""
    lines = [line([kind, *(c.title for c in ALIGNED)]), line(["---", *("---:" for _ in ALIGNED)])]
    if before and kind in before["mean"]:
        lines.append(line(["mean before", *(c.cell(before["mean"][kind]) for c in ALIGNED)]))
    lines.append(line(["**mean**", *(f"**{c.cell(now['mean'][kind])}**" for c in ALIGNED)]))
    targets = TARGETS.get(kind, {})
    if any(c.key in targets for c in ALIGNED):
        lines.append(line(["target, at most", *(c.cell(targets) for c in ALIGNED)]))
    for row in now["clips"]:
        if f"{row['set']}, {row['points']}" == kind:
            lines.append(line([str(row["clip"]).rpartition("/")[0], *(c.cell(row) for c in ALIGNED)]))
    return [*lines, ""]


def parameters(now: dict, before: dict | None) -> list[str]:
    """Return the lines of the table of parameters: a row a measure, a column a set and kind of points."""
    kinds = list(now["mean"])
    heads = [head for kind in kinds for head in ([f"{kind}, before", kind] if before else [kind])]
    target = "like life, detected"
    lines = [line(["", *heads, f"target ({target})"]), line(["---", *("---:" for _ in heads), "---:"])]
    for name, columns in PARAMETERS:
        for number, column in enumerate(columns):
            cells = []
            for kind in kinds:
                cells += [column.cell(before["mean"].get(kind, {}))] if before else []
                cells.append(column.cell(now["mean"][kind]))
            aim = column.cell(TARGETS[target])
            sign = "≥ " if column.key in LEAST else "≤ "
            title = f"**{name}**: {column.title}" if number == 0 else column.title
            lines.append(line([title, *cells, sign + aim if aim else ""]))
    return [*lines, ""]


def plot(now: dict, path: Path) -> None:
    """Draw the errors of every clip, set beside set, detected beside true points."""
    parts, kinds = ALIGNED[:3], list(now["mean"])
    groups = list(dict.fromkeys(kind.split(", ")[0] for kind in kinds))
    figure, axes = pyplot.subplots(
        len(groups), len(parts), figsize=(10, 2.8 * len(groups)), layout="constrained", squeeze=False
    )
    for group, row_of_axes in zip(groups, axes, strict=True):
        for axis, column in zip(row_of_axes, parts, strict=True):
            for n, points in enumerate(("detected", "true")):
                rows = [row for row in now["clips"] if (row["set"], row["points"]) == (group, points)]
                if not rows:
                    continue
                places = [place + 0.4 * n for place in range(len(rows))]
                bars = axis.bar(places, [row.get(column.key, 0) for row in rows], 0.4, label=f"{points} points")
                target = TARGETS.get(f"{group}, {points}", {}).get(column.key)
                if target:
                    axis.axhline(target, color=bars.patches[0].get_facecolor(), linewidth=1, linestyle="--")
                if n == 0:
                    names = [str(row["clip"]).split("/")[0].removeprefix("seed") for row in rows]
                    axis.set_xticks([place + 0.2 for place in range(len(rows))], names, rotation=90, fontsize=7)
            axis.set_title(f"{group}: {column.title}, TR-V2V in mm (dashed: target)", fontsize=8)
    figure.legend(*axes[0][0].get_legend_handles_labels(), loc="outside lower center", ncols=2, fontsize=8)
    figure.savefig(path, dpi=110)


def main() -> None:
    """Write tables and plot."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("json", type=Path, nargs="+", help="what benchmarks/fit.py wrote, such as a file a set")
    parser.add_argument("--before", type=Path, help="the same with earlier code")
    parser.add_argument("--docs", type=Path, default=Path("docs/accuracy.md"), help="page with the two marks")
    given = parser.parse_args()
    reports = [json.loads(path.read_text()) for path in given.json]
    now = {
        "clips": [row for report in reports for row in report["clips"]],
        "mean": {kind: means for report in reports for kind, means in report["mean"].items()},
    }
    before = json.loads(given.before.read_text()) if given.before else None
    lines = ["### Parameters of a sign", "", *parameters(now, before), "### Errors after alignment", ""]
    lines += [entry for kind in now["mean"] for entry in aligned(kind, now, before)]
    memory = max(row["peak_memory_mb"] for row in now["clips"]) / 1000
    lines.append(f"Peak memory of the whole run {memory:.1f} GB. Errors in mm, accelerations in m/s².")
    lines += ["", "![Errors clip by clip](images/fit_clips.png)"]
    replace_between(given.docs, BEGIN, END, lines)
    plot(now, given.docs.parent / "images" / "fit_clips.png")


if __name__ == "__main__":
    try:
        main()
    except DiffSignError as error:
        sys.exit(f"Error: {error}")
