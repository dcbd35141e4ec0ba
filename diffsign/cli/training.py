"""Commands that make the demo family: frames, text encoder, autoencoder, CLIP, diffusion, and the folder that ships."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from diffsign.cli import app
from diffsign.cli.options import with_settings
from diffsign.cli.renamed import Commands
from diffsign.config.training import MeasureSettings, TrainDataSettings, TrainSettings

if TYPE_CHECKING:
    from diffsign.synthetic.truth import Recipe

train = Commands(
    no_args_is_help=True,
    help="Train the demo family, the small diffusion model that ships, from nothing (no other family): data, then "
    "text, vae and clip, then diffusion, then export. Every part goes on from its last checkpoint when run again.",
)
app.add_typer(train, name="train-demo")

Data = Annotated[Path, typer.Argument(help="Folder of frames that `diffsign train-demo data` wrote.")]
Work = Annotated[Path, typer.Argument(help="Folder of checkpoints and logs.")]


@train.command("data")
@with_settings(TrainDataSettings)
def data_command(
    out: Annotated[Path, typer.Argument(help="Folder of frames to write; signers that are there are kept.")],
    body: Annotated[Path, typer.Option(help="Body file (.npz), from `diffsign body build`.")],
    *,
    settings: TrainDataSettings,
) -> None:
    """Make the frames that training colours: the synthetic signer's phrases on bodies of all kinds."""
    from diffsign.body.model import load_body
    from diffsign.config.control import PoseControlSettings
    from diffsign.config.synthetic import SyntheticSettings
    from diffsign.control.pose import skeletons_of_motion
    from diffsign.synthetic.signer import perform
    from diffsign.training.frames import write_frames

    model = load_body(body)

    def performance(seed: int) -> Recipe:
        return perform(SyntheticSettings(seed=seed, seconds=settings.seconds, fps=12)).moments

    count = write_frames(
        out, model, settings, performance, lambda motion: skeletons_of_motion(motion, model, PoseControlSettings())
    )
    typer.echo(f"{out}: {count} signers.")


def _run(part: str, data: Path, work: Path, settings: TrainSettings) -> None:
    from diffsign.training.stage import Inputs, Outputs, run

    typer.echo(run(Inputs(data), Outputs(work), settings, part=part))


@train.command("start")
def start_command(
    folder: Annotated[Path, typer.Argument(help="Folder of a family, as shipped or exported.")], work: Work
) -> None:
    """Begin from a family's weights instead of from nothing: write them as checkpoints to train on from."""
    from diffsign.training.start import start_from

    typer.echo(f"{work}: {', '.join(start_from(folder, work))} of '{folder}'.")


@train.command("text")
@with_settings(TrainSettings)
def text_command(data: Data, work: Work, *, settings: TrainSettings) -> None:
    """Teach the text encoder to read captions, without pictures; diffusion draws on what it says."""
    _run("text", data, work, settings)


@train.command("vae")
@with_settings(TrainSettings)
def vae_command(data: Data, work: Work, *, settings: TrainSettings) -> None:
    """Compute the encoder and train the decoder."""
    _run("vae", data, work, settings)


@train.command("clip")
@with_settings(TrainSettings)
def clip_command(data: Data, work: Work, *, settings: TrainSettings) -> None:
    """Train the two CLIP towers; the adapter looks through one of them, and evaluation uses both."""
    _run("clip", data, work, settings)


@train.command("diffusion")
@with_settings(TrainSettings)
def diffusion_command(data: Data, work: Work, *, settings: TrainSettings) -> None:
    """Train UNet, ControlNets and, with --adapter above 0, the IP-Adapter, all together."""
    _run("diffusion", data, work, settings)


@train.command("adapter")
@with_settings(TrainSettings)
def adapter_command(data: Data, work: Work, *, settings: TrainSettings) -> None:
    """Give an IP-Adapter a start in a minute: it says of a picture what the text encoder says of its caption."""
    _run("adapter", data, work, settings)


@train.command("export")
def export_command(
    work: Work,
    folder: Annotated[Path, typer.Argument(help="Folder of the family to write, in the hub's layout.")],
    stand_in: Annotated[bool, typer.Option(help="Say that it is not trained enough to be judged.")] = False,
) -> None:
    """Write the averaged weights as fp16 safetensors in the layout that the stock pipelines read."""
    from diffsign.training.export import export_family

    card = export_family(work, folder, stand_in)
    typer.echo(f"{folder}: {json.dumps(card)}")


@train.command("measure")
@with_settings(MeasureSettings)
def measure_command(
    folder: Annotated[Path, typer.Argument(help="Folder of the family.")],
    data: Data,
    out: Annotated[Path, typer.Argument(help="Metrics to write (.json); a grid of pictures is put beside it (.png).")],
    *,
    settings: MeasureSettings,
) -> None:
    """Draw signers in poses that training did not see, and measure whether words, pictures and hands are there."""
    from diffsign.training.measure import measure_family

    metrics = measure_family(folder, data, out, settings)
    typer.echo(json.dumps(metrics, indent=2))
