"""Frames that know of each other: windows, noise on the surface, attention across frames."""

from types import SimpleNamespace

import diffusers
import numpy as np
import pytest
import torch

from diffsign.config.generate import GenerateSettings
from diffsign.errors import DiffSignError
from diffsign.generate.chunks import chunk_range
from diffsign.generate.encode import encode_signer
from diffsign.generate.generator import Generator
from diffsign.generate.noise import DENSITY, LatentGrid, SurfaceNoise
from diffsign.generate.sources import read_windows
from diffsign.generate.windows import batch_windows, key_frame_of, keyed_windows, overlapping_windows
from diffsign.models.sizing import Sizing
from diffsign.records.clip import iter_clip

CPU = {"device": "cpu", "batch_size": 2}
FRAMES = 5


def surface(board, channels=4, seed=0, factor=2):
    size = board.camera.width // factor
    grid = LatentGrid(board.camera, 0, 0, (1.0, 1.0), factor, size, size)
    return SurfaceNoise(board.faces, board.vertices(0), grid, channels, seed)


def whole(generator, clips, sizing):
    streams = {name: iter_clip(clips / f"{name}.mkv") for name in generator.controls}
    return np.stack(list(generator.frames(streams, FRAMES, range(FRAMES), sizing)))


def in_chunks(generator, clips, sizing, chunks):
    parts = []
    for chunk in range(1, chunks + 1):
        streams = {name: iter_clip(clips / f"{name}.mkv") for name in generator.controls}
        wanted = chunk_range(FRAMES, chunk, chunks, generator.settings.batch_size)
        parts += list(generator.frames(streams, FRAMES, wanted, sizing))
    return np.stack(parts)


@pytest.fixture(scope="module")
def worded(sd):
    return encode_signer(sd.fetch(), text="a woman in a red shirt", device="cpu")


# Windows


@pytest.mark.parametrize("total", [1, 2, 5, 15, 16, 17, 29, 72])
def test_shares_of_a_frame_sum_to_one(total):
    for windows in (batch_windows(total, 4), keyed_windows(total, 4, 3), overlapping_windows(total)):
        sums = np.zeros(total)
        for window in windows:
            assert len(set(window.frames)) == len(window.frames)
            np.add.at(sums, list(window.frames), window.shares)
        assert np.allclose(sums, 1)


def test_each_frame_sees_itself_the_first_and_its_key_frame():
    assert [key_frame_of(frame, 3) for frame in range(8)] == [0, 0, 0, 0, 3, 3, 0, 6]
    for window in keyed_windows(12, 2, 3):
        for frame, seen in zip(window.frames, window.attended, strict=True):
            assert [window.frames[place] for place in seen] == [frame, 0, key_frame_of(frame, 3)]


def test_windows_overlap_by_a_cross_fade():
    first, second = overlapping_windows(28)
    assert first.frames == tuple(range(16)) and second.frames == tuple(range(12, 28))
    assert first.shares[11:] == pytest.approx([1, 0.8, 0.6, 0.4, 0.2])
    assert second.shares[:5] == pytest.approx([0.2, 0.4, 0.6, 0.8, 1])


def test_a_clip_is_read_once_and_only_what_is_needed_stays():
    pictures = [np.full((1, 1, 3), n, np.uint8) for n in range(12)]
    windows = keyed_windows(12, 2, 3)[2:]
    read = list(read_windows({"pose": iter(pictures)}, windows))
    assert [[int(p.max()) for p in w["pose"]] for w in read] == [list(w.frames) for w in windows]
    with pytest.raises(DiffSignError, match="pose clip ends before frame 12"):
        list(read_windows({"pose": iter(pictures[:11])}, windows))


# Noise on the surface


def test_surface_noise_is_white_in_every_frame(board):
    board = board(step=0.013)  # by a fraction of a cell
    laid = []
    for seed in range(40):
        noise = surface(board, channels=8, seed=seed)
        assert len(noise.triangles) == pytest.approx(DENSITY * 16 * 16, rel=0.02)  # the board covers 16 × 16 cells
        laid.append(noise.over(torch.randn((8, 32, 32)), board.vertices(3)).numpy())
    laid = np.stack(laid)  # (40, 8, 32, 32): 320 independent pictures
    board_only = laid[:, :, 10:22, 10:22].reshape(320, 12, 12)
    assert abs(board_only.mean()) < 0.02 and abs(board_only.std() - 1) < 0.02
    for shifted in (np.roll(board_only, 1, axis=1)[:, 1:], np.roll(board_only, 1, axis=2)[:, :, 1:]):
        axis = 1 if shifted.shape[1] < 12 else 2
        still = board_only[:, 1:] if axis == 1 else board_only[:, :, 1:]
        assert abs(np.mean(still * shifted)) < 0.02  # neighbours have nothing in common
    assert np.abs(board_only.std(axis=0) - 1).max() < 0.2  # the same everywhere


