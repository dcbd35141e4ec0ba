"""The two sheets of a run: which videos, and which signers."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from pydantic import AfterValidator, BeforeValidator, Field, field_validator, model_validator

from diffsign.config.family import ControlName, parse_lora
from diffsign.config.renamed import former_names, renamed
from diffsign.config.select import Frames
from diffsign.config.settings import InputPath, Settings, TrackedPath, parse
from diffsign.config.table import Line, read_table
from diffsign.errors import DiffSignError, nearest

#: Conditioning scale of a control.
ControlScale = Annotated[float, Field(ge=0, le=2)]

#: Ids become folder names and Snakemake wildcards.
ID_PATTERN = r"[A-Za-z0-9][A-Za-z0-9_-]*"

#: Part of the result that a reference picture describes: everything, the signer, or what is behind.
Region = Literal["all", "signer", "background"]

Row = TypeVar("Row", bound="VideoRow | SignerRow")


def _identifier(value: str) -> str:
    if not re.fullmatch(ID_PATTERN, value) or len(value) > 100:
        raise ValueError("an id is made of letters, digits, '_' and '-', begins with a letter or digit, at most 100")
    return value


_CLOCK = re.compile(r"(?:(\d+):)?(\d{1,2}):(\d{1,2}(?:\.\d*)?)")


def _seconds(value: Any) -> Any:
    """Return seconds for a clock time, 1:02.5 or 0:01:02.5; anything else as it is."""
    found = _CLOCK.fullmatch(value.strip()) if isinstance(value, str) else None
    if found is None:
        return value
    hours, minutes, seconds = found.groups()
    return int(hours or 0) * 3600 + int(minutes) * 60 + float(seconds)


#: Seconds, or a clock time.
Seconds = Annotated[float, BeforeValidator(_seconds)]

Identifier = Annotated[str, AfterValidator(_identifier)]


class VideoRow(Settings):
    """One source: a video, a ``.pose`` file, or a text."""

    video: Identifier = Field(description="Id of the video; names its folder under results/videos/.")
    path: InputPath | None = Field(default=None, description="The video file.")
    pose: TrackedPath | None = Field(
        default=None, description="Instead of a video: a .pose file of MediaPipe Holistic or OpenPose."
    )
    motion: TrackedPath | None = Field(
        default=None,
        description="Instead of a video: SMPL-X parameters of another tool, an .npz or a folder with one a frame.",
    )
    say: str | None = Field(
        default=None, description="Instead of a video: a text, fingerspelled or signed from a lexicon."
    )
    spoken_language: str | None = Field(default=None, description="Language of the text to say, such as en.")
    signed_language: str | None = Field(default=None, description="Sign language of the text to say, such as ase.")
    lexicon: TrackedPath | None = Field(default=None, description="Folder of signs for the text to say.")
    start: Seconds | None = Field(default=None, ge=0, description="Seconds (or 1:02.5) into the file: the clip begins.")
    end: Seconds | None = Field(default=None, gt=0, description="Seconds (or 1:02.5) into the file: the clip ends.")
    rotate: int = Field(
        default=0,
        multiple_of=90,
        description="Degrees to turn the picture clockwise, where the file does not say that it lies on its side.",
    )
    mirror: bool = Field(
        default=False, description="Exchange left and right: recordings of a mirror or a selfie camera."
    )
    crop: str | None = Field(
        default=None, pattern=r"^\d+:\d+:\d+:\d+$", description="Part of the picture, W:H:X:Y in pixels of the file."
    )
    openpose: TrackedPath | None = Field(
        default=None, description="Folder of OpenPose JSON, with `detector: openpose`."
    )
    frames: Frames | None = Field(
        default=None, description="Frames to generate, counted from 0 and separated by ';'; by default all."
    )
    caption: str | None = Field(default=None, description="The source signer in words, for directional similarity.")

    translation: str | None = Field(
        default=None,
        description="What is signed, in words of a spoken language, for back-translation; by default the text to say.",
    )

    @field_validator("frames", mode="before")
    @classmethod
    def _numbers(cls, value: Any) -> Any:
        return [part.strip() for part in value.split(";") if part.strip()] if isinstance(value, str) else value

    @model_validator(mode="after")
    def _one_source(self) -> VideoRow:
        given = [name for name in ("path", "pose", "motion", "say") if getattr(self, name) is not None]
        if len(given) != 1:
            came = " and ".join(given) or "none"
            raise ValueError(f"a video needs one of the columns path, pose, motion or say; {came} came")
        of_others = {
            "path": ("spoken_language", "signed_language", "lexicon"),
            "pose": ("start", "end", "crop", "openpose", "spoken_language", "signed_language", "lexicon"),
            "motion": ("start", "end", "crop", "openpose", "spoken_language", "signed_language", "lexicon"),
            "say": ("start", "end", "crop", "openpose"),
        }[given[0]]
        extra = [name for name in of_others if getattr(self, name) is not None]
        if extra:
            raise ValueError(f"the column {extra[0]} says nothing about a {given[0]}; leave it empty")
        return self

    @property
    def filmed(self) -> bool:
        """Whether the source is a film of a person; otherwise its clip shows a skeleton."""
        return self.path is not None

    @model_validator(mode="after")
    def _trim(self) -> VideoRow:
        if self.end is not None and self.end <= (self.start or 0.0):
            raise ValueError(f"the trim ends at {self.end} s, not after its start at {self.start or 0.0} s")
        return self


class SignerRow(Settings):
    """One synthetic signer: by picture, by words, or by both."""

    signer: Identifier = Field(description="Id of the signer; names its folder under results/signers/.")
    image: list[TrackedPath] = Field(default=[], description="Reference pictures, separated by ';'.")
    text: str | None = Field(default=None, description="The signer in words.")
    negative: str | None = Field(default=None, description="What the pictures must not show; by default the family's.")
    family: str | None = Field(
        default=None, description="Model family; by default the config's for this kind of signer."
    )
    seed: int | None = Field(default=None, ge=0, lt=2**63, description="Seed of the noise; by default the config's.")
    ip_adapter_scale: float | None = Field(default=None, ge=0, le=2, description="Weight of the reference pictures.")
    preset: str | None = Field(
        default=None, description="Way to sample, by its name in the family; by default the config's."
    )
    steps: int | None = Field(default=None, ge=1, le=1000, description="Denoising steps; by default the config's.")
    guidance_scale: float | None = Field(
        default=None, ge=0, le=50, description="Classifier-free guidance; by default the config's."
    )
    controls: dict[ControlName, ControlScale] | None = Field(
        default=None, description="Controls with their scales, as pose:1.0;canny:0.8; by default the config's."
    )
    samples: int | None = Field(
        default=None, ge=1, le=100, description="Times that the signer is generated, with successive seeds."
    )
    region: list[Region] = Field(
        default=[],
        description="What each reference picture describes, separated by ';': all, signer or background.",
    )
    background: TrackedPath | None = Field(
        default=None, description="Colour or picture behind the signer; by default the config's."
    )
    real_person: Literal["yes", "no"] = Field(
        default="no", description="Whether the pictures show a real person: yes or no."
    )
    consent: str | None = Field(
        default=None,
        description="By whose leave the person's pictures are used, and where that is kept; travels with the film.",
    )
    lora: list[str] = Field(
        default=[],
        description="LoRAs, separated by ';': subjects of the config or LoRAs of the family, as name or name:scale.",
    )

    @field_validator("image", "lora", "region", mode="before")
    @classmethod
    def _split(cls, value: Any) -> Any:
        return [part.strip() for part in value.split(";") if part.strip()] if isinstance(value, str) else value

    @field_validator("controls", mode="before")
    @classmethod
    def _scales(cls, value: Any) -> Any:
        if not isinstance(value, str):
            return value
        pairs = [part.partition(":") for part in value.split(";") if part.strip()]
        return {name.strip(): scale.strip() if colon else 1.0 for name, colon, scale in pairs}

    @field_validator("lora")
    @classmethod
    def _scaled(cls, value: list[str]) -> list[str]:
        for text in value:
            try:
                parse_lora(text)
            except DiffSignError as error:
                raise ValueError(str(error).rstrip(".")) from error
        return value

    @model_validator(mode="after")
    def _described(self) -> SignerRow:
        if not self.image and not self.text and not self.lora:
            raise ValueError("a signer needs an image, a text, or both (or a lora that is a subject)")
        if self.real_person == "yes" and self.consent is None:
            raise ValueError("pictures of a real person need that person's consent; state it in the column 'consent'")
        if self.region and len(self.region) != len(self.image):
            raise ValueError(f"there are {len(self.region)} regions for {len(self.image)} pictures; give one for each")
        return self

    @property
    def loras(self) -> dict[str, float | None]:
        """LoRAs by name with their scales; None is the LoRA's own."""
        return dict(parse_lora(text) for text in self.lora)

    @property
    def kind(self) -> str:
        """``image``, ``text`` or ``multimodal``."""
        return "multimodal" if self.image and self.text else "image" if self.image else "text"


