"""The config of a run: every key with its type, range, default and sentence, and what is made from it."""

from __future__ import annotations

import functools
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import yaml
from pydantic import Field

from diffsign.config.clean import CleanSettings
from diffsign.config.colour import require_background
from diffsign.config.compare import CompareSettings
from diffsign.config.control import ControlSettings
from diffsign.config.credentials import CredentialsSettings
from diffsign.config.detect import DetectSettings
from diffsign.config.evaluate import WEIGHTS, EvaluateSettings
from diffsign.config.export import ExportSettings
from diffsign.config.family import ControlName, Family, family_named, resolve_families
from diffsign.config.fit import FitSettings
from diffsign.config.generate import GenerateSettings
from diffsign.config.import_motion import MotionSourceSettings
from diffsign.config.ingest import IngestSettings
from diffsign.config.personalize import SubjectSettings
from diffsign.config.renamed import formerly
from diffsign.config.render import RenderSettings
from diffsign.config.report import ReportSettings
from diffsign.config.say import SaySettings
from diffsign.config.select import Frames
from diffsign.config.settings import InputPath, OutputFolder, Settings, TrackedPath, parse
from diffsign.config.sheets import Identifier, SignerRow, VideoRow, read_sheet
from diffsign.config.smooth import SmoothSettings
from diffsign.config.variants import check_sweep, variants
from diffsign.errors import DiffSignError, nearest
from diffsign.files import picture_files, require_file


class FamilyChoice(Settings):
    """The model family of a signer whose row names none, by how the signer is given."""

    image: str = Field(default="demo", description="For signers given by pictures.")
    text: str = Field(default="demo", description="For signers given by words.")
    multimodal: str = Field(default="demo", description="For signers given by pictures and words.")


class Config(Settings):
    """Everything that a run can be told."""

    videos: InputPath = Field(default="config/videos.tsv", description="Sheet of the source videos.")
    signers: InputPath = Field(default="config/signers.tsv", description="Sheet of the synthetic signers.")
    results: OutputFolder = Field(default="results", description="Folder for everything that is made from the videos.")
    resources: OutputFolder = Field(
        default="resources", description="Folder for what is not made from videos: manifests of the weights, subjects."
    )
    cache: OutputFolder | None = Field(
        default=None,
        description="Folder for what no setting changes, which projects may share: the body, the key that signs films; "
        "by default resources.",
    )
    body: TrackedPath | None = Field(
        default=None,
        description="SMPL-X file (.npz) to fit and render; by default one is built from Anny (free to use).",
    )
    frames: Frames | None = Field(
        default=None,
        description="Frames to generate of every video whose row names none, counted from 0; by default all.",
    )
    samples: int = Field(
        default=1,
        ge=1,
        le=100,
        description="Times that every signer is generated, with successive seeds (signer-1, signer-2).",
    )
    sweep: dict[str, list[Any] | dict[str, Any]] = Field(
        default={},
        description="Columns of the sheet of signers with several values, such as {ip_adapter_scale: [0.4, 0.6]}: "
        "every signer is generated once for each.",
    )
    videos_from: OutputFolder | None = Field(
        default=None,
        description="Results of another run with the same videos and settings, such as results/experiments/source: "
        "clips, motions, avatars and controls are taken from there and not made anew.",
    )
    experiments: list[str] = Field(
        default=[],
        description="Which of the paper's experiments the target experiments runs, such as [E1, E3]; by default all.",
    )
    experiments_overlay: InputPath | None = Field(
        default=None,
        description="Config laid over each of the paper's experiments (target experiments), such as "
        "config/experiments/demo.yaml.",
    )
    shard_size: int = Field(
        default=100,
        ge=0,
        le=10_000,
        description="Clips that one job takes from source to metrics, where the sheet has more than five times as "
        "many; 0 makes every step of every clip a job of its own.",
    )
    shard: str | None = Field(
        default=None,
        pattern=r"^s\d{5,}$",
        description="Only the clips of this shard; the workflow sets it for its own jobs.",
    )
    chunks: int = Field(default=1, ge=1, le=1000, description="Jobs that the generation of one clip is split into.")
    together: bool = Field(
        default=False,
        description="Generate all signers of a video and a family in one job, which loads the networks once; chunks "
        "then have no effect.",
    )
    say: SaySettings = Field(default=SaySettings(), description="How a text is said.")
    ingest: IngestSettings = Field(default=IngestSettings(), description="How a source video becomes a clip.")
    detect: DetectSettings = Field(default=DetectSettings(), description="How keypoints are found.")
    clean: CleanSettings = Field(default=CleanSettings(), description="How keypoints are filtered.")
    import_motion: MotionSourceSettings = Field(
        default=MotionSourceSettings(), description="How SMPL-X parameters of other tools are read (column motion)."
    )
    fit: FitSettings = Field(default=FitSettings(), description="How the body is fitted to the keypoints.")
    smooth: SmoothSettings = Field(default=SmoothSettings(), description="How the fitted motion is filtered.")
    render: RenderSettings = Field(default=RenderSettings(), description="How the avatar looks and is rendered.")
    control: ControlSettings = Field(default=ControlSettings(), description="What conditions the diffusion model.")
    family: FamilyChoice = Field(default=FamilyChoice(), description="Which model family draws which signer.")
    families: dict[str, dict[str, Any]] = Field(
        default={},
        description="Model families, key by key over the built-in demo, sd15 and sdxl; a family of another "
        "name is new.",
    )
    subjects: dict[Identifier, SubjectSettings] = Field(
        default={},
        description="Subjects that a family is fine-tuned on from a few pictures, by the name that signers give as "
        "lora; `diffsign personalize --help` has the keys beside pictures, instance_prompt, class_prompt and family.",
        json_schema_extra=formerly("characters"),
    )
    generate: GenerateSettings = Field(default=GenerateSettings(), description="How the signers are generated.")
    evaluate: EvaluateSettings = Field(default=EvaluateSettings(), description="What the results are measured with.")
    export: ExportSettings = Field(
        default=ExportSettings(), description="What is written of every video for other tools (target export)."
    )
    credentials: CredentialsSettings = Field(default=CredentialsSettings(), description="What a film says of itself.")
    compare: CompareSettings = Field(
        default=CompareSettings(), description="How signers are compared (target `compare`)."
    )
    report: ReportSettings = Field(default=ReportSettings(), description="How the page of results is made.")

    @property
    def shared(self) -> str:
        """The folder of what no setting changes."""
        return self.cache or self.resources

    def family_of(self, signer: SignerRow) -> str:
        """Return the name of the family that draws a signer."""
        return signer.family or getattr(self.family, signer.kind)

    def family_of_subject(self, name: str) -> str:
        """Return the name of the family that is fine-tuned on a subject."""
        return self.subjects[name].family or self.family.text

    def resolved_family(self, name: str) -> Family:
        """Return a family with the config's entries laid over the built-in ones."""
        return family_named(name, self.resolved_families)

    @functools.cached_property
    def resolved_families(self) -> dict[str, Family]:
        """All families by name, the config's entries laid over the built-in ones."""
        return resolve_families(self.families)

    def controls_of(self, family: str, row: SignerRow | None = None) -> list[ControlName]:
        """Return the names of the controls that a family follows, or one of its signers."""
        scales = (
            (row.controls if row is not None else None)
            or self.generate.controls
            or {name: net.scale for name, net in self.resolved_family(family).controlnets.items()}
        )
        return [name for name, scale in scales.items() if scale > 0]


