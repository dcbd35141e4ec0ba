"""The command ``diffsign personalize``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from diffsign.cli import app
from diffsign.cli.options import with_settings
from diffsign.cli.renamed import former_flags
from diffsign.config.personalize import PersonalizeSettings


@app.command()
@former_flags({"--words": "--instance-prompt", "--class-words": "--class-prompt"})
@with_settings(PersonalizeSettings)
def personalize(
    manifest: Annotated[Path, typer.Argument(help="Manifest of the model family (.json), from diffsign fetch.")],
    out: Annotated[Path, typer.Argument(help="LoRA to write (.safetensors).")],
    picture: Annotated[list[Path], typer.Option(help="Picture of the subject, or a folder of them; repeat it.")],
    instance_prompt: Annotated[
        str, typer.Option(help="What the subject is called: a rare word and the class, 'a zwx person'.")
    ],
    class_prompt: Annotated[
        str, typer.Option(help="The class alone, which stays as it was; several descriptions with ';'.")
    ] = "a person",
    threads: Annotated[int | None, typer.Option(min=1, help="CPU threads.")] = None,
    *,
    settings: PersonalizeSettings,
) -> None:
    """Fine-tune a family on one subject from a few pictures (DreamBooth with prior preservation, as a LoRA).

    Take three to ten pictures that show the subject alone, upright, in different poses: of a person only with that
    person's consent. Then name the LoRA to `diffsign encode --lora`, and say the instance prompt in its --text.

    Pictures of the class, a checkpoint and the loss are kept in a folder named as OUT; a run that was interrupted goes
    on from there.
    """
    from diffsign.personalize.stage import Inputs, Outputs, run

    inputs = Inputs(manifest, tuple(picture), instance_prompt, class_prompt)
    typer.echo(run(inputs, Outputs(out), settings, threads=threads))