def _is_comment(line: Line, header: list[str], id_column: str) -> bool:
    """Tell whether a line that begins with ``#`` is a comment: where its id column holds an id, it is a row."""
    if not line.cells[0].startswith("#"):
        return False
    place = header.index(id_column) if id_column in header else 0
    return place == 0 or place >= len(line.cells) or not re.fullmatch(ID_PATTERN, line.cells[place])


def _column(name: str, known: Iterable[str]) -> str:
    """Return a column's name as it is known, whatever its capitals and blanks."""
    plain = re.sub(r"[\s-]+", "_", name.strip()).lower()
    return plain if name not in known and plain in known else name


def _header(path: Path, cells: tuple[str, ...], model: type[Settings]) -> list[str]:
    """Return the columns under present names, "" for blank ones."""
    known = list(model.model_fields)
    cells = tuple(_column(name, (*known, *former_names(model))) for name in cells)
    named = [name for name in cells if name]
    if twice := [name for place, name in enumerate(named) if name in named[:place]]:
        raise DiffSignError(f"sheet '{path}': the column '{twice[0]}' is named twice; keep one.")
    present = dict(zip(named, renamed(dict.fromkeys(named), former_names(model), f"sheet '{path}'"), strict=True))
    for column in present.values():
        if column not in known:
            raise DiffSignError(
                f"sheet '{path}': unknown column '{column}'{nearest(column, known)}; the columns are "
                f"{', '.join(known)}."
            )
    return [present.get(name, "") for name in cells]