def load_config(values: dict[str, Any], where: str = "config") -> Config:
    """Check a config that Snakemake (or YAML) has read; unknown keys are refused, naming the nearest known one."""
    config = parse(Config, values, where)
    check_sweep(config.sweep)
    for name in (config.family.image, config.family.text, config.family.multimodal):
        config.resolved_family(name)
    return config


def read_config(path: str | Path) -> Config:
    """Read and check one YAML config file."""
    path = require_file(path, "config file")
    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise DiffSignError(f"config file '{path}' is not YAML: {' '.join(str(error).split())}.") from error
    if not isinstance(values, dict):
        raise DiffSignError(f"config file '{path}' must hold keys and values, not {type(values).__name__}.")
    return load_config(cast("dict[str, Any]", values), f"config file '{path}'")


def load_videos(config: Config) -> dict[str, VideoRow]:
    """Read the sheet of videos and see that every file is there."""
    videos = read_sheet(config.videos, VideoRow)
    for row in videos.values():
        where = f"sheet '{config.videos}': video '{row.video}'"
        for column in ("path", "pose", "motion"):
            file = getattr(row, column)
            if file is not None and not Path(file).exists():
                raise DiffSignError(f"{where} has no file at '{file}' (column {column}).")
        if row.lexicon is not None and not Path(row.lexicon).is_dir():
            raise DiffSignError(f"{where} has no folder of signs at '{row.lexicon}' (column lexicon).")
        if row.say is not None:
            said_settings(config, row, where)
        if config.detect.detector == "openpose" and row.filmed and row.openpose is None:
            raise DiffSignError(
                f"{where} names no folder of OpenPose JSON in the column 'openpose', which detect.detector: openpose "
                "needs."
            )
    return videos


def said_settings(config: Config, row: VideoRow, where: str) -> SaySettings:
    """Return the config's settings with the languages of a row that is a text."""
    languages = {"spoken_language": row.spoken_language, "signed_language": row.signed_language}
    given = {name: value for name, value in languages.items() if value is not None}
    return parse(SaySettings, {**config.say.model_dump(), **given}, where)


