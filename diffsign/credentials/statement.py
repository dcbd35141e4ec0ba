"""What is said of a film: who signs in it, what made it, from what, and by whose leave."""

from __future__ import annotations

import hashlib
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from diffsign import __version__
from diffsign.records.conditioning import Description
from diffsign.records.ffmpeg import ffmpeg_version
from diffsign.records.manifest import Located, Manifest

#: The assertion's label in the credentials.
LABEL = "org.diffsign.generation"
PACKAGES = ("torch", "diffusers", "transformers")


def sha256(path: Path) -> str:
    """Return the SHA-256 of a file, or of a folder's files and their names in order."""
    digest = hashlib.sha256()
    files = [path] if path.is_file() else sorted(p for p in path.rglob("*") if p.is_file())
    for file in files:
        if file != path:
            digest.update(str(file.relative_to(path)).encode())
        with file.open("rb") as stream:
            while block := stream.read(1 << 20):
                digest.update(block)
    return digest.hexdigest()


def _part(part: Located) -> dict[str, str]:
    """Return a part's name and what identifies its weights: the hub's commit, or their hash."""
    name = {"id": Path(part.id).name if Path(part.id).is_absolute() else part.id}
    return name | ({"commit": part.commit} if part.commit else {"sha256": sha256(Path(part.path))})


def _weights(manifest: Manifest) -> dict[str, dict[str, str]]:
    """Return what identifies each part of a family."""
    adapter = manifest.ip_adapter
    parts = {
        "base": manifest.base,
        "vae": manifest.vae,
        **{f"controlnet {name}": part for name, part in manifest.controlnets.items()},
        "ip_adapter": adapter.weights if adapter is not None else None,
        "image_encoder": adapter.image_encoder if adapter is not None else None,
        **{f"lora {name}": part for name, part in manifest.loras.items()},
        "motion_adapter": manifest.motion_adapter,
    }
    return {role: _part(part) for role, part in parts.items() if part is not None}


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def statement(
    video: str,
    signer: str,
    manifest: Manifest,
    conditioning: Description,
    motion: Path | None,
    generation: dict[str, Any],
    consent: str | None,
) -> dict[str, Any]:
    """Return the statement as plain values for JSON; no path of this machine is in it.

    Args:
        video: id of the source.
        signer: id of the synthetic signer.
        manifest: of the model family that drew the frames.
        conditioning: what the family was given of the signer.
        motion: the motion that is signed.
        generation: settings of the generation, seed among them.
        consent: what was stated about the consent of a person whose picture was used.
    """
    return {
        "software": f"DiffSign {__version__}",
        "video": video,
        "signer": signer,
        "prompt": conditioning.prompt,
        "reference_pictures": [Path(name).name for name in conditioning.images],
        "consent": consent,
        "motion_sha256": sha256(motion) if motion is not None else None,
        "family": {"name": manifest.name, "weights": _weights(manifest)},
        "settings": generation,
        "ffmpeg": ffmpeg_version(),
        "packages": {name: found for name in PACKAGES if (found := _version(name)) is not None},
    }
