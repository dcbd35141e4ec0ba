"""A run's config and sheets as the rules use them: which files belong together, and the flags of every command."""

from __future__ import annotations

import functools
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from diffsign.config.colour import background_picture
from diffsign.config.family import ControlName
from diffsign.config.family_parts import FamilyParts
from diffsign.config.generate import FetchSettings, GenerateSettings
from diffsign.config.import_motion import ImportMotionSettings
from diffsign.config.import_pose import ImportPoseSettings
from diffsign.config.personalize import SubjectSettings
from diffsign.config.schema import Config, load_config, load_signers, load_videos, said_settings
from diffsign.config.settings import given, repeated, to_flags
from diffsign.config.sheets import SignerRow, VideoRow
from diffsign.errors import DiffSignError, nearest
from diffsign.files import picture_files

#: What stands behind a video's id for its whole clip, where frames are selected.
WHOLE = "_whole"


@dataclass(frozen=True)
class Project:
    """A checked config with its videos and signers by id."""

    config: Config
    videos: Mapping[str, VideoRow]
    signers: Mapping[str, SignerRow]

    @property
    def body(self) -> str:
        """The body file that is fitted and rendered."""
        return self.config.body or f"{self.config.shared}/body/body.npz"

    @property
    def selected(self) -> dict[str, list[int]]:
        """Frames of the videos of which some are generated and not all; none are all, of videos of another run."""
        frames = {name: row.frames or self.config.frames or [] for name, row in self.videos.items()}
        return {name: chosen for name, chosen in frames.items() if chosen or self.config.videos_from}

    @property
    def whole_films(self) -> list[str]:
        """Videos that are films of which all frames are generated."""
        return [name for name, row in self.videos.items() if row.filmed and name not in self.selected]

    @functools.cached_property
    def clips(self) -> dict[str, VideoRow]:
        """The videos, and by an id of its own the whole clip of each of which frames are selected."""
        whole = {} if self.config.videos_from else self.selected
        return {**self.videos, **{f"{name}{WHOLE}": self.videos[name] for name in whole}}

    @property
    def whole(self) -> str:
        """Folder of the whole clip of a video of which frames are selected, with ``{video}`` for its id."""
        taken, results = self.config.videos_from, self.config.results
        return f"{taken}/videos/{{video}}" if taken else f"{results}/videos/{{video}}{WHOLE}"

    @functools.cached_property
    def encoded(self) -> dict[str, str]:
        """The signer whose conditioning a signer shares: the first that is described in the same way."""
        first: dict[tuple[object, ...], str] = {}
        described = {
            name: (self.config.family_of(row), *map(str, (row.image, row.region, row.text, row.negative, row.lora)))
            for name, row in self.signers.items()
        }
        return {name: first.setdefault(key, name) for name, key in described.items()}

    @functools.cached_property
    def parts_of_signers(self) -> dict[str, FamilyParts]:
        """What every signer needs of its family: all that others need too where one job draws them together."""
        if self.config.together:
            return {signer.row.signer: use.parts for use in self.families.values() for signer in use.signers}
        rows = self.signers.items()
        return {name: FamilyParts.of_signers(self.config, self.config.family_of(row), [row]) for name, row in rows}

    @functools.cached_property
    def parts(self) -> dict[str, FamilyParts]:
        """Everything that is fetched, by the names of the manifests."""
        every = [*self.parts_of_signers.values(), *(self.subject(name).parts for name in self.config.subjects)]
        return {parts.name: parts for parts in every}

    @property
    def families(self) -> dict[str, FamilyUse]:
        """The families that generate some signer, by name."""
        names = dict.fromkeys(self.config.family_of(row) for row in self.signers.values())
        return {name: self.family(name) for name in names}

    @property
    def controls(self) -> list[str]:
        """Controls that some signer's family follows, sorted."""
        return sorted({name for signer in self.signers for name in self.signer(signer).controls})

    @property
    def certificate(self) -> list[str]:
        """Certificate and key that sign films; none where films are not signed."""
        credentials = self.config.credentials
        if not credentials.signed:
            return []
        if credentials.certificate is not None and credentials.key is not None:
            return [credentials.certificate, credentials.key]
        return [f"{self.config.shared}/credentials/{name}.pem" for name in ("certificate", "key")]

    @functools.cached_property
    def shards(self) -> Mapping[str, Shard]:
        """Clips that one job takes together, by the number of the first row; none if every step is its own job.

        Rows keep their shard when others are added below them.
        """
        size = self.config.shard_size
        if self.config.shard is not None or not size or len(self.videos) <= 5 * size:
            return {}
        return {name: Shard(self, name, videos) for name, videos in _slices([*self.videos], size).items()}

    def video(self, name: str) -> Video:
        """Return one video of the sheet."""
        if name not in self.clips:
            raise DiffSignError(f"sheet '{self.config.videos}' has no video '{name}'{nearest(name, self.clips)}.")
        return Video(self, self.clips[name])

    def signer(self, name: str) -> Signer:
        """Return one signer of the sheet."""
        return Signer(self, self.signers[name])

    def family(self, name: str) -> FamilyUse:
        """Return what the project wants of a model family."""
        return FamilyUse(self, name)

    def subject(self, name: str) -> Subject:
        """Return one subject of the config."""
        return Subject(self, name, self.config.subjects[name])