def test_surface_noise_moves_with_the_surface(board):
    step = 2 * 2.0 / 64  # one latent: 2 pixels, each 2 m / 64 wide at the board's distance
    whole_latents = board(step=2 * step)
    noise = surface(whole_latents)
    background = torch.randn((4, 32, 32))
    first, second = (noise.over(background, whole_latents.vertices(frame)) for frame in (0, 1))
    on_board = slice(9, 22)
    assert torch.allclose(first[:, on_board, 9:18], second[:, on_board, 11:20], atol=1e-4)
    assert torch.equal(first[:, :7], background[:, :7])  # where no surface is, the noise stays
    half = board(step=step / 2)  # by half a latent: half of the noise stays
    third = surface(half).over(background, half.vertices(1))
    fourth = surface(half).over(background, half.vertices(0))
    common = np.corrcoef(third[:, on_board, on_board].numpy().ravel(), fourth[:, on_board, on_board].numpy().ravel())
    assert 0.35 < common[0, 1] < 0.65


def test_what_is_hidden_or_turned_away_carries_no_noise(board):
    board = board()
    behind = board.points - np.array([0, 0, 0.5], np.float32)
    both = SimpleNamespace(
        camera=board.camera,
        faces=np.concatenate([board.faces, board.faces + len(board.points)]),
        vertices=lambda _: np.concatenate([board.points, behind]),
    )
    noise = surface(both)
    seen, _ = noise.visible(both.vertices(0))
    assert len(seen) and (noise.triangles[seen] < len(board.faces)).mean() > 0.99
    turned = SimpleNamespace(camera=board.camera, faces=board.faces[:, ::-1], vertices=board.vertices)
    assert len(surface(turned).visible(board.vertices(0))[0]) == 0


def test_mesh_noise_needs_the_motion(sd, worded):
    with pytest.raises(DiffSignError, match="give --motion and --body"):
        Generator(sd.fetch(), worded, GenerateSettings(**CPU, noise="mesh"))


def test_mesh_noise_lies_where_the_clip_lies_in_the_picture(sd, worded, board):
    board = board(size=32)
    generator = Generator(sd.fetch(), worded, GenerateSettings(**CPU, noise="mesh"), board)
    sizing = Sizing.of(64, 32, generator.factor)  # twice as wide as the clip: black on both sides
    laid, _ = generator.noise([0], sizing)
    plain, _ = Generator(sd.fetch(), worded, GenerateSettings(**CPU)).noise([0], sizing)
    rows, columns = np.nonzero((laid != plain)[0].any(0).numpy())
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == (4, 11, 12, 19)


# Across frames


@pytest.mark.parametrize("settings", [{"noise": "mesh"}, {"temporal": "cross-frame", "key_every": 2}])
def test_chunks_change_no_pixel(sd, worded, clips, settings, board):
    generator = Generator(sd.fetch(), worded, GenerateSettings(**CPU, **settings), board(step=0.1))
    sizing = Sizing.of(24, 16, generator.factor)
    result = whole(generator, clips, sizing)
    for chunks in (2, 5):
        assert np.array_equal(in_chunks(generator, clips, sizing, chunks), result)
    plain = Generator(sd.fetch(), worded, GenerateSettings(**CPU))
    assert (whole(plain, clips, sizing) != result).any()


def test_frames_that_see_their_equals_see_nothing_new(sd, worded):
    """Attention over copies of oneself is attention over oneself: with one picture for all frames nothing changes."""
    random = np.random.default_rng(0)
    still = {name: [random.integers(0, 255, (16, 24, 3), dtype=np.uint8)] * 4 for name in ("pose", "canny")}
    results = []
    for temporal in ("none", "cross-frame"):
        settings = GenerateSettings(**CPU, temporal=temporal, key_every=2)
        generator = Generator(sd.fetch(), worded, settings)
        results.append(np.stack(list(generator.frames(still, 4, range(4), Sizing.of(24, 16, generator.factor)))))
    assert np.abs(results[0].astype(int) - results[1]).max() <= 1


