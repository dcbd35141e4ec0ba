"""The default body file as it comes with the package."""

from __future__ import annotations

import shutil
from pathlib import Path

from diffsign.files import atomic, require_file

#: What ``diffsign body build --rebuild`` writes; a first build takes a minute, most of it for Anny's own cache.
SHIPPED = Path(__file__).parents[1] / "weights" / "body" / "body.npz"


def copy_shipped(path: str | Path) -> Path:
    """Write the body file that comes with the package to ``path`` (``.npz``)."""
    with atomic(path) as temporary:
        shutil.copyfile(require_file(SHIPPED, "shipped body file"), temporary)
    return Path(path)
