"""Face and hands refined at a larger size."""

import numpy as np
import pytest
from PIL import Image

from diffsign.config.generate import GenerateSettings
from diffsign.config.settings import parse
from diffsign.errors import DiffSignError
from diffsign.generate.chunks import chunk_range
from diffsign.generate.details import MARGIN, Refinement, Square, composite, crop, feather, part_squares
from diffsign.generate.encode import encode_signer
from diffsign.generate.generator import Generator
from diffsign.models.sampler import Sampling
from diffsign.models.sizing import Sizing
from diffsign.records.clip import iter_clip
from diffsign.records.keypoints import LEFT_HAND

CPU = {"device": "cpu", "batch_size": 2, "details_size": 64}


@pytest.fixture(scope="module")
def points(board):
    """An avatar that is 24×16 pixels, for its keypoints."""
    avatar = board()
    avatar.camera = avatar.camera.resized(24, 16)
    return avatar


def test_squares_follow_a_part_with_one_size_for_the_clip(points):
    points = points.keypoints()
    face, left, right = part_squares(points, ["hands", "face"], (24, 16))
    assert face.side == pytest.approx(4 * MARGIN) and np.allclose(face.centres, (12, 8)) and face.present.all()
    assert np.allclose(left.centres[:, 0], 3 + np.arange(5))
    assert not right.present.any()  # not a point of it is known
    assert not Square.around(points[:, LEFT_HAND] - (20, 0), 24, 16).present.any()  # outside the picture
    assert len(part_squares(points, ["face"], (24, 16))) == 1


def test_what_is_cut_out_lies_where_it_was():
    rows, columns = np.mgrid[:40, :60].astype(np.float32)
    picture = np.stack([rows / 40, columns / 60, (rows + columns) / 100], axis=-1)
    corner, side = np.array([12.3, 7.8]), 20.6
    patch = crop(picture, corner, side, 128)
    assert np.abs(composite(picture, patch, corner, side) - picture).max() < 0.003
    red = composite(picture, np.ones_like(patch), corner, side)
    changed = np.abs(red - picture).max(-1) > 1e-6
    where = np.argwhere(changed)
    assert (where.min(0) >= np.floor(corner[::-1]) - 1).all() and (where.max(0) <= np.ceil(corner[::-1] + side)).all()
    assert red[18, 22].min() == pytest.approx(1) and feather(50).max() == 1 and feather(50)[0].max() < 0.05


def test_only_the_parts_change_and_chunks_do_not_matter(tiny, clips, picture, points):
    manifest = tiny.fetch()
    signer = encode_signer(manifest, [picture], text="a man", device="cpu")

    def frames(generator, wanted):
        streams = {name: iter_clip(clips / f"{name}.mkv") for name in generator.controls}
        return list(generator.frames(streams, 5, wanted, Sizing.of(24, 16, generator.factor)))

    plain = Generator(manifest, signer, GenerateSettings(**CPU), points)
    drawn = Generator(manifest, signer, GenerateSettings(**CPU, details=["face", "hands"]), points)
    before, after = (np.stack(frames(generator, range(5))).astype(int) for generator in (plain, drawn))
    changed = (before != after).any(-1)
    assert changed[:, 6:10, 10:14].mean() > 0.9  # the face
    assert changed[:, 2, 3].any() and changed[4, 3, 7]  # the hand, which walks
    assert not changed[:, 13:].any() and not changed[:, :, 17:].any()
    parts = [frame for chunk in (1, 2, 3) for frame in frames(drawn, chunk_range(5, chunk, 3, 2))]
    assert np.array_equal(np.stack(parts), after)


@pytest.mark.parametrize(("steps", "strength", "taken"), [(1, 0.4, 3), (60, 0.4, 60), (10, 0.05, 20), (1, 1.0, 1)])
def test_at_least_one_step_is_taken(steps, strength, taken):
    refinement = Refinement(Sampling(steps, 1.0, (1.0,)), None, (), 64, strength, 0)
    assert refinement.steps == taken and int(taken * strength) >= 1


def test_what_details_need_is_said(sd):
    signer = encode_signer(sd.fetch(), text="a man", device="cpu")
    with pytest.raises(DiffSignError, match="give --motion and --body"):
        Generator(sd.fetch(), signer, GenerateSettings(device="cpu", details=["face"]))
    with pytest.raises(DiffSignError, match="frame by frame, which animatediff"):
        parse(GenerateSettings, {"details": ["face"], "temporal": "animatediff"}, "generate")
    with pytest.raises(DiffSignError, match=r"'details\.0' is 'feet': input should be 'face' or 'hands'"):
        parse(GenerateSettings, {"details": ["feet"]}, "generate")


def test_regions_hold_in_details_as_in_the_frame(sd, clips, picture, points, tmp_path):
    Image.fromarray(np.random.default_rng(9).integers(0, 255, (40, 40, 3), dtype=np.uint8)).save(tmp_path / "room.png")
    manifest = sd.fetch()
    both = encode_signer(manifest, [picture, tmp_path / "room.png"], device="cpu", regions=["signer", "background"])
    alone = encode_signer(manifest, [picture], device="cpu")
    made = []
    for signer, masks in ((both, np.full((5, 16, 24, 3), 255, np.uint8)), (alone, None)):
        generator = Generator(manifest, signer, GenerateSettings(**CPU, details=["face"]), points)
        streams = {name: iter_clip(clips / f"{name}.mkv") for name in generator.controls}
        made.append(next(generator.frames(streams, 5, range(1), Sizing.of(24, 16, generator.factor), masks)))
    around = np.s_[4:12, 8:16]  # the face, without the rim that is outside the mask when it is cut out
    assert np.abs(made[0][around].astype(int) - made[1][around]).max() <= 2
