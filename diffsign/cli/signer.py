"""Commands for a synthetic signer: fetch the weights, encode who signs, generate, join."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer

from diffsign.cli import app
from diffsign.cli.options import with_settings
from diffsign.config.family import ControlName
from diffsign.config.generate import FetchSettings, GenerateSettings
from diffsign.config.personalize import PersonalizeSettings


def _definition(text: str, name: str) -> dict[str, Any]:
    """Return a family's entry: JSON as it is, or the path of a YAML file with the entry or a whole config."""
    import yaml

    from diffsign.errors import DiffSignError
    from diffsign.files import require_file

    try:
        value = json.loads(text)
    except json.JSONDecodeError:
        path = require_file(text, "family definition (JSON, or a YAML file)")
        try:
            value = yaml.safe_load(path.read_text(encoding="utf-8"))
        except (yaml.YAMLError, UnicodeDecodeError) as error:
            raise DiffSignError(f"family definition '{path}' is not YAML: {' '.join(str(error).split())}.") from error
        if isinstance(value, dict) and "families" in value:
            value = (value["families"] or {}).get(name, {})
    if not isinstance(value, dict):
        raise DiffSignError(f"the definition of family '{name}' must hold keys and values, not {type(value).__name__}.")
    return value


@app.command()
@with_settings(FetchSettings)
def fetch(
    family: Annotated[str, typer.Argument(help="Model family: demo, sd15, sdxl, or one that --definition gives.")],
    out: Annotated[Path, typer.Argument(help="Manifest to write (.json).")],
    definition: Annotated[
        str | None,
        typer.Option(
            help="The family's entry, laid over the built-in one: JSON, or a YAML file (an entry or a config)."
        ),
    ] = None,
    *,
    settings: FetchSettings,
) -> None:
    """Find (or download) every weight of a model family and check that the parts fit together.

    Honours HF_HOME and HF_HUB_OFFLINE; nothing else of DiffSign uses a network.
    """
    from diffsign.config.family import family_named, resolve_families
    from diffsign.models.fetch import fetch_family
    from diffsign.records.manifest import located, save_manifest

    families = resolve_families({family: _definition(definition, family)} if definition else None)
    manifest = fetch_family(family, family_named(family, families), settings)
    save_manifest(out, manifest)
    parts = located(manifest)
    typer.echo(f"{out}: {len(parts)} parts, {sum(part.bytes for part in parts) / 1e9:.2f} GB.")


@app.command()
def encode(
    manifest: Annotated[Path, typer.Argument(help="Manifest of the model family (.json), from diffsign fetch.")],
    out: Annotated[Path, typer.Argument(help="Conditioning to write (.safetensors).")],
    image: Annotated[list[Path] | None, typer.Option(help="Reference picture of the signer; may be repeated.")] = None,
    text: Annotated[str | None, typer.Option(help="The signer in words.")] = None,
    negative: Annotated[str | None, typer.Option(help="What must not be seen; by default the family's words.")] = None,
    lora: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME|FILE[:SCALE]",
            help="LoRA of the manifest, or a file (from diffsign personalize, for example); may be repeated.",
        ),
    ] = None,
    region: Annotated[
        list[str] | None,
        typer.Option(
            metavar="all|signer|background",
            help="What a picture speaks for, once for each --image in their order; by default all.",
        ),
    ] = None,
    device: Annotated[str, typer.Option(metavar="auto|cpu|cuda", help="Where to compute.")] = "auto",
    threads: Annotated[int | None, typer.Option(min=1, help="CPU threads.")] = None,
) -> None:
    """Encode who signs: by pictures, by words, or by both."""
    from diffsign.generate.encode import encode_signer
    from diffsign.models.networks import use_threads
    from diffsign.records.conditioning import save_conditioning
    from diffsign.records.manifest import load_manifest

    use_threads(threads)
    signer = encode_signer(load_manifest(manifest), image or [], text, negative, device, lora or [], region or [])
    save_conditioning(out, signer)