def load_signers(config: Config) -> dict[str, SignerRow]:
    """Read the sheet of signers, with a row for every value of a sweep and every sample, and check each."""
    if config.generate.background is not None:
        require_background(config.generate.background, "generate")
    _require_evaluation(config.evaluate)
    signers: dict[str, SignerRow] = {}
    for row in read_sheet(config.signers, SignerRow).values():
        where = f"sheet '{config.signers}', signer '{row.signer}'"
        seed = config.generate.seed
        first = config.resolved_family(config.family_of(row)).seed if seed is None else seed
        for variant in variants(row, config.sweep, config.samples, first, where):
            if variant.signer in signers:
                raise DiffSignError(f"{where}: two signers would be called '{variant.signer}'; rename one.")
            signers[variant.signer] = _checked_signer(config, variant)
    return signers


def _require_evaluation(settings: EvaluateSettings) -> None:
    """See that the files which evaluation needs are there, before hours are spent on what it measures."""
    files = {name: getattr(settings, name) for name in WEIGHTS}
    for name, path in [*files.items(), *(("face_others", picture) for picture in settings.face_others)]:
        if path is not None and not Path(path).is_file():
            raise DiffSignError(f"evaluate: '{name}' has no file at '{path}'.")


def _checked_signer(config: Config, row: SignerRow) -> SignerRow:
    """Return a signer, with the prompt of its subject, whose pictures are there and whose family has what it needs."""
    where, name = f"sheet '{config.signers}': signer '{row.signer}'", config.family_of(row)
    for picture in row.image:
        if not Path(picture).is_file():
            raise DiffSignError(f"{where} has no picture at '{picture}'.")
    if row.background is not None:
        require_background(row.background, f"sheet '{config.signers}', signer '{row.signer}'")
    family = config.resolved_family(name)
    if row.image and family.ip_adapter is None:
        raise DiffSignError(
            f"{where} is given by a picture, but the family '{name}' has no ip_adapter; choose another family or give "
            "the signer in words."
        )
    if row.preset is not None and row.preset not in family.presets:
        raise DiffSignError(
            f"{where}: the family '{name}' has no preset '{row.preset}'{nearest(row.preset, family.presets)}; it has "
            f"{', '.join(family.presets)}."
        )
    absent = [control for control in row.controls or {} if control not in family.controlnets]
    if absent:
        raise DiffSignError(f"{where}: the family '{name}' has no ControlNet for {', '.join(absent)}.")
    for lora in row.loras:
        row = _with_lora(config, row, lora)
    return row


def _with_lora(config: Config, row: SignerRow, name: str) -> SignerRow:
    """Return a signer with the prompt of its subject; raise an error if a LoRA is unknown or does not fit."""
    where, family = f"sheet '{config.signers}': signer '{row.signer}'", config.family_of(row)
    subject, loras = config.subjects.get(name), config.resolved_family(family).loras
    if subject is None:
        if name not in loras:
            known = [*config.subjects, *loras]
            raise DiffSignError(
                f"{where} names the lora '{name}'{nearest(name, known)}, which is neither a subject of the config "
                f"nor a LoRA of the family '{family}'; there are {', '.join(known) or 'none'}."
            )
        return row
    if name in loras:
        raise DiffSignError(f"config: the subject '{name}' has the name of a LoRA of family '{family}'; rename it.")
    tuned = config.family_of_subject(name)
    if tuned != family:
        raise DiffSignError(
            f"{where} is generated by the family '{family}', but its subject '{name}' belongs to '{tuned}'; set "
            f"subjects.{name}.family, or the signer's family."
        )
    picture_files(subject.pictures)
    if row.text is None:
        return row.model_copy(update={"text": subject.instance_prompt})
    missing = [word for word in subject.rare_words if word not in row.text]
    if missing:
        raise DiffSignError(
            f"{where} has the subject '{name}', but its text does not say '{missing[0]}', which calls it; begin with "
            f"'{subject.instance_prompt}', or leave the text empty."
        )
    return row


def _documented(settings: Settings, indent: str = "") -> Iterator[str]:
    for name, field in type(settings).model_fields.items():
        value = getattr(settings, name)
        yield f"{indent}# {field.description}"
        if isinstance(value, Settings):
            yield f"{indent}{name}:"
            yield from _documented(value, indent + "  ")
        else:
            plain = settings.model_dump(mode="json")[name]
            yield f"{indent}{name}: {json.dumps(plain, ensure_ascii=False)}"


def defaults_text() -> str:
    """Return the YAML file of all keys with their defaults and sentences (``config/defaults.yaml``)."""
    head = "# Every key with its default. Made by `diffsign config defaults`; change config.yaml instead.\n\n"
    return head + "\n".join(_documented(Config())) + "\n"


def schema_text() -> str:
    """Return the JSON schema of the config (``config/schema.json``), for editors."""
    return json.dumps(Config.model_json_schema(), indent=2, ensure_ascii=False) + "\n"