@dataclass(frozen=True)
class Video:
    """One source video."""

    project: Project
    row: VideoRow

    @property
    def source(self) -> list[str]:
        """The video file, unless Snakemake would take its name for a pattern; then its :attr:`stamp` is looked at."""
        return [] if self.row.path is None or "{" in self.row.path else [self.row.path]

    @property
    def compared(self) -> str:
        """The keypoints that a result is compared with: the source's as detected.

        Those of SMPL-X parameters are joints and no detector's; the avatar shows them and is seen by the detector.
        """
        folder = f"{self.project.config.results}/videos/{self.row.video}"
        return f"{folder}/avatar/keypoints.npz" if self.row.motion is not None else f"{folder}/keypoints.npz"

    @property
    def stamp(self) -> str:
        """Size and date of a video file that Snakemake does not look at by itself."""
        if self.row.path is None or self.source:
            return ""
        state = Path(self.row.path).stat()
        return f"{state.st_size} {state.st_mtime_ns}"

    @property
    def seconds(self) -> float:
        """About how long it is: by its trim, or by the size of the file at 2 Mbit/s (phones write 5 to 20)."""
        row, longest = self.row, self.project.config.ingest.max_seconds
        if row.end is not None:
            return row.end - (row.start or 0.0)
        if row.path is None:
            return min(longest, 60.0)
        return min(longest, Path(row.path).stat().st_size * 8 / 2e6)

    def _window(self, crop: str | None) -> list[str]:
        """Return the flags of trim, turn and crop."""
        row = self.row
        window = given(start=row.start, end=row.end, rotate=row.rotate or None, crop=crop)
        return [*window, *(["--mirror"] if row.mirror else [])]

    def ingest_flags(self) -> list[str]:
        """Return the flags of trim, turn and crop, and the config's."""
        return [*self._window(self.row.crop), *to_flags(self.project.config.ingest)]

    def backdrop_flags(self) -> list[str]:
        """Return the flags of trim and turn, the rate of the source, and the size of a film that shows all of it."""
        all_of_it = {"fps": None, "height": self.project.config.export.inset_height, "width": None, "bars": "keep"}
        return [*self._window(None), *to_flags(self.project.config.ingest.model_copy(update=all_of_it))]

    @property
    def rate(self) -> list[str]:
        """Where the source's rate is said; nowhere if it is no film, or if only some of its frames are generated."""
        if self.row.video not in self.project.whole_films:
            return []
        return [f"{self.project.config.results}/videos/{self.row.video}/placement.json"]

    def cutout_flags(self) -> list[str]:
        """Return the source's rate, and how signers are cut out."""
        return [*repeated("--placement", self.rate), *to_flags(self.project.config.export.cutout)]

    @property
    def pose(self) -> str:
        """The ``.pose`` file of a source that has no film: the row's, or what its text becomes."""
        return self.row.pose or f"{self.project.config.results}/videos/{self.row.video}/said.pose"

    def say_flags(self) -> list[str]:
        """Return the lexicon, the languages and the config's flags of a text."""
        row = self.row
        return [*given(lexicon=row.lexicon), *to_flags(said_settings(self.project.config, row, f"video '{row.video}'"))]

    def import_pose_flags(self) -> list[str]:
        """Return rate and size of the keypoints: those that a video's clip would have."""
        ingest = self.project.config.ingest
        return to_flags(ImportPoseSettings(fps=ingest.fps, height=ingest.height, width=ingest.width))

    def select_flags(self) -> list[str]:
        """Return the frames that are selected, and the controls."""
        frames = self.row.frames or self.project.config.frames or []
        return [*repeated("--frame", frames), *repeated("--control", self.project.controls)]

    @property
    def placement(self) -> list[str]:
        """How the clip lies in the video, where keypoints of the video are read."""
        return [f"{self.project.config.results}/videos/{self.row.video}/placement.json"] if self.row.openpose else []

    def import_motion_flags(self) -> list[str]:
        """Return what a motion's files do not say, and the rate and size that a video's clip would have."""
        config = self.project.config
        size: dict[str, Any] = {name: getattr(config.ingest, name) for name in ("fps", "height", "width")}
        return to_flags(ImportMotionSettings(**config.import_motion.model_dump(), **size))

    def detect_flags(self) -> list[str]:
        """Return the folder of keypoints that are there already, and the config's flags."""
        placement = next(iter(self.placement), None)
        return [*given(openpose=self.row.openpose, placement=placement), *to_flags(self.project.config.detect)]


