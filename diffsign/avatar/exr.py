"""Reading the OpenEXR files that Blender writes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import OpenEXR


def read_exr(path: str | Path) -> dict[str, np.ndarray]:
    """Read an OpenEXR file of one part.

    Args:
        path: the file.

    Returns:
        Every channel by its name without the layer (``Combined.R`` for ``ViewLayer.Combined.R``), (H, W) in the type
        that it is stored in.

    Raises:
        ValueError: if the file is no OpenEXR file or is cut short.
    """
    try:
        with OpenEXR.File(str(path), separate_channels=True) as file:
            channels = {name.split(".", 1)[-1]: channel.pixels for name, channel in file.channels().items()}
    except (RuntimeError, KeyError) as error:
        raise ValueError(f"'{path}' cannot be read as OpenEXR: {error}") from error
    return channels
