"""Locate every part of a model family; parts that are missing are reported together."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from diffsign.config.family import ControlName, Family, WeightFile, Weights
from diffsign.errors import DiffSignError
from diffsign.models.locate import Finder, Location, MissingPart, WeightsNotFoundError
from diffsign.models.single_file import CONFIGS, unpacked
from diffsign.models.weights import DIFFUSERS_STEMS, TRANSFORMERS_STEMS, find_weights, index_names, weight_names

#: Folder inside the download to the names its weights may have.
Networks = dict[str, tuple[str, ...]]

#: A base whose configs fit most checkpoints in one file.
_EXAMPLE = "stable-diffusion-v1-5/stable-diffusion-v1-5"

#: Files of a base model beside the weights of its networks.
_BASE_FILES = ("model_index.json", "scheduler/*.json", "tokenizer*/*", "vae/config.json", "text_encoder_2/config.json")


@dataclass(frozen=True)
class Request:
    """The parts of a family that a run needs.

    Attributes:
        controls: names of the ControlNets.
        loras: names of the LoRAs.
        ip_adapter: whether the IP-Adapter and its image encoder are needed.
        motion_adapter: whether the motion module is needed.
        clip: whether the CLIP model that judges the result is needed.
    """

    controls: tuple[ControlName, ...]
    loras: tuple[str, ...] = ()
    ip_adapter: bool = True
    motion_adapter: bool = False
    clip: bool = False


@dataclass
class Locations:
    """Where the parts of a family are; None for a part that is not needed."""

    base: Location | None = None
    vae: Location | None = None
    controlnets: dict[ControlName, Location] = field(default_factory=dict[ControlName, Location])
    ip_adapter: Location | None = None
    image_encoder: Location | None = None
    loras: dict[str, Location] = field(default_factory=dict[str, Location])
    motion_adapter: Location | None = None
    clip: Location | None = None


def _download(finder: Finder, weights: Weights, what: str, key: str, networks: Networks, others: list[str]) -> Location:
    """Find a folder of networks, asking the hub for one naming of the weights after the other until all are there."""
    names = {folder: list(weight_names(stems, weights.variant).items()) for folder, stems in networks.items()}

    def complete(location: Location) -> bool:
        return location.commit is None or all(
            find_weights(location.path / folder, stems, weights.variant) is not None
            for folder, stems in networks.items()
        )

    location = None
    for level in range(max(map(len, names.values()))):
        patterns = list(others)
        for folder, choices in names.items():
            start = f"{folder}/" if folder else ""
            name, variant = choices[min(level, len(choices) - 1)]
            stem, _, suffix = name.rpartition(".")
            files = ["config.json", name, *index_names(name, variant), f"{stem}-*.{suffix}"]
            patterns += [start + file for file in files]
        location = finder.folder(weights, what, key, patterns)
        if complete(location):
            break
    assert location is not None
    return location


class PartFinder:
    """Looks for the parts of one family and collects those that are missing.

    Args:
        name: of the family, for the config keys in messages.
    """

    def __init__(self, name: str) -> None:
        self.name, self.finder = name, Finder()
        self.missing: list[MissingPart] = []

    def network(
        self,
        weights: Weights | None,
        what: str,
        key: str,
        stems: tuple[str, ...] | Networks,
        others: tuple[str, ...] = (),
    ) -> Location | None:
        """Return the folder of a network, or of several by subfolder; None if it is missing, or there is none."""
        if weights is None:
            return None
        networks: Networks = stems if isinstance(stems, dict) else {"": stems}
        return self._collect(lambda: _download(self.finder, weights, what, self._key(key), networks, list(others)))

    def file(self, weights: WeightFile, what: str, key: str) -> Location | None:
        """Return a file of weights; None if it is missing."""
        return self._collect(lambda: self.finder.file(weights, what, self._key(key)))

    def one_file(self, weights: Weights, what: str, key: str) -> Location | None:
        """Return the folder that a checkpoint in one file is laid out as; None if the configs of its kind are missing.

        Raises:
            DiffSignError: if no configs are named, or the file is of another kind.
        """
        file, named = Path(weights.id).expanduser(), self._key(key)
        if weights.config is None:
            raise DiffSignError(
                f"{named}: '{file}' is a checkpoint in one file, which does not say how it is built; name a base of "
                f"its kind (a folder, or a hub id such as {_EXAMPLE}) in {named}.config."
            )
        configs = Weights.model_validate(weights.config)
        where = self._collect(
            lambda: self.finder.folder(configs, f"the configs of {what}", f"{named}.config", list(CONFIGS))
        )
        return None if where is None else Location(unpacked(file, where.path, named))

    def _key(self, key: str) -> str:
        return f"families.{self.name}.{key}"

    def _collect(self, look: Callable[[], Location]) -> Location | None:
        try:
            return look()
        except WeightsNotFoundError as error:
            self.missing.append(error.part)
            return None

    def describe_missing(self) -> str:
        """Return what is missing, where to get it and where to put it, as one message."""
        reasons: dict[str, list[str]] = {}
        for part in self.missing:
            reasons.setdefault(part.reason, []).append(f"{part.what} '{part.id}'")
        gaps = "; ".join(f"{', '.join(parts)}: {reason}" for reason, parts in reasons.items())
        advice = f"set {', '.join(dict.fromkeys(part.key for part in self.missing))} in the config to local folders"
        if any(part.on_hub for part in self.missing):
            advice = (
                f"run `diffsign fetch {self.name}` where there is a network and copy its cache (HF_HOME) here, "
                f"or {advice}"
            )
        blame = f" The hub: {self.finder.unreachable}." if self.finder.unreachable else ""
        return f"model family '{self.name}' is not complete. Missing are {gaps}. To mend it, {advice}.{blame}"


def locate_parts(finder: PartFinder, family: Family, request: Request) -> Locations:
    """Find every requested part of a family; those that are missing are left in ``finder.missing``."""
    networks: Networks = {"unet": DIFFUSERS_STEMS, "text_encoder": TRANSFORMERS_STEMS}
    if family.vae is None:
        networks["vae"] = DIFFUSERS_STEMS
    second = [f"text_encoder_2/{name}" for name in list(weight_names(TRANSFORMERS_STEMS[:1], family.base.variant))[:1]]
    locations = Locations(
        base=finder.one_file(family.base, "the base model", "base")
        if Path(family.base.id).expanduser().is_file()
        else finder.network(family.base, "the base model", "base", networks, (*_BASE_FILES, *second)),
        vae=finder.network(family.vae, "the VAE", "vae", DIFFUSERS_STEMS),
    )
    for name in request.controls:
        net = finder.network(
            family.controlnets[name], f"the ControlNet for {name}", f"controlnets.{name}", DIFFUSERS_STEMS
        )
        if net is not None:
            locations.controlnets[name] = net
    adapter = family.ip_adapter if request.ip_adapter else None
    if adapter is not None:
        locations.ip_adapter = finder.file(adapter, f"the IP-Adapter {adapter.file} of", "ip_adapter")
        locations.image_encoder = finder.network(
            adapter.image_encoder,
            "the image encoder",
            "ip_adapter.image_encoder",
            TRANSFORMERS_STEMS,
            ("preprocessor_config.json",),
        )
    for name in request.loras:
        lora = finder.file(family.loras[name], f"the LoRA '{name}'", f"loras.{name}")
        if lora is not None:
            locations.loras[name] = lora
    if request.motion_adapter:
        locations.motion_adapter = finder.network(
            family.motion_adapter, "the motion module", "motion_adapter", DIFFUSERS_STEMS
        )
    if request.clip:
        locations.clip = finder.network(
            family.clip, "the CLIP that judges", "clip", TRANSFORMERS_STEMS, ("*.json", "*.txt")
        )
    return locations
