"""Films for editors: transparency, rate and length, sound, subtitles, the signer in a corner of the source."""

import subprocess
from fractions import Fraction

import av
import numpy as np
import pytest

from diffsign.config.export import CutoutSettings, InsetSettings
from diffsign.config.ingest import IngestSettings
from diffsign.errors import DiffSignError
from diffsign.export import cutout, inset
from diffsign.export.timing import at_rate
from diffsign.ingest import stage as ingest
from diffsign.ingest.window import Trim, Window
from diffsign.records.clip import iter_clip, probe_clip, write_clip
from diffsign.records.ffmpeg import ffmpeg_command
from diffsign.records.placement import Placement, save_placement

SIGNER, BEHIND = (200, 40, 30), (20, 220, 60)
SRT = "1\n00:00:00,200 --> 00:00:00,600\nHello\n\n2\n00:00:00,800 --> 00:00:09,000\nZweite Zeile\n"


@pytest.fixture
def signer(tmp_path):
    """A clip of a red signer before green, half a second at 24 frames a second, and the mask of its avatar."""
    mask = np.zeros((96, 128, 3), np.uint8)
    mask[20:, 40:90] = 255
    frame = np.where(mask > 0, np.array(SIGNER), np.array(BEHIND)).astype(np.uint8)
    write_clip(tmp_path / "clip.mkv", [frame] * 12, 24.0)
    write_clip(tmp_path / "mask.mkv", [mask] * 12, 24.0)
    return tmp_path / "clip.mkv", tmp_path / "mask.mkv"


def pictures(film, pixels="rgba") -> np.ndarray:
    """(T, H, W, 4) uint8 of a film, opacity included."""
    decoder = ["-c:v", "libvpx-vp9"] if film.suffix == ".webm" else []
    info = probe_clip(film)
    command = ffmpeg_command(*decoder, "-i", film, "-map", "0:v", "-f", "rawvideo", "-pix_fmt", pixels, "-")
    raw = subprocess.run(command, capture_output=True, check=True).stdout
    return np.frombuffer(raw, np.uint8).reshape(-1, info.height, info.width, len(pixels))


@pytest.mark.parametrize("suffix", ["webm", "mov", "mkv"])
def test_what_the_avatar_does_not_cover_is_transparent(signer, tmp_path, suffix):
    film = tmp_path / f"out.{suffix}"
    cutout.run(cutout.Inputs(*signer), cutout.Outputs(film), CutoutSettings(edge=0.03))
    first = pictures(film)[0].astype(int)
    assert first[60, 65, 3] >= 254 and first[10, 10, 3] <= 1 and first[60, 10, 3] <= 1
    edge = first[60, 38:48]
    assert np.any((edge[:, 3] > 30) & (edge[:, 3] < 225)), "a soft edge"
    # Nothing of the green behind is in what is seen, nor beside it, where scaling would take it from.
    assert np.abs(first[30:, 36:94, :3] - SIGNER).max() <= 12


def test_a_mask_may_reach_further(signer, tmp_path):
    shares = []
    for grow in (-0.05, 0, 0.05):
        cutout.run(cutout.Inputs(*signer), cutout.Outputs(tmp_path / "a.mkv"), CutoutSettings(edge=0, grow=grow))
        shares.append((next(iter_clip(tmp_path / "a.mkv", alpha=True))[60, :, 3] > 127).sum())
    assert shares == [40, 50, 60]


def test_a_film_has_the_sources_rate_sound_and_subtitles(signer, tmp_path):
    save_placement(tmp_path / "placement.json", Placement(1, 1, 30000 / 1001, 15, 0.0, ((1, 0, 0), (0, 1, 0))))
    (tmp_path / "a.srt").write_text(SRT)
    source = tmp_path / "source.mp4"
    encode = ["-f", "lavfi", "-i", "testsrc=s=64x64:r=24:d=1.5", "-f", "lavfi", "-i", "sine=d=1.5"]
    beside = ["-i", tmp_path / "a.srt", "-c:s", "mov_text", "-metadata:s:s:0", "language=ger"]
    subprocess.run(ffmpeg_command(*encode, *beside, source), check=True)
    kept = ingest.Outputs(tmp_path / "in.mkv", audio=tmp_path / "a.mka", subtitles=tmp_path / "a.mks")
    ingest.run(ingest.Inputs(source, Window(Trim(0.5, 1.0))), kept, IngestSettings(height=64))
    assert probe_clip(kept.clip).frames == 12
    for suffix, sound, text in (("webm", "opus", "webvtt"), ("mov", "pcm_s16le", "mov_text")):
        film = tmp_path / f"out.{suffix}"
        given = cutout.Inputs(*signer, tmp_path / "placement.json", kept.audio, kept.subtitles)
        cutout.run(given, cutout.Outputs(film), CutoutSettings())
        with av.open(str(film)) as container:
            video, audio, subtitles = container.streams
            assert (audio.codec_context.name, subtitles.codec_context.name) == (sound, text)
            assert subtitles.language == "ger" and "Synthetic" in str(container.metadata)
            assert video.average_rate == pytest.approx(Fraction(30000, 1001), rel=1e-3)
            assert container.duration / av.time_base == pytest.approx(0.5, abs=0.03)
            packets = [packet for packet in container.demux(subtitles) if packet.size > 2]
            times = [float(packet.pts * packet.time_base) for packet in packets]
        # Of the first line 0.1 s are left; the second starts 0.3 s into the clip and ends with it.
        assert times == pytest.approx([0.0, 0.3], abs=0.02)
        assert len(pictures(film)) == 15


