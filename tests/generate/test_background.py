"""Another background behind the signer."""

import cv2
import numpy as np
import pytest
from typer.testing import CliRunner

from diffsign.avatar.cover import soft_cover
from diffsign.cli import app
from diffsign.config.generate import GenerateSettings
from diffsign.config.settings import parse
from diffsign.errors import DiffSignError
from diffsign.generate.background import backdrop, before_background
from diffsign.generate.encode import encode_signer
from diffsign.records.clip import read_clip, write_clip
from diffsign.records.conditioning import save_conditioning
from diffsign.records.manifest import save_manifest

FRAME = np.full((20, 40, 3), 200, np.uint8)


def half_masked(frames=1, width=40):
    mask = np.zeros((frames, 20, width, 3), np.uint8)
    mask[:, :, : width // 2] = 255
    return mask


def test_the_signer_stays_and_the_rest_is_replaced():
    picture = backdrop("#102030", 40, 20)
    for edge in (0.0, 0.1):
        (made,) = before_background([FRAME], half_masked(), range(1), picture, edge)
        assert (made[:, :15] == 200).all()
        assert (made[:, 22:] == [0x10, 0x20, 0x30]).all()


def test_the_edge_is_soft_and_falls_off():
    assert set(np.unique(soft_cover(half_masked()[0], 0))) == {0.0, 1.0}
    row = soft_cover(half_masked()[0], 3)[10, :, 0]
    assert (np.diff(row) <= 1e-6).all() and ((row > 0.05) & (row < 0.95)).sum() >= 2
    assert row[15] > 0.99 and row[22] < 0.01  # nothing beyond the outline


def test_masks_of_the_clip_are_laid_as_the_controls_are():
    picture = backdrop("#000000", 40, 20)
    masks = np.concatenate([np.zeros_like(half_masked(2, 20)), half_masked(1, 20)])
    (made,) = before_background([FRAME], masks, range(2, 3), picture, 0.0)  # frame 2 of the clip, square, centred
    assert (made[:, 10:20] == 200).all() and not made[:, :10].any() and not made[:, 20:].any()
    with pytest.raises(DiffSignError, match="mask ends before frame 4"):
        list(before_background([FRAME] * 2, masks, range(2, 4), picture, 0.0))


def test_a_picture_is_cut_to_size(tmp_path):
    cv2.imwrite(str(tmp_path / "wall.png"), np.full((10, 10, 3), (0, 0, 250), np.uint8))
    picture = backdrop(str(tmp_path / "wall.png"), 40, 20)
    assert picture.shape == (20, 40, 3) and (picture == [250, 0, 0]).all()


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"background": "transparent"}, "must be a colour written as"),
        ({"background_edge": 0.5}, "less than or equal to 0.1"),
        ({"width": 500}, "'width' is 500: input should be a multiple of 8"),
        ({"height": 8}, "'height' is 8: input should be greater than or equal to 64"),
        ({"seed": -1}, "'seed' is -1: input should be greater than or equal to 0"),
        ({"guidance_scale": 51}, "less than or equal to 50"),
        ({"temporal": "crossframe"}, "should be 'none', 'cross-frame' or 'animatediff'"),
        ({"noise": "meshes"}, "should be 'shared', 'mesh' or 'frame'"),
    ],
)
def test_bad_values_are_refused_with_what_is_allowed(values, sentence):
    with pytest.raises(DiffSignError, match=sentence):
        parse(GenerateSettings, values, "generate")


def test_the_command_puts_a_colour_behind(sd, clips, tmp_path):
    manifest, signer, out, mask = (tmp_path / n for n in ("tiny.json", "who.safetensors", "out.mkv", "mask.mkv"))
    save_manifest(manifest, sd.fetch())
    save_conditioning(signer, encode_signer(sd.fetch(), text="a man", device="cpu"))
    masks = np.zeros((5, 16, 24, 3), np.uint8)
    masks[:, :, :12] = 255
    write_clip(mask, masks, 24)
    arguments = ["generate", manifest, signer, out, "--pose", clips / "pose.mkv", "--canny", clips / "canny.mkv"]
    arguments += ["--background", "#0a141e", "--background-edge", 0]

    def run(*more):
        return CliRunner().invoke(app, [str(a) for a in (*arguments, *more)], catch_exceptions=False)

    assert run("--mask", mask).exit_code == 0
    made = read_clip(out)[0]
    assert (made[:, :, 12:] == [10, 20, 30]).all() and made[:, :, :12].std() > 0
    with pytest.raises(DiffSignError, match="give the avatar's mask with --mask"):
        run()
    write_clip(mask, masks[:3], 24)
    with pytest.raises(DiffSignError, match="24×16 with 3 frames, the control clips are 24×16 with 5"):
        run("--mask", mask)
