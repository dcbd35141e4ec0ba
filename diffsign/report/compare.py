"""Compare runs: one table and one plot, with intervals over clips and the significance of every difference."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from diffsign.config.compare import CompareSettings
from diffsign.files import atomic
from diffsign.report.comparison import MANY, csv_table, latex_table, markdown_table, note, page_rows
from diffsign.report.methods import compare, find_methods, find_run
from diffsign.report.page import templates, write_template
from diffsign.report.plots import comparison_plot, save_plot
from diffsign.report.sheet import draw_sheet, pictures_of
from diffsign.report.watch import watched


@dataclass(frozen=True)
class Inputs:
    """What is read.

    Attributes:
        runs: folders of results, folders of metrics or metrics files, each as ``PATH`` or ``NAME=PATH``.
    """

    runs: tuple[str, ...]


@dataclass(frozen=True)
class Outputs:
    """What is written.

    Attributes:
        folder: ``compare.{csv,md,tex,html,png,svg,pdf}`` in it, and ``pictures.jpg`` if the runs have clips.
    """

    folder: Path


def run(inputs: Inputs, outputs: Outputs, settings: CompareSettings) -> str:
    """Write the comparison of all runs.

    Returns:
        The table, in Markdown.

    Raises:
        DiffSignError: if a run has no metrics, or a metric is unknown.
    """
    runs = [find_run(text) for text in inputs.runs]
    methods = find_methods(runs, settings)
    names = [method.name for method in methods]
    columns = compare(methods, settings)
    texts = {
        "csv": csv_table(names, columns),
        "md": markdown_table(names, columns, settings.title, best=settings.best),
        "tex": latex_table(names, columns, settings.title, best=settings.best),
    }
    for suffix, text in texts.items():
        with atomic(outputs.folder / f"compare.{suffix}") as temporary:
            temporary.write_text(text, encoding="utf-8")
    starts = [number for number in range(1, len(methods)) if methods[number].run != methods[number - 1].run]
    save_plot(lambda: comparison_plot(names, columns, settings.title, starts), outputs.folder / "compare")
    plot = (outputs.folder / "compare.svg").read_text(encoding="utf-8")
    sheet = draw_sheet([(run.name, pictures_of(run)) for run in runs])
    if sheet is not None:
        with atomic(outputs.folder / "pictures.jpg") as temporary:
            sheet.save(temporary, format="JPEG", quality=90)
    page = outputs.folder / "compare.html"
    write_template(
        templates().get_template("compare.html.j2"),
        page,
        title=settings.title,
        names=names,
        columns=page_rows(columns),
        note=note(columns, best=settings.best),
        many=len(names) > MANY,
        starts=starts,
        json=watched(runs, page),
        pictures=sheet is not None,
        plot=plot[plot.index("<svg") :],
    )
    return texts["md"]