@dataclass(frozen=True)
class Subject:
    """A person or character that a family is fine-tuned on."""

    project: Project
    name: str
    settings: SubjectSettings

    @property
    def parts(self) -> FamilyParts:
        """Parts of the family that is fine-tuned; pictures are learned under their edges."""
        config = self.project.config
        return FamilyParts(
            config, config.family_of_subject(self.name), FetchSettings(controls=["canny"], ip_adapter=False)
        )

    @property
    def lora(self) -> str:
        """The LoRA that comes of it."""
        return f"{self.project.config.resources}/subjects/{self.name}.safetensors"

    @property
    def pictures(self) -> list[str]:
        """Every picture of it."""
        return [str(path) for path in picture_files(self.settings.pictures)]

    def personalize_flags(self) -> list[str]:
        """Return pictures, words and settings of its training."""
        return [
            *repeated("--picture", self.settings.pictures),
            *given(instance_prompt=self.settings.instance_prompt, class_prompt=self.settings.class_prompt),
            *to_flags(self.settings.training),
        ]


@dataclass(frozen=True)
class FamilyUse:
    """What the project's signers want of a model family."""

    project: Project
    name: str

    @functools.cached_property
    def parts(self) -> FamilyParts:
        """All that some signer needs of it."""
        return FamilyParts.of_signers(self.project.config, self.name, [signer.row for signer in self.signers])

    @property
    def signers(self) -> list[Signer]:
        """The signers that the family generates."""
        names = [name for name, row in self.project.signers.items() if self.project.config.family_of(row) == self.name]
        return [self.project.signer(name) for name in names]

    def together_flags(self, video: str) -> list[str]:
        """Return what ``diffsign generate`` is told of all signers of a video: the first, and the others beside it."""
        first, *others = self.signers
        return [*first.generate_flags(video), *(other.also_flag(video, first) for other in others)]


@dataclass(frozen=True)
class Signer:
    """One synthetic signer."""

    project: Project
    row: SignerRow

    @property
    def family(self) -> str:
        """Name of the family that generates the signer."""
        return self.project.config.family_of(self.row)

    @property
    def parts(self) -> FamilyParts:
        """Parts of the family that the signer needs."""
        return self.project.parts_of_signers[self.row.signer]

    @property
    def controls(self) -> list[ControlName]:
        """Controls that the family follows."""
        return self.project.config.controls_of(self.family, self.row)

    @property
    def conditioning(self) -> str:
        """What the signer is conditioned on; signers that differ in how they are generated share it."""
        return f"{self.project.config.results}/signers/{self.project.encoded[self.row.signer]}/conditioning.safetensors"

    @property
    def loras(self) -> list[str]:
        """LoRA files of the subjects that the signer names."""
        subjects = self.project.config.subjects
        return [self.project.subject(name).lora for name in self.row.loras if name in subjects]

    @property
    def settings(self) -> GenerateSettings:
        """The config's settings with what the signer's row says over them."""
        row, base = self.row, self.project.config.generate
        columns = ("seed", "ip_adapter_scale", "background", "preset", "steps", "guidance_scale", "controls")
        changes = {name: value for name in columns if (value := getattr(row, name)) is not None}
        return base.model_copy(update=changes)

    @property
    def background(self) -> list[str]:
        """The picture behind the signer, if there is one."""
        picture = background_picture(self.settings.background)
        return [] if picture is None else [picture]

    def control_clips(self, video: str) -> dict[str, str]:
        """Return the clips of a video that condition the signer, by control."""
        return {name: f"{self.project.config.results}/videos/{video}/control/{name}.mkv" for name in self.controls}

    def encode_flags(self) -> list[str]:
        """Return the signer's pictures, words and LoRAs."""
        row, subjects = self.row, self.project.config.subjects
        scaled = {
            self.project.subject(name).lora if name in subjects else name: scale for name, scale in row.loras.items()
        }
        return [
            *repeated("--image", row.image),
            *repeated("--region", row.region),
            *given(text=row.text, negative=row.negative),
            *repeated("--lora", (n if scale is None else f"{n}:{scale:g}" for n, scale in scaled.items())),
        ]

    def generate_flags(self, video: str) -> list[str]:
        """Return the controls of a video, and the settings."""
        clips = self.control_clips(video)
        return [*(f"--{name}={path}" for name, path in clips.items()), *to_flags(self.settings)]

    def mark_flags(self) -> list[str]:
        """Return what the film of a result says of itself."""
        pair: dict[str, str] = dict(zip(("certificate", "key"), self.project.certificate, strict=False))
        settings = self.project.config.credentials.model_copy(update=pair)
        generation = json.dumps(self.settings.model_dump(mode="json"))
        return [*given(consent=self.row.consent, generation=generation), *to_flags(settings)]

    def clip(self, video: str) -> str:
        """Return the clip of a video that shows the signer."""
        return f"{self.project.config.results}/signers/{self.row.signer}/{video}/clip.mkv"

    def also_flag(self, video: str, first: Signer) -> str:
        """Return the flag of ``diffsign generate`` for this signer beside another one of the same video and family."""
        base, own = first.settings.model_dump(mode="json"), self.settings.model_dump(mode="json")
        changes = {name: value for name, value in own.items() if value != base[name]}
        clips = self.control_clips(video)
        return "--also=" + json.dumps({"conditioning": self.conditioning, "out": self.clip(video), **clips, **changes})

    def evaluate_flags(self, video: str) -> list[str]:
        """Return what source and signer are in words and pictures, and the config's flags."""
        row = self.project.videos[video]
        words = given(source_text=row.caption, signer_text=self.row.text, translation=row.translation or row.say)
        skeleton = [] if row.filmed else ["--skeleton"]
        return [*repeated("--reference", self.row.image), *words, *skeleton, *to_flags(self.project.config.evaluate)]


