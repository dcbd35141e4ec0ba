"""Commands for sources that are no video: say, import-pose."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from diffsign.cli import app
from diffsign.cli.options import with_settings
from diffsign.config.import_pose import ImportPoseSettings
from diffsign.config.say import SaySettings


@app.command()
@with_settings(SaySettings)
def say(
    text: Annotated[str, typer.Argument(help="What to say: a word, a name, a sentence.")],
    out: Annotated[Path, typer.Argument(help="Signing to write (.pose).")],
    lexicon: Annotated[
        Path | None,
        typer.Option(help="Folder of signs in spoken-to-signed's layout; without one everything is fingerspelled."),
    ] = None,
    *,
    settings: SaySettings,
) -> None:
    """Turn a text into a signed .pose file: signs of a lexicon, and fingerspelling for the rest."""
    from diffsign.say.stage import Inputs, Outputs, run

    typer.echo(run(Inputs(text, lexicon), Outputs(out), settings))


@app.command("import-pose")
@with_settings(ImportPoseSettings)
def import_pose(
    pose: Annotated[Path, typer.Argument(help="Signing (.pose) with points of MediaPipe Holistic or OpenPose.")],
    out: Annotated[Path, typer.Argument(help="Keypoints to write (.npz).")],
    clip: Annotated[Path | None, typer.Option(help="Also write a film of the skeleton (.mkv).")] = None,
    preview: Annotated[Path | None, typer.Option(help="And the same to look at (.mp4).")] = None,
    *,
    settings: ImportPoseSettings,
) -> None:
    """Read keypoints from a .pose file, in place of detecting them in a video."""
    from diffsign.detect.import_pose import Inputs, Outputs, run

    typer.echo(run(Inputs(pose), Outputs(out, clip, preview), settings))
