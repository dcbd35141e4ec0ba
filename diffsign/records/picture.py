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
from PIL import Image, ImageCms, ImageOps, UnidentifiedImageError

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


def _decode_float_tiff(path: Path) -> Image.Image:
    """Read floating-point colours, white 1, which Pillow leaves out; raise as Pillow does if it is something else."""
    import tifffile

    with path.open("rb") as stream:
        if stream.read(4) not in (b"II*\0", b"MM\0*"):
            raise UnidentifiedImageError("its content is of none of these formats")
    values = tifffile.imread(path).astype(np.float64)
    if values.ndim == 3 and values.shape[0] in (3, 4) and values.shape[2] not in (3, 4):
        values = np.moveaxis(values, 0, -1)
    if values.ndim not in (2, 3) or (values.ndim == 3 and values.shape[2] not in (3, 4)):
        raise UnidentifiedImageError(f"its pixels are of shape {values.shape}")
    if not np.isfinite(values).all():
        raise ValueError("it has non-finite pixels")
    white = 1.0 if values[..., :3].max(initial=0) <= 1 else float(values[..., :3].max())
    values[..., :3] /= white
    return Image.fromarray(np.rint(255 * values.clip(0, 1)).astype(np.uint8))


def _decode(path: Path) -> Image.Image:
    Image.init()
    try:
        with Image.open(path, formats=[name for name in FORMATS if name in Image.OPEN]) as opened:
            opened.load()
            picture = ImageOps.exif_transpose(opened)
    except UnidentifiedImageError:
        picture = _decode_float_tiff(path)
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


def _of_another_kind(path: Path) -> str | None:
    """Return what to do about a file that is none of :data:`FORMATS`, by how it begins; None if that says nothing."""
    with path.open("rb") as stream:
        start = stream.read(256)
    if start[4:8] == b"ftyp" and start[8:12] in (b"heic", b"heix", b"hevc", b"heim", b"heis", b"mif1", b"msf1"):
        return "is a HEIC picture, as phones take them; export it as JPEG"
    if (start[4:8] == b"ftyp" and start[8:12] not in (b"avif", b"avis")) or start[:4] == b"\x1a\x45\xdf\xa3":
        return "is a video; take a picture out of it and save that as PNG"
    if b"<svg" in start or start[:4] in (b"%PDF", b"8BPS") or start[:2] == b"%!":
        return "is a drawing or a document and no picture; export it as PNG"
    return None


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
    except UnidentifiedImageError as error:
        advice = _of_another_kind(path) or (
            f"is not a picture that can be read ({error}); give a whole PNG, JPEG, WebP, AVIF or TIFF"
        )
        raise DiffSignError(f"{what} '{path}' {advice}.") from error
    except Image.DecompressionBombError as error:
        raise DiffSignError(f"{what} '{path}' is too large ({error}); scale it down.") from error
    # Pillow's decoders raise whatever a damaged file makes of them: OSError, SyntaxError, struct.error, zlib.error, ….
    except Exception as error:
        raise DiffSignError(
            f"{what} '{path}' is not a picture that can be read ({error}); give a whole PNG, JPEG, WebP, AVIF or TIFF."
        ) from error