@dataclass(frozen=True)
class Shard:
    """Videos that one job takes from source to metrics, by a run of Snakemake of its own."""

    project: Project
    name: str
    videos: tuple[str, ...]

    @property
    def folder(self) -> str:
        """Where its state is kept."""
        return f"{self.project.config.results}/shards/{self.name}"

    @property
    def sources(self) -> list[str]:
        """Files that its rows name."""
        rows = [self.project.videos[name] for name in self.videos]
        others = [
            path for row in rows for path in (row.pose, row.motion, row.lexicon, row.openpose) if path is not None
        ]
        return [*(path for name in self.videos for path in self.project.video(name).source), *others]

    @property
    def rows(self) -> str:
        """A digest of its rows and all signers, which changes when one of them does."""
        rows = [self.project.videos[name] for name in self.videos] + [*self.project.signers.values()]
        told = [row.model_dump_json() for row in rows] + [self.project.video(name).stamp for name in self.videos]
        return hashlib.sha256("\n".join(told).encode()).hexdigest()[:16]

    @property
    def changes(self) -> list[str]:
        """What the config says beside the defaults, as ``key=value`` for Snakemake's ``--config``."""
        said = self.project.config.model_dump(mode="json", exclude_defaults=True) | {"shard": self.name}
        return [f"{key}={json.dumps(value)}" for key, value in said.items()]

    @property
    def seconds(self) -> float:
        """About how long its videos are together: by their trim, or by the size of the file at 2 Mbit/s."""
        return sum(self.project.video(name).seconds for name in self.videos)

    def repairs(self) -> int:
        """Return how often results were found missing after the shard had been finished; it grows when some are now."""
        status = Path(self.folder) / "signers.json"
        if not status.is_file():
            return 0
        folder = Path(self.project.config.results) / "signers"
        missing = any(
            not (folder / signer / video / "metrics.json").is_file()
            for signer in self.project.signers
            for video in self.videos
        )
        return int(json.loads(status.read_text(encoding="utf-8"))["repairs"]) + missing


def _slices(names: Sequence[str], size: int) -> dict[str, tuple[str, ...]]:
    return {f"s{start:05d}": tuple(names[start : start + size]) for start in range(0, len(names), size)}


def load_project(values: dict[str, Any], where: str = "config") -> Project:
    """Check a config that Snakemake (or YAML) has read, and read its sheets.

    Raises:
        DiffSignError: naming the key, or the sheet and its row.
    """
    config = load_config(values, where)
    videos = load_videos(config)
    if config.shard is not None:
        videos = {name: videos[name] for name in _slices([*videos], config.shard_size)[config.shard]}
    for name in videos if config.videos_from else ():
        if not Path(f"{config.videos_from}/videos/{name}").is_dir():
            raise DiffSignError(
                f"videos_from: '{config.videos_from}' has nothing of the video '{name}'; run the config whose results "
                "these are first (snakemake videos), or leave videos_from out."
            )
    project = Project(config, videos, load_signers(config))
    for name in () if config.videos_from else project.selected:
        if f"{name}{WHOLE}" in videos:
            raise DiffSignError(
                f"sheet '{config.videos}': of '{name}' some frames are generated, so its whole clip is called "
                f"'{name}{WHOLE}', as another video is; rename that one."
            )
    return project