def _values(line: Line, header: list[str], where: str) -> dict[str, str]:
    """Return the cells of a row that are not empty by their columns."""
    for place, cell in enumerate(line.cells):
        if cell and (place >= len(header) or not header[place]):
            raise DiffSignError(
                f"{where}: column {place + 1} has '{cell}' in it, but no name in the header: there are "
                f"{len(line.cells)} cells for {len(header)} columns."
            )
    return {name: cell for name, cell in zip(header, line.cells, strict=False) if cell}


def read_sheet(path: str | Path, model: type[Row]) -> dict[str, Row]:
    """Read a sheet with one header line: tab-separated text, ``.csv`` or ``.xlsx`` (:mod:`diffsign.config.table`).

    Args:
        path: the sheet. Empty cells are absent; lines that are empty or begin with ``#`` are skipped (a line whose
            first column is not the id, and whose id is there, is a row all the same).
        model: the row's model; its first field is the id.

    Returns:
        Rows by id, in the sheet's order.

    Raises:
        DiffSignError: naming the sheet, the row and the column, for an unknown or missing column, a cell without a
            column, a value out of range, a repeated id, or a sheet without rows.
    """
    path, id_column = Path(path), next(iter(model.model_fields))
    lines = read_table(path)
    first = next((place for place, line in enumerate(lines) if not line.cells[0].startswith("#")), None)
    if first is None:
        raise DiffSignError(
            f"sheet '{path}' is empty; its first line must name the columns {', '.join(model.model_fields)}."
        )
    header = _header(path, lines[first].cells, model)
    rows: dict[str, Row] = {}
    taken: set[str] = set()
    for line in lines[first + 1 :]:
        if _is_comment(line, header, id_column):
            continue
        where = f"sheet '{path}', row {line.number}"
        row = parse(model, _values(line, header, where), where)
        key: str = getattr(row, id_column)
        if key.lower() in taken:
            raise DiffSignError(f"{where}: the {id_column} '{key}' appears twice (ids differ by more than their case).")
        taken.add(key.lower())
        rows[key] = row
    if not rows:
        raise DiffSignError(f"sheet '{path}' has a header but no rows; add one line for each {id_column}.")
    return rows
