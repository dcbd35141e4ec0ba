"""Find a folder or a file of weights: a local path, the package's own, the Hugging Face cache, or the hub."""

from __future__ import annotations

from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path

from diffsign.config.family import PACKAGE, WeightFile, Weights
from diffsign.errors import DiffSignError


@dataclass
class Missing:
    """A part that is not at hand.

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
    on_hub: bool


class NotAtHand(Exception):  # noqa: N818
    """Carries a :class:`Missing` to where all of them are told together."""

    def __init__(self, missing: Missing) -> None:
        super().__init__(missing.what)
        self.missing = missing


@dataclass
class Finder:
    """Resolves what families name; goes to the network only for what is not on this machine.

    Attributes:
        unreachable: why the hub did not answer, after the first time that it did not; it is not asked again.
    """

    unreachable: str = field(default="")

    def folder(self, weights: Weights, what: str, key: str, patterns: list[str]) -> tuple[Path, str | None]:
        """Return the local folder of ``weights`` (with its subfolder) and the hub's commit, if it came from there.

        Args:
            weights: what the family names.
            what: the part, in words.
            key: config key that names it.
            patterns: files wanted, relative to the subfolder, as the hub's ``allow_patterns``.

        Raises:
            NotAtHand: if it is not there and cannot be had.
        """
        prefix = f"{weights.subfolder}/" if weights.subfolder else ""
        root, commit = self._root(weights, what, key, [prefix + pattern for pattern in patterns])
        folder = root / weights.subfolder
        if not folder.is_dir() and (root / "config.json").exists():
            folder = root  # a local folder that holds the network itself stands in for the hub's repository
        if not folder.is_dir():
            raise NotAtHand(
                Missing(what, weights.id, key, f"'{root}' has no folder '{weights.subfolder}'", on_hub=False)
            )
        return folder, commit

    def file(self, weights: WeightFile, what: str, key: str) -> tuple[Path, str | None]:
        """Return the local path of one file of weights and the hub's commit."""
        root, commit = self._root(weights, what, key, [weights.file])
        path = root / weights.file
        if not path.is_file() and (root / path.name).is_file():
            path = root / path.name
        if not path.is_file():
            raise NotAtHand(Missing(what, weights.id, key, f"'{root}' has no file '{weights.file}'", on_hub=False))
        return path, commit

    def _root(self, weights: Weights | WeightFile, what: str, key: str, patterns: list[str]) -> tuple[Path, str | None]:
        if weights.id.startswith(PACKAGE):
            root = Path(str(resources.files("diffsign"))) / weights.id.removeprefix(PACKAGE)
            if not root.is_dir():
                reason = "this copy of DiffSign does not carry it (`diffsign train` makes it)"
                raise NotAtHand(Missing(what, weights.id, key, reason, on_hub=False))
            return root, None
        path = Path(weights.id).expanduser()
        if path.is_dir():
            return path.resolve(), None
        if path.is_file():
            raise DiffSignError(f"{key}: '{path}' is a file; give the folder that holds it.")
        if path.is_absolute() or weights.id.startswith((".", "~")) or weights.id.count("/") != 1:
            raise NotAtHand(Missing(what, weights.id, key, f"there is no folder '{path}'", on_hub=False))
        return self._from_hub(weights, what, key, patterns)

    def _from_hub(
        self, weights: Weights | WeightFile, what: str, key: str, patterns: list[str]
    ) -> tuple[Path, str | None]:
        from huggingface_hub import constants, snapshot_download
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
            return root, root.name
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
        raise NotAtHand(Missing(what, weights.id, key, reason, on_hub=True))
