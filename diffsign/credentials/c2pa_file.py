"""Content credentials of a film, written and read with the C2PA library."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from diffsign import __version__
from diffsign.credentials.statement import LABEL
from diffsign.errors import DiffSignError
from diffsign.files import require_file

#: IPTC's word for pictures that a trained model made.
SOURCE_TYPE = "http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia"
#: The same, where recorded pictures stand beside them.
COMPOSITE_TYPE = "http://cv.iptc.org/newscodes/digitalsourcetype/compositeWithTrainedAlgorithmicMedia"
#: Films that carry credentials, with their media types.
SIGNED = {".mp4": "video/mp4", ".mov": "video/quicktime"}


@dataclass(frozen=True)
class Found:
    """Credentials that were found in a film.

    Attributes:
        state: ``trusted`` (unchanged, and the issuer is one that is trusted), ``valid`` (unchanged, issuer unknown) or
            ``invalid`` (changed since it was signed).
        issuer: organisation of the certificate.
        problems: the library's codes of what is wrong.
        statement: what DiffSign stated; None if somebody else signed the film.
    """

    state: Literal["trusted", "valid", "invalid"]
    issuer: str
    problems: tuple[str, ...]
    statement: dict[str, Any] | None


def sign(
    film: Path,
    out: Path,
    title: str,
    stated: dict[str, Any],
    certificate: Path,
    key: Path,
    *,
    composite: bool = False,
) -> None:
    """Write a copy of a film that carries signed credentials.

    Args:
        film: a film of a kind in :data:`SIGNED`.
        out: the copy.
        title: of the film.
        stated: what DiffSign states.
        certificate: chain (PEM).
        key: its private key (PEM).
        composite: whether there are recorded pictures beside the generated ones.

    Raises:
        DiffSignError: if the certificate or its key cannot be used.
    """
    import c2pa

    software = {"name": "DiffSign", "version": __version__}
    manifest = {
        "claim_generator_info": [software],
        "title": title,
        "format": SIGNED[film.suffix],
        "assertions": [
            {
                "label": "c2pa.actions.v2",
                "data": {
                    "actions": [
                        {
                            "action": "c2pa.created",
                            "digitalSourceType": COMPOSITE_TYPE if composite else SOURCE_TYPE,
                            "softwareAgent": software,
                        }
                    ]
                },
            },
            {"label": LABEL, "data": stated},
        ],
    }
    chain, private = (
        require_file(path, what).read_bytes() for path, what in ((certificate, "certificate"), (key, "key"))
    )
    try:
        info = c2pa.C2paSignerInfo(c2pa.C2paSigningAlg.ES256, chain, private, None)
        c2pa.Builder(manifest).sign_file(film, out, c2pa.Signer.from_info(info))
    except c2pa.C2paError as error:
        raise DiffSignError(
            f"the certificate '{certificate}' and its key '{key}' cannot sign: {error}; a chain in PEM with the "
            "signing certificate first and an unencrypted ES256 key were expected (diffsign certificate makes both)."
        ) from error


def read(film: Path, trusted: Path | None = None) -> Found | None:
    """Return the credentials of a film, None if it carries none.

    Args:
        film: the film.
        trusted: certificates (PEM) whose films are trusted.

    Raises:
        DiffSignError: if the film is missing or of no kind that carries credentials.
    """
    import c2pa

    film = require_file(film, "film")
    settings: dict[str, Any] = {"verify": {"verify_trust": trusted is not None}}
    if trusted is not None:
        settings["trust"] = {"user_anchors": require_file(trusted, "certificate").read_text(encoding="utf-8")}
    try:
        reader = c2pa.Reader(film, context=c2pa.Context(c2pa.Settings.from_dict(settings)))
        report = json.loads(reader.json())
        state = str(reader.get_validation_state()).lower()
    except c2pa.C2paError as error:
        if "ManifestNotFound" in type(error).__name__ or "no JUMBF data" in str(error):
            return None
        raise DiffSignError(f"the content credentials of '{film}' cannot be read: {error}.") from error
    manifest = report["manifests"][report["active_manifest"]]
    stated = [entry["data"] for entry in manifest["assertions"] if entry["label"] == LABEL]
    problems = tuple(entry["code"] for entry in report.get("validation_status", []) if "untrusted" not in entry["code"])
    return Found(
        state="invalid" if state == "invalid" or problems else "trusted" if state == "trusted" else "valid",
        issuer=manifest.get("signature_info", {}).get("issuer", "unknown"),
        problems=problems,
        statement=stated[0] if stated else None,
    )
