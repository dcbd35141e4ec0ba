"""``diffsign study``: make a comprehension study, and read its answers."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from diffsign.cli import app
from diffsign.cli.options import with_settings
from diffsign.cli.renamed import Commands
from diffsign.config.study import StudySettings

study_app = Commands(no_args_is_help=True, help="Let people who sign judge results: a page, and their answers.")
app.add_typer(study_app, name="study")


@study_app.command()
@with_settings(StudySettings)
def make(
    sheet: Annotated[
        Path,
        typer.Argument(
            help="Tab-separated, a row for each question: item, method, video, question, kind (choice, rating, text), "
            "options (separated by ;), answer, question_video."
        ),
    ],
    page: Annotated[Path, typer.Argument(help="Page for viewers to write (.html), with every video in it.")],
    *,
    key: Annotated[Path, typer.Option(help="What the codes in the answers stand for (.csv); keep it to yourself.")],
    settings: StudySettings,
) -> None:
    """Make a page of clips in random order, blind to the method; answers stay on the viewer's machine."""
    from diffsign.report.study import MakeInputs, MakeOutputs
    from diffsign.report.study import make as run

    typer.echo(run(MakeInputs(sheet), MakeOutputs(page, key), settings))


@study_app.command()
def read(
    key: Annotated[Path, typer.Argument(help="Key of the study, as `diffsign study make` wrote it (.csv).")],
    answers: Annotated[list[Path], typer.Argument(help="Files of answers that viewers sent (.csv).")],
    *,
    out: Annotated[Path, typer.Option(help="Folder for answers.csv and study.csv, .md and .tex.")] = Path(),
) -> None:
    """Put answers into tables: comprehension, ratings, 95 % intervals over viewers, and how much they agree."""
    from diffsign.report.study import ReadInputs, ReadOutputs
    from diffsign.report.study import read as run

    typer.echo(run(ReadInputs(key, tuple(answers)), ReadOutputs(out)))
