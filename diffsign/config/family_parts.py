"""Which parts of a model family are fetched together, and what the manifest is called that says where they are."""

from __future__ import annotations

import functools
import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from diffsign.config.family import Family
from diffsign.config.generate import FetchSettings
from diffsign.config.schema import Config
from diffsign.config.settings import given, to_flags
from diffsign.config.sheets import SignerRow


@dataclass(frozen=True)
class FamilyParts:
    """Parts of a model family that are used together. Whatever else is used, their manifest stays as it is.

    Attributes:
        config: of the run.
        family: the family's name.
        needed: which of its parts.
    """

    config: Config
    family: str
    needed: FetchSettings

    @classmethod
    def of_signers(cls, config: Config, family: str, rows: Sequence[SignerRow]) -> FamilyParts:
        """Return what signers of a family need to be encoded, generated and judged."""
        presets = config.resolved_family(family).presets
        loras = {name for row in rows for name in row.loras if name not in config.subjects}
        loras |= {lora for row in rows if row.preset is not None and (lora := presets[row.preset].lora)}
        needed = FetchSettings(
            controls=sorted({name for row in rows for name in config.controls_of(family, row)}),
            loras=sorted(loras),
            ip_adapter=any(row.image for row in rows),
            clip=True,
            preset=config.generate.preset,
            motion_adapter=config.generate.temporal == "animatediff",
        )
        return cls(config, family, needed)

    @property
    def definition(self) -> Family:
        """The family, with the config's entry laid over the built-in one."""
        return self.config.resolved_family(self.family)

    @functools.cached_property
    def name(self) -> str:
        """Name of their manifest: the family's, and a digest of what it is and of what is needed."""
        said = f"{self.definition.model_dump_json()}{self.needed.model_dump_json()}"
        return f"{self.family}-{hashlib.sha256(said.encode()).hexdigest()[:8]}"

    @property
    def manifest(self) -> str:
        """Where their manifest is written."""
        return f"{self.config.resources}/families/{self.name}.json"

    @property
    def fetch_memory(self) -> int:
        """Megabytes that finding them takes: a base in one file is read whole, and written as the networks it holds."""
        base = Path(self.definition.base.id).expanduser()
        return 2000 + (3 * base.stat().st_size >> 20 if base.is_file() else 0)

    def fetch_flags(self) -> list[str]:
        """Return the config's entry of the family, and which of its parts are needed."""
        entry = self.config.families.get(self.family)
        return [*given(definition=json.dumps(entry) if entry else None), *to_flags(self.needed)]