def test_cross_frame_leaves_the_adapter_in_place(sd, picture, clips):
    signer = encode_signer(sd.fetch(), [picture], text="a man", device="cpu")
    made = []
    for scale in (0.0, 1.0):
        settings = GenerateSettings(**CPU, temporal="cross-frame", ip_adapter_scale=scale)
        generator = Generator(sd.fetch(), signer, settings)
        kinds = {name.split(".")[-2]: type(p).__name__ for name, p in generator.pipeline.unet.attn_processors.items()}
        assert kinds == {"attn1": "CrossFrameAttention", "attn2": "IPAdapterAttnProcessor2_0"}
        made.append(whole(generator, clips, Sizing.of(24, 16, generator.factor)))
    assert (made[0] != made[1]).any()


# AnimateDiff


@pytest.fixture(scope="module")
def moving(sd):
    return sd.fetch(motion_adapter_too=True)


@pytest.fixture
def short_windows(monkeypatch):
    """Windows of 3 that overlap by 1, so that 5 frames are more than one."""
    monkeypatch.setattr(
        "diffsign.generate.generator.overlapping_windows", lambda total: overlapping_windows(total, 3, 1)
    )


def test_animatediff_sees_pictures_controls_and_neighbours(sd, moving, picture, clips):
    signer = encode_signer(moving, [picture], text="a man", device="cpu")
    sizing = Sizing.of(24, 16, 2)
    made = {}
    for name, settings in {
        "all": {},
        "no picture": {"ip_adapter_scale": 0.0},
        "one control": {"controls": {"pose": 1.0}},
        "alone": {"temporal": "none", "noise": "frame"},
    }.items():
        generator = Generator(moving, signer, GenerateSettings(**CPU | {"temporal": "animatediff"} | settings))
        made[name] = whole(generator, clips, sizing)
        assert made[name].shape == (5, 16, 24, 3) and made[name].std() > 0
    for name in made.keys() - {"all"}:
        assert np.abs(made["all"].astype(int) - made[name]).max() > 4, name


def test_animatediff_is_the_same_in_chunks(moving, worded, clips, short_windows):
    generator = Generator(moving, worded, GenerateSettings(**CPU, temporal="animatediff"))
    assert len(generator.windows(5)) == 2
    sizing = Sizing.of(24, 16, generator.factor)
    result = whole(generator, clips, sizing)
    for chunks in (2, 5):
        assert np.array_equal(in_chunks(generator, clips, sizing, chunks), result)


def test_motion_modules_start_from_noise_of_each_frame():
    assert GenerateSettings(temporal="animatediff").starting_noise == "frame"
    assert GenerateSettings(temporal="animatediff", noise="shared").starting_noise == "shared"


def test_a_missing_or_foreign_motion_module_is_said(sd, sdxl, worded, own, clips):
    with pytest.raises(DiffSignError, match="no motion_adapter, which temporal: animatediff needs"):
        sd.fetch(motion_adapter_too=True, motion_adapter=None)
    with pytest.raises(DiffSignError, match="fetch it with --motion-adapter"):
        Generator(sd.fetch(), worded, GenerateSettings(**CPU, temporal="animatediff"))
    with pytest.raises(DiffSignError, match=r"Missing are the motion module '/nowhere'"):
        sd.fetch(motion_adapter_too=True, motion_adapter={"id": "/nowhere"})
    with pytest.raises(DiffSignError, match=r"Stable Diffusion 1\.x only"):
        sdxl.fetch(motion_adapter_too=True)
    with pytest.raises(DiffSignError, match="is a ControlNetModel; a MotionAdapter was expected"):
        sd.fetch(motion_adapter_too=True, motion_adapter={"id": str(sd.folder / "pose")})
    diffusers.MotionAdapter(
        block_out_channels=(32, 64, 64), motion_layers_per_block=1, motion_norm_num_groups=8
    ).save_pretrained(own.folder / "motion")
    with pytest.raises(DiffSignError, match=r"is for a UNet with channels \(32, 64, 64\) and 1 layers"):
        own.fetch(motion_adapter_too=True)
