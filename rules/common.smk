"""What the chapters share: the checked config and sheets, and where things are."""

import json
import os
import re
import sys
from pathlib import Path

from snakemake.exceptions import WorkflowError

# The package is found beside this Snakefile, installed or not: here, and by the commands of the rules.
sys.path.insert(0, workflow.basedir)
os.environ.update(
    PYTHONPATH=os.pathsep.join([workflow.basedir, os.getenv("PYTHONPATH", "")]).rstrip(
        os.pathsep
    )
)

from diffsign.config.schema import load_config, load_signers, load_videos
from diffsign.errors import DiffSignError
from diffsign.files import picture_files
from diffsign.config.settings import to_flags
from diffsign.config.generate import FetchSettings

try:
    CONFIG = load_config(config)
    VIDEOS = load_videos(CONFIG)
    SIGNERS = load_signers(CONFIG)
except DiffSignError as error:
    raise WorkflowError(str(error)) from None

RESULTS = CONFIG.results
RESOURCES = CONFIG.resources
BODY = CONFIG.body or f"{RESOURCES}/body/body.npz"
#: Graphics cards that one job of a diffusion model takes on a cluster.
GPUS = 1 if CONFIG.generate.device == "cuda" else 0
LOGS = f"{RESULTS}/logs"
BENCHMARKS = f"{RESULTS}/benchmarks"


wildcard_constraints:
    video="|".join(re.escape(video) for video in VIDEOS),
    signer="|".join(re.escape(signer) for signer in SIGNERS),
    character="|".join(re.escape(name) for name in CONFIG.characters) or "none",


scattergather:
    chunks=CONFIG.chunks,


def trim(wildcards):
    """Return the flags of a video's trim and crop."""
    row = VIDEOS[wildcards.video]
    parts = {"--start": row.start, "--end": row.end, "--crop": row.crop}
    return [f"{flag}={value}" for flag, value in parts.items() if value is not None]


def signers_of(family):
    """Return the rows of the signers that a family draws."""
    return [row for row in SIGNERS.values() if CONFIG.family_of(row) == family]


def family_flags(wildcards):
    """Return what of a family is needed, and what the config says of it."""
    own = CONFIG.families.get(wildcards.family)
    loras = sorted({name for row in signers_of(wildcards.family) for name in row.loras})
    controls = list(CONFIG.controls_of(wildcards.family))
    taught = any(name in CONFIG.characters for name in loras)
    needed = FetchSettings(
        controls=[
            *controls,
            *(["canny"] if taught and "canny" not in controls else []),
        ],
        loras=[name for name in loras if name not in CONFIG.characters],
        ip_adapter=any(row.image for row in signers_of(wildcards.family)),
        clip=True,
        preset=CONFIG.generate.preset,
        motion_adapter=CONFIG.generate.temporal == "animatediff",
    )
    return [*([f"--definition={json.dumps(own)}"] if own else []), *to_flags(needed)]


def looks(wildcards):
    """Return a signer's pictures and words as flags."""
    row = SIGNERS[wildcards.signer]
    words = {"--text": row.text, "--negative": row.negative}
    return [
        *(f"--image={path}" for path in row.image),
        *(f"--region={region}" for region in row.region),
        *(f"{flag}={text}" for flag, text in words.items() if text),
        *(
            f"--lora={lora_file(name) if name in CONFIG.characters else name}"
            + ("" if scale is None else f":{scale:g}")
            for name, scale in row.loras.items()
        ),
    ]


def lora_file(character):
    """Return the LoRA of a character."""
    return f"{RESOURCES}/characters/{character}.safetensors"


def character_loras(wildcards):
    """Return the LoRAs of the characters that a signer names."""
    names = SIGNERS[wildcards.signer].loras
    return [lora_file(name) for name in names if name in CONFIG.characters]


def teaching(wildcards):
    """Return a character's pictures, words and settings as flags."""
    character = CONFIG.characters[wildcards.character]
    return [
        *(f"--picture={path}" for path in character.pictures),
        f"--words={character.words}",
        f"--class-words={character.class_words}",
        *to_flags(character.training),
    ]


def generate_flags(wildcards):
    """Return the config's flags with what the signer's row says over them."""
    row = SIGNERS[wildcards.signer]
    own = {
        name: getattr(row, name) for name in ("seed", "ip_adapter_scale", "background")
    }
    return to_flags(
        CONFIG.generate.model_copy(
            update={key: value for key, value in own.items() if value is not None}
        )
    )


def background_picture(wildcards):
    """Return the picture behind a signer, if it is one and no colour."""
    chosen = SIGNERS[wildcards.signer].background or CONFIG.generate.background
    return [] if chosen is None or chosen.startswith("#") else chosen


def control_clips(wildcards):
    """Return the control clips that a signer's family follows, by name."""
    controls = CONFIG.controls_of(CONFIG.family_of(SIGNERS[wildcards.signer]))
    return {
        name: f"{RESULTS}/videos/{wildcards.video}/control/{name}.mkv"
        for name in controls
    }


def manifest(wildcards):
    """Return the manifest of a signer's family."""
    return f"{RESOURCES}/families/{CONFIG.family_of(SIGNERS[wildcards.signer])}.json"


def words_and_pictures(wildcards):
    """Return what the source and the signer are in words and pictures, as flags."""
    video, signer = VIDEOS[wildcards.video], SIGNERS[wildcards.signer]
    words = {"--source-text": video.caption, "--signer-text": signer.text}
    return [
        *(f"--reference={path}" for path in signer.image),
        *(f"{flag}={text}" for flag, text in words.items() if text),
    ]
