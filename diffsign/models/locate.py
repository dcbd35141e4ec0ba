"""Find a folder or a file of weights: a local path, the package's own, the Hugging Face cache, or the hub."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from diffsign.config.family import PACKAGE, WeightFile, Weights, carried_folder
from diffsign.errors import DiffSignError


@dataclass(frozen=True)
class Location:
    """Where a part is on this machine.

    Attributes:
        path: folder or file.
        commit: of the hub's repository, if it came from there.
    """

    path: Path
    commit: str | None = None


@dataclass(frozen=True)
class MissingPart:
    """A part whose weights are not on this machine.

    Attributes:
        what: the part, in words.
        id: what the family names.
        key: config key that names it.
        reason: why it is not there.
        on_hub: whether the hub has it.
    """

    what: str
    id: str
    key: str
    reason: str
    on_hub: bool = False


class WeightsNotFoundError(Exception):
    """Carries a :class:`MissingPart` to where all missing parts are reported together."""

    def __init__(self, part: MissingPart) -> None:
        super().__init__(f"{part.what} '{part.id}': {part.reason}")
        self.part = part


def _snapshot(cached: Path, weights: Weights | WeightFile, what: str, key: str) -> Location:
    """Return the revision that is wanted of a repository in the layout of the hub's cache."""
    named = cached / "refs" / weights.revision
    commit = named.read_text(encoding="utf-8").strip() if named.is_file() else weights.revision
    root = cached / "snapshots" / commit
    if not root.is_dir():
        others = ", ".join(sorted(path.name for path in (cached / "snapshots").iterdir())) or "none"
        reason = f"the cache folder '{cached}' has no revision '{weights.revision}' (there are: {others})"
        raise WeightsNotFoundError(MissingPart(what, weights.id, key, reason))
    return Location(root.resolve(), commit)


@dataclass
class Finder:
    """Resolves what families name; goes to the network only for what is not on this machine.

    Attributes:
        unreachable: why the hub did not answer, after the first time that it did not; it is not asked again.
    """

    unreachable: str = field(default="")

    def folder(self, weights: Weights, what: str, key: str, patterns: list[str]) -> Location:
        """Return the local folder of ``weights``, its subfolder included.

        Args:
            weights: what the family names.
            what: the part, in words.
            key: config key that names it.
            patterns: files wanted, relative to the subfolder, as the hub's ``allow_patterns``.

        Raises:
            WeightsNotFoundError: if it is not there and cannot be downloaded.
        """
        prefix = f"{weights.subfolder}/" if weights.subfolder else ""
        root = self._root(weights, what, key, [prefix + pattern for pattern in patterns])
        folder = root.path / weights.subfolder
        if not folder.is_dir() and (root.path / "config.json").exists():
            folder = root.path  # a local folder that holds the network itself stands in for the hub's repository
        if not folder.is_dir():
            reason = f"'{root.path}' has no folder '{weights.subfolder}'"
            raise WeightsNotFoundError(MissingPart(what, weights.id, key, reason))
        return Location(folder, root.commit)

    def file(self, weights: WeightFile, what: str, key: str) -> Location:
        """Return the local path of one file of weights."""
        root = self._root(weights, what, key, [weights.file])
        path = root.path / weights.file
        if not path.is_file() and (root.path / path.name).is_file():
            path = root.path / path.name
        if not path.is_file():
            reason = f"'{root.path}' has no file '{weights.file}'"
            raise WeightsNotFoundError(MissingPart(what, weights.id, key, reason))
        return Location(path, root.commit)

    def _root(self, weights: Weights | WeightFile, what: str, key: str, patterns: list[str]) -> Location:
        if weights.id.startswith(PACKAGE):
            root = carried_folder(weights.id)
            if not root.is_dir():
                reason = "this copy of DiffSign does not carry it (`diffsign train-demo` makes it)"
                raise WeightsNotFoundError(MissingPart(what, weights.id, key, reason))
            return Location(root)
        path = Path(weights.id).expanduser()
        if (path / "snapshots").is_dir():
            return _snapshot(path, weights, what, key)
        if path.is_dir():
            return Location(path.resolve())
        if path.is_file():
            raise DiffSignError(f"{key}: '{path}' is a file; give the folder that holds it.")
        if path.is_absolute() or weights.id.startswith((".", "~")) or weights.id.count("/") != 1:
            raise WeightsNotFoundError(MissingPart(what, weights.id, key, f"there is no folder '{path}'"))
        return self._from_hub(weights, what, key, patterns)

    def _from_hub(self, weights: Weights | WeightFile, what: str, key: str, patterns: list[str]) -> Location:
        from huggingface_hub import (
            constants,
            snapshot_download,  # pyright: ignore[reportUnknownVariableType]
        )
        from huggingface_hub.errors import (
            GatedRepoError,
            HFValidationError,
            HTTPError,  # pyright: ignore[reportPrivateImportUsage]
            LocalEntryNotFoundError,
            OfflineModeIsEnabled,
            RepositoryNotFoundError,
            RevisionNotFoundError,
        )

        offline = bool(self.unreachable) or constants.HF_HUB_OFFLINE
        try:
            root = Path(
                snapshot_download(
                    weights.id, revision=weights.revision, allow_patterns=patterns, local_files_only=offline
                )
            )
            return Location(root, root.name)
        except GatedRepoError:
            reason = "the hub asks to accept its licence first (log in with `hf auth login`)"
        except RevisionNotFoundError:
            reason = f"the hub has no revision '{weights.revision}' of it"
        except RepositoryNotFoundError:
            reason = "the hub has no such repository, or it is private"
        except HFValidationError as error:
            raise DiffSignError(f"{key}: '{weights.id}' is no hub id (owner/name) and no folder: {error}.") from error
        except (LocalEntryNotFoundError, OfflineModeIsEnabled, HTTPError, OSError) as error:
            if not offline:
                self.unreachable = str(error).splitlines()[0] if str(error) else type(error).__name__
            reason = f"not in the Hugging Face cache ({constants.HF_HUB_CACHE}), and " + (
                "HF_HUB_OFFLINE is set" if constants.HF_HUB_OFFLINE else "the hub cannot be reached"
            )
        raise WeightsNotFoundError(MissingPart(what, weights.id, key, reason, on_hub=True))
