"""One reader for every picture that a user brings: reference pictures, backgrounds, pictures of a subject.

Whatever the file holds comes out as a viewer shows it: upright, 8-bit sRGB, transparency over white.
"""

# Pillow's colour management comes without types.
# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false, reportUnknownArgumentType=false, reportUnknownVariableType=false

from __future__ import annotations

import io
import logging
from pathlib import Path

import numpy as np
from PIL import Image, ImageCms, ImageOps

from diffsign.errors import DiffSignError
from diffsign.files import require_file

log = logging.getLogger(__name__)

#: Formats that are opened. Others that Pillow knows start programs (EPS) or are not pictures of a person.
FORMATS = ("PNG", "JPEG", "WEBP", "AVIF", "GIF", "TIFF", "BMP", "PPM", "JPEG2000", "TGA")
#: What lies behind transparent pixels, in every stage.
BEHIND = "white"

_WIDE = ("I", "F", "I;16", "I;16L", "I;16B", "I;16N")


def _to_8_bit(picture: Image.Image) -> Image.Image:
    """Scale grey of 16 or 32 bits, or floats, to 8 bits.

    White is the largest value of the smallest range that holds all of the picture: 1 (floats only), 255, 65535 or what
    the type can hold. Whole numbers of 16 bits have one range only.
    """
    values = np.asarray(picture)
    if not np.isfinite(values).all():
        raise ValueError("it has non-finite pixels")
    largest = float(values.max(initial=0))
    ranges = (1.0, 255.0, 65535.0) if picture.mode == "F" else (65535.0, 2.0**31 - 1, 2.0**32 - 1)
    white = next((limit for limit in ranges if largest <= limit), largest)
    grey = Image.fromarray(np.rint(values.clip(0).astype(np.float64) * (255 / white)).astype(np.uint8))
    grey.info.update(picture.info)
    return grey


def _to_srgb(picture: Image.Image, path: Path) -> Image.Image:
    """Convert L, RGB, CMYK or LAB to RGB by the profile in the file; without one the numbers are taken as sRGB."""
    embedded = picture.info.get("icc_profile")
    srgb = ImageCms.createProfile("sRGB")
    if picture.mode == "LAB" and not embedded:
        converted = ImageCms.profileToProfile(picture, ImageCms.createProfile("LAB"), srgb, outputMode="RGB")
        return converted if converted is not None else picture.convert("RGB")
    if embedded:
        try:
            profile = ImageCms.ImageCmsProfile(io.BytesIO(embedded))
            converted = ImageCms.profileToProfile(picture, profile, srgb, outputMode="RGB")
            if converted is not None:
                return converted
        except (ImageCms.PyCMSError, OSError) as error:
            log.warning("The colour profile of '%s' cannot be used (%s); its colours are taken as sRGB.", path, error)
    return picture.convert("RGB")


def _decode(path: Path) -> Image.Image:
    Image.init()
    with Image.open(path, formats=[name for name in FORMATS if name in Image.OPEN]) as opened:
        opened.load()
        picture = ImageOps.exif_transpose(opened)
    if picture.mode in _WIDE:
        picture = _to_8_bit(picture)
    alpha = None
    if picture.has_transparency_data:
        profile = picture.info.get("icc_profile")
        picture = picture.convert("RGBA")
        alpha = picture.getchannel("A")
        picture = picture.convert("RGB")
        picture.info["icc_profile"] = profile
    elif picture.mode not in ("L", "RGB", "CMYK", "LAB"):
        profile = picture.info.get("icc_profile")
        picture = picture.convert("L" if picture.mode == "1" else "RGB")
        picture.info["icc_profile"] = profile
    colours = _to_srgb(picture, path)
    return colours if alpha is None else Image.composite(colours, Image.new("RGB", colours.size, BEHIND), alpha)


def read_picture(path: str | Path, what: str = "picture") -> Image.Image:
    """Read a picture as 8-bit sRGB, upright, transparency over white.

    EXIF orientation is applied; an ICC profile is converted to sRGB; grey of 16 or 32 bits and floats are scaled; of
    an animation the first frame is taken.

    Args:
        path: a file of one of :data:`FORMATS`.
        what: what the picture is to be, for the error.

    Returns:
        A picture of mode RGB; ``np.asarray`` of it is (H, W, 3) uint8.

    Raises:
        DiffSignError: if it is missing, cut short, damaged, or no picture of these formats.
    """
    path = require_file(path, what)
    try:
        return _decode(path)
    # Pillow's decoders raise whatever a damaged file makes of them: OSError, SyntaxError, struct.error, zlib.error, ….
    except Exception as error:
        raise DiffSignError(
            f"{what} '{path}' is not a picture that can be read ({error}); give a whole PNG, JPEG, WebP, AVIF or TIFF."
        ) from error