@pytest.mark.parametrize("rate", [12.0, 23.976, 25.0, 30000 / 1001, 50.0, 60.0])
def test_another_rate_keeps_the_length(rate):
    numbers = [int(frame) for frame in at_rate(iter(np.arange(48)), 24.0, rate)]
    assert len(numbers) == round(2 * rate)
    shown = [number / 24 for number in numbers]
    assert max(abs(t / rate - at) for t, at in enumerate(shown)) <= max(1 / 24, 1 / rate)
    assert list(at_rate(iter(np.arange(1)), 24.0, 5.0)) == [0]


@pytest.mark.parametrize(
    ("corner", "place"),
    [("bottom right", (75, 110)), ("top left", (20, 20)), ("top right", (20, 110)), ("bottom left", (75, 20))],
)
def test_the_signer_is_in_a_corner_of_the_source(signer, tmp_path, corner, place):
    write_clip(tmp_path / "source.mp4", [np.full((96, 128, 3), 90, np.uint8)] * 13, 25.0)
    given = inset.Inputs(signer[0], tmp_path / "source.mp4", signer[1])
    inset.run(given, inset.Outputs(tmp_path / "out.mkv"), InsetSettings(corner=corner))
    frames = list(iter_clip(tmp_path / "out.mkv"))
    assert len(frames) == 13 and probe_clip(tmp_path / "out.mkv").fps == 25
    changed = np.abs(frames[0].astype(int) - 90).max(-1) > 20
    assert changed[place] and changed.sum() == pytest.approx(0.4**2 * changed.size, rel=0.05)
    assert not changed[0].any() and not changed[:, 0].any(), "a margin"


def test_a_signer_who_is_cut_out_stands_on_the_edge(signer, tmp_path):
    write_clip(tmp_path / "source.mp4", [np.full((96, 128, 3), 90, np.uint8)] * 2, 25.0)
    given = inset.Inputs(signer[0], tmp_path / "source.mp4", signer[1])
    settings = InsetSettings(cut_out=True, size=0.8, corner="bottom left")
    inset.run(given, inset.Outputs(tmp_path / "out.mkv"), settings)
    frame = next(iter_clip(tmp_path / "out.mkv")).astype(int)
    assert np.abs(frame[-1] - SIGNER).max(-1).min() < 12 and np.abs(frame - BEHIND).max(-1).min() > 60


def test_masks_and_films_of_another_kind_are_refused(signer, tmp_path):
    with pytest.raises(DiffSignError, match=r"\.webm or \.mov"):
        cutout.run(cutout.Inputs(*signer), cutout.Outputs(tmp_path / "a.mp4"), CutoutSettings())
    write_clip(tmp_path / "short.mkv", [np.zeros((96, 128, 3), np.uint8)] * 3, 24.0)
    with pytest.raises(DiffSignError, match="3 frames"):
        cutout.run(
            cutout.Inputs(signer[0], tmp_path / "short.mkv"), cutout.Outputs(tmp_path / "a.mov"), CutoutSettings()
        )
    assert not list(tmp_path.glob("a.*"))


@pytest.mark.parametrize("size", [(96, 128), (720, 128)])
def test_colours_of_films_are_read_alike_by_every_player(tmp_path, size):
    """Tags say BT.709, whatever the size; without tags players would guess by it."""
    film = tmp_path / "a.mp4"
    write_clip(film, [np.full((*size, 3), SIGNER, np.uint8)] * 2, 24.0)
    with av.open(str(film)) as container:
        frame = next(container.decode(video=0))
        assert int(frame.colorspace) == 1 and frame.color_range == 1
    assert np.abs(next(iter_clip(film)).astype(int) - SIGNER).max() <= 4