@app.command()
@with_settings(GenerateSettings)
def generate(
    manifest: Annotated[Path, typer.Argument(help="Manifest of the model family (.json), from diffsign fetch.")],
    conditioning: Annotated[Path, typer.Argument(help="Who signs (.safetensors), from diffsign encode.")],
    out: Annotated[Path, typer.Argument(help="Clip to write (.mkv).")],
    pose: Annotated[Path | None, typer.Option(help="Skeleton clip, from diffsign control pose.")] = None,
    canny: Annotated[Path | None, typer.Option(help="Edge clip, from diffsign control canny.")] = None,
    depth: Annotated[Path | None, typer.Option(help="Depth clip, from diffsign control depth.")] = None,
    motion: Annotated[Path | None, typer.Option(help="Motion of the avatar (.npz), for noise mesh.")] = None,
    body: Annotated[Path | None, typer.Option(help="Body file (.npz) that the motion was fitted with.")] = None,
    mask: Annotated[Path | None, typer.Option(help="Mask of the avatar (.mkv), for a background or --region.")] = None,
    chunk: Annotated[str, typer.Option(metavar="I-of-N", help="Part of the clip to generate.")] = "1-of-1",
    preview: Annotated[Path | None, typer.Option(help="Also write an .mp4 to look at.")] = None,
    threads: Annotated[int | None, typer.Option(min=1, help="CPU threads.")] = None,
    *,
    settings: GenerateSettings,
) -> None:
    """Generate the signer's frames for a clip, or for one chunk of it.

    A frame has the same pixels whatever the chunk that it is generated in.
    """
    from diffsign.generate.avatar import load_avatar
    from diffsign.generate.background import backdrop, before_background, require_mask
    from diffsign.generate.chunks import chunk_range, parse_chunk
    from diffsign.generate.frames import Sizing, chosen_size
    from diffsign.generate.generator import Generator
    from diffsign.generate.sources import check_controls, filler
    from diffsign.models.networks import chosen_controls, use_threads
    from diffsign.progress import track
    from diffsign.records.clip import iter_clip, write_clip
    from diffsign.records.conditioning import load_conditioning
    from diffsign.records.manifest import load_manifest

    use_threads(threads)
    family, signer = load_manifest(manifest), load_conditioning(conditioning)
    number, total = parse_chunk(chunk)
    offered: dict[ControlName, Path | None] = {"pose": pose, "canny": canny, "depth": depth}
    given = {name: path for name, path in offered.items() if path is not None}
    clips, info = check_controls(given, chosen_controls(family, settings))
    width, height = chosen_size(family.family, settings, info)
    wanted = chunk_range(info.frames, number, total, settings.batch_size)
    masks = iter_clip(require_mask(mask, info)) if settings.background is not None else iter(())
    if wanted:
        avatar = load_avatar(motion, body, info) if motion is not None and body is not None else None
        generator = Generator(family, signer, settings, avatar)
        sizing = Sizing.of(width, height, generator.factor)
        streams: dict[ControlName, Iterator[np.ndarray]] = {name: iter_clip(path) for name, path in clips.items()}
        covers = iter_clip(require_mask(mask, info)) if generator.needs_masks else None
        frames = generator.frames(streams, info.frames, wanted, sizing, covers)
        if settings.background is not None:
            picture = backdrop(settings.background, width, height)
            frames = before_background(frames, masks, wanted, picture, settings.background_edge)
    else:
        frames = filler(width, height)
    write_clip(out, track(frames, "Frames", max(1, len(wanted))), info.fps, preview=preview)


@app.command()
@with_settings(PersonalizeSettings)
def personalize(
    manifest: Annotated[Path, typer.Argument(help="Manifest of the model family (.json), from diffsign fetch.")],
    out: Annotated[Path, typer.Argument(help="LoRA to write (.safetensors).")],
    picture: Annotated[list[Path], typer.Option(help="Picture of the character, or a folder of them; repeat it.")],
    words: Annotated[str, typer.Option(help="What calls the character: a rare word and the class, 'a zwx person'.")],
    class_words: Annotated[
        str, typer.Option(help="The class alone, which stays as it was; several with ';'.")
    ] = "a person",
    threads: Annotated[int | None, typer.Option(min=1, help="CPU threads.")] = None,
    *,
    settings: PersonalizeSettings,
) -> None:
    """Teach a family one character from a few pictures (DreamBooth with prior preservation, as a LoRA).

    Take three to ten pictures that show the character alone, upright, in different poses: of a person only with that
    person's consent. Then name the LoRA to `diffsign encode --lora`, and say the words again in its --text.

    Pictures of the class, a checkpoint and the loss are kept in a folder named as OUT; a run that was cut off goes on
    from there.
    """
    from safetensors.torch import save_file

    from diffsign.files import atomic
    from diffsign.models.networks import use_threads
    from diffsign.personalize.dreambooth import Personalization
    from diffsign.records.manifest import load_manifest

    use_threads(threads)
    training = Personalization(load_manifest(manifest), picture, words, class_words, out.with_suffix(""), settings)
    tensors = training.train()
    with atomic(out) as temporary:
        save_file(tensors, temporary, {"format": "pt", "words": words, "class_words": class_words})
    typer.echo(f"{out}: {out.stat().st_size / 1e6:.1f} MB; called by '{words}'.")


@app.command()
def join(
    chunks: Annotated[list[Path], typer.Argument(help="Chunks, named 1-of-N.mkv to N-of-N.mkv, in any order.")],
    out: Annotated[Path, typer.Argument(help="Clip to write (.mkv).")],
    source: Annotated[Path, typer.Option(help="The source clip, whose frames are counted.")],
    audio: Annotated[Path | None, typer.Option(help="Sound to put back on the preview, if the file holds any.")] = None,
    preview: Annotated[Path | None, typer.Option(help="Also write an .mp4 to look at, with the sound.")] = None,
) -> None:
    """Join the chunks of a clip and put the sound back."""
    from diffsign.generate.join import joined_frames
    from diffsign.progress import track
    from diffsign.records.clip import probe_clip, write_clip

    info = probe_clip(source)
    sound = audio if audio is not None and audio.exists() and audio.stat().st_size > 0 else None
    write_clip(out, track(joined_frames(chunks, info), "Frames", info.frames), info.fps, audio=sound, preview=preview)
