"""One reader for pictures: every kind of file comes out as a viewer shows it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image, ImageCms, features

from diffsign.errors import DiffSignError
from diffsign.records.picture import read_picture


@pytest.fixture
def colours() -> np.ndarray:
    """(48, 64, 3): red, green, blue and skin in quarters, so that orientation and order show."""
    picture = np.zeros((48, 64, 3), np.uint8)
    picture[:24, :32], picture[:24, 32:], picture[24:, :32], picture[24:, 32:] = (
        (255, 0, 0),
        (0, 255, 0),
        (0, 0, 255),
        (224, 172, 140),
    )
    return picture


def pixels(path: Path) -> np.ndarray:
    picture = read_picture(path)
    assert picture.mode == "RGB"
    return np.asarray(picture).astype(int)


@pytest.mark.parametrize("name", ["a.png", "a.bmp", "a.tiff", "a.gif", "a.ppm", "a.tga", "a.webp"])
def test_formats_without_loss(tmp_path, colours, name):
    Image.fromarray(colours).save(tmp_path / name, **({"lossless": True} if name == "a.webp" else {}))
    assert np.array_equal(pixels(tmp_path / name), colours)


@pytest.mark.parametrize(
    "name",
    [
        "a.jpg",
        pytest.param("a.avif", marks=pytest.mark.skipif(not features.check("avif"), reason="this Pillow has no AVIF")),
    ],
)
def test_formats_with_loss(tmp_path, colours, name):
    Image.fromarray(colours).save(tmp_path / name, quality=95)
    assert np.abs(pixels(tmp_path / name)[12, 16] - (255, 0, 0)).max() < 8


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("name", ["a.jpg", "a.png", "a.tiff"])
def test_upright_whatever_the_orientation_tag(tmp_path, colours, orientation, name):
    turned = {
        2: "FLIP_LEFT_RIGHT",
        3: "ROTATE_180",
        4: "FLIP_TOP_BOTTOM",
        5: "TRANSPOSE",
        6: "ROTATE_90",
        7: "TRANSVERSE",
        8: "ROTATE_270",
    }
    picture = Image.fromarray(colours)
    if orientation in turned:
        picture = picture.transpose(Image.Transpose[turned[orientation]])
    exif = Image.Exif()
    exif[0x0112] = orientation
    picture.save(tmp_path / name, exif=exif, **({"quality": 95, "subsampling": 0} if name == "a.jpg" else {}))
    assert (
        np.abs(
            pixels(tmp_path / name)[[12, 12, 36, 36], [16, 48, 16, 48]] - colours[[12, 12, 36, 36], [16, 48, 16, 48]]
        ).max()
        < 8
    )


@pytest.mark.parametrize(
    ("kind", "white"), [("uint16", 65535), ("int32", 65535), ("int32", 2**31 - 1), ("float32", 1), ("float32", 255)]
)
def test_grey_of_many_levels_is_scaled(tmp_path, kind, white):
    ramp = np.linspace(0, 1, 256)[None].repeat(32, 0)
    name = tmp_path / ("a.png" if kind == "uint16" else "a.tiff")
    Image.fromarray((ramp * white).astype(kind)).save(name)
    assert np.abs(pixels(name) - np.arange(256)[None, :, None]).max() <= 1


def test_transparency_is_over_white_in_every_mode(tmp_path):
    rgba = np.zeros((8, 8, 4), np.uint8)
    rgba[:4] = (224, 172, 140, 255)
    rgba[4:] = (0, 0, 0, 0)
    Image.fromarray(rgba).save(tmp_path / "a.png")
    Image.fromarray(rgba).convert("LA").save(tmp_path / "la.png")
    palette = Image.fromarray(rgba[..., :3]).quantize(4)
    palette.save(tmp_path / "p.gif", transparency=palette.getpixel((0, 7)))
    Image.fromarray(rgba[..., :3]).save(tmp_path / "key.png", transparency=(0, 0, 0))
    for name in ("a.png", "la.png", "p.gif", "key.png"):
        read = pixels(tmp_path / name)
        assert (read[5:] == 255).all(), name
        if name != "la.png":
            assert np.abs(read[:4] - (224, 172, 140)).max() <= 1, name
    half = np.full((4, 4, 4), (0, 0, 0, 128), np.uint8)
    Image.fromarray(half).save(tmp_path / "half.png")
    assert np.abs(pixels(tmp_path / "half.png") - 127).max() <= 1


def test_a_profile_is_converted_to_srgb(tmp_path, colours):
    """A profile with red and blue exchanged: whoever uses it sees blue where the numbers say red."""
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    swapped = srgb.replace(b"rXYZ", b"tmpT", 1).replace(b"bXYZ", b"rXYZ", 1).replace(b"tmpT", b"bXYZ", 1)
    Image.fromarray(colours).save(tmp_path / "a.png", icc_profile=swapped)
    assert np.abs(pixels(tmp_path / "a.png") - colours[..., ::-1]).max() <= 3
    Image.fromarray(colours).save(tmp_path / "srgb.png", icc_profile=srgb)
    assert np.abs(pixels(tmp_path / "srgb.png") - colours).max() <= 2
    Image.fromarray(np.dstack([colours, np.full((48, 64), 255, np.uint8)])).save(
        tmp_path / "b.png", icc_profile=swapped
    )
    assert np.abs(pixels(tmp_path / "b.png") - colours[..., ::-1]).max() <= 3


def test_a_profile_that_is_none_is_told_and_left_out(tmp_path, colours, caplog):
    Image.fromarray(colours).save(tmp_path / "a.png", icc_profile=b"no profile")
    assert np.array_equal(pixels(tmp_path / "a.png"), colours)
    assert "a.png" in caplog.text


def test_print_colours_and_bits(tmp_path, colours):
    Image.fromarray(colours).convert("CMYK").save(tmp_path / "a.jpg", quality=98)
    assert np.abs(pixels(tmp_path / "a.jpg")[12, 16] - (255, 0, 0)).max() < 12
    Image.fromarray(colours).convert("1").save(tmp_path / "b.png")
    assert set(np.unique(pixels(tmp_path / "b.png"))) <= {0, 255}
    Image.fromarray(colours).convert("LAB").save(tmp_path / "lab.tiff")
    assert pixels(tmp_path / "lab.tiff").shape == (48, 64, 3)


@pytest.mark.parametrize("name", ["a.jpg", "a.png", "a.gif", "a.webp", "a.bmp", "a.tiff"])
@pytest.mark.parametrize("share", [0.3, 0.9])
def test_a_picture_cut_short_is_refused(tmp_path, name, share):
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    Image.fromarray(noise).save(tmp_path / name)
    data = (tmp_path / name).read_bytes()
    (tmp_path / name).write_bytes(data[: int(len(data) * share)])
    with pytest.raises(DiffSignError) as error:
        read_picture(tmp_path / name, "reference picture")
    assert name in str(error.value) and "reference picture" in str(error.value)


@pytest.mark.parametrize("content", [b"", b"text", b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n"])
def test_what_is_no_picture_is_refused(tmp_path, content):
    (tmp_path / "a.png").write_bytes(content)
    with pytest.raises(DiffSignError, match=r"a\.png"):
        read_picture(tmp_path / "a.png")


def test_pixels_that_are_no_numbers_are_refused(tmp_path):
    Image.fromarray(np.full((8, 8), np.nan, np.float32)).save(tmp_path / "a.tiff")
    with pytest.raises(DiffSignError, match="non-finite"):
        read_picture(tmp_path / "a.tiff")


@pytest.mark.parametrize("kind", [np.float16, np.float32])
@pytest.mark.parametrize("planar", [False, True])
def test_colours_in_floating_point(tmp_path, colours, kind, planar):
    values = (colours / 255).astype(kind)
    layout = {"planarconfig": "separate"} if planar else {}
    tifffile.imwrite(tmp_path / "a.tif", np.moveaxis(values, -1, 0) if planar else values, photometric="rgb", **layout)
    assert np.abs(pixels(tmp_path / "a.tif").astype(int) - colours).max() <= 1


def test_of_an_animation_the_first_frame(tmp_path, colours):
    first, second = Image.fromarray(colours), Image.fromarray(255 - colours)
    for name, options in (("a.gif", {}), ("a.webp", {"lossless": True}), ("a.png", {})):
        first.save(tmp_path / name, save_all=True, append_images=[second], **options)
        assert np.abs(pixels(tmp_path / name).astype(int) - colours).max() <= 8


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(100), "is a HEIC picture"),
        (b"\0\0\0\x18ftypisom\0\0\2\0isomiso2" + bytes(100), "is a video"),
        (b'<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>', "is a drawing"),
        (b"%PDF-1.7 ...", "or a document"),
    ],
)
def test_other_kinds_are_told_apart(tmp_path, content, says):
    (tmp_path / "a.jpg").write_bytes(content)
    with pytest.raises(DiffSignError, match=says):
        read_picture(tmp_path / "a.jpg")
