"""Ingest, on small videos that ffmpeg draws for the occasion."""

from __future__ import annotations

import struct
import subprocess
import wave
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from diffsign.config.ingest import IngestSettings
from diffsign.errors import DiffSignError
from diffsign.ingest.source import probe_source
from diffsign.ingest.stage import Inputs, Outputs, run
from diffsign.ingest.window import Crop, Trim, Window, fit_inside, parse_crop, parse_time
from diffsign.records.clip import ClipWriter, probe_clip, read_clip
from diffsign.records.ffmpeg import ffmpeg_binary, ffmpeg_version

SMALL = IngestSettings(fps=24, height=64, bars="keep")


def ingest_video(
    path: Path,
    clip: Path,
    settings: IngestSettings = SMALL,
    *,
    audio: Path | None = None,
    preview: Path | None = None,
    **window: Any,
) -> int:
    """Ingest and return the number of frames."""
    given = {name: value for name, value in window.items() if value is not None}
    line = run(Inputs(path, Window(**given)), Outputs(clip, audio, preview), settings)
    return int(line.rpartition(": ")[2].split()[0])


def ffmpeg(*arguments: object) -> None:
    subprocess.run([ffmpeg_binary(), "-v", "error", "-y", *map(str, arguments)], check=True)


def drawn(
    path: Path, *options: object, size: str = "96x72", rate: float = 25, seconds: float = 2, vf: str = "null"
) -> Path:
    """Write a test pattern; the codec follows the container."""
    source = f"testsrc=size={size}:rate={rate}:duration={seconds}"
    ffmpeg("-f", "lavfi", "-i", source, "-vf", vf, "-pix_fmt", "yuv420p", *options, path)
    return path


def quadrants(path: Path, size: str, *options: object, vf: str = "null") -> Path:
    """Write a second of red, green, blue and white quarters (top left, top right, bottom left, bottom right)."""
    width, height = (int(v) for v in size.split("x"))
    half = f"{width // 2}x{height // 2}"
    colours = [
        part for c in ("red", "lime", "blue", "white") for part in ("-f", "lavfi", "-i", f"color={c}:s={half}:r=24:d=1")
    ]
    graph = f"[0][1]hstack[t];[2][3]hstack[b];[t][b]vstack,{vf}"
    ffmpeg(*colours, "-filter_complex", graph, "-pix_fmt", "yuv420p", *options, path)
    return path


def corners(frame: np.ndarray) -> list[str]:
    """Name the colours at the middle of each quarter."""
    names = {(1, 0, 0): "red", (0, 1, 0): "lime", (0, 0, 1): "blue", (1, 1, 1): "white", (0, 0, 0): "black"}
    height, width = frame.shape[:2]
    points = [
        (height // 4, width // 4),
        (height // 4, 3 * width // 4),
        (3 * height // 4, width // 4),
        (3 * height // 4, 3 * width // 4),
    ]
    return [names[tuple(int(v > 127) for v in frame[point])] for point in points]


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("a.mp4", []),
        ("a.webm", ["-c:v", "libvpx"]),
        ("a.avi", ["-c:v", "mpeg4"]),
        ("a.mov", ["-c:v", "prores"]),
        pytest.param(
            *("a.ts", ["-c:v", "mpeg2video"]),
            marks=pytest.mark.skipif(
                ffmpeg_version().endswith("-static"), reason="this ffmpeg crashes on transport streams"
            ),
        ),
        ("a.gif", ["-pix_fmt", "pal8"]),
    ],
)
def test_containers_and_codecs(tmp_path: Path, name: str, options: list[str]) -> None:
    frames = ingest_video(drawn(tmp_path / name, *options), tmp_path / "clip.mkv", SMALL)
    info = probe_clip(tmp_path / "clip.mkv")
    assert (info.width, info.height, info.fps) == (88, 64, 24)
    assert frames == info.frames == 48


def test_lossless_and_same_bits(tmp_path: Path) -> None:
    source = tmp_path / "a.avi"
    ffmpeg("-f", "lavfi", "-i", "testsrc=size=64x64:rate=24:duration=0.5", "-c:v", "ffv1", "-pix_fmt", "bgr0", source)
    for name in ("one.mkv", "two.mkv"):
        ingest_video(source, tmp_path / name, SMALL)
    np.testing.assert_array_equal(read_clip(tmp_path / "one.mkv")[0], read_clip(source)[0])
    assert (tmp_path / "one.mkv").read_bytes() == (tmp_path / "two.mkv").read_bytes()


def test_variable_rate_keeps_time(tmp_path: Path) -> None:
    """A picture that turns white at 1.5 s of an irregular video does so in frame 36 of the clip."""
    source = tmp_path / "vfr.mkv"
    ffmpeg(
        *("-f", "lavfi", "-i", "color=black:s=64x64:r=100:d=3"),
        *("-vf", "geq=lum='if(gte(T,1.5),255,0)':cb=128:cr=128,select='lt(mod(n,25),3)+eq(n,150)'"),
        *("-fps_mode", "vfr", "-c:v", "libx264", "-pix_fmt", "yuv420p", source),
    )
    ingest_video(source, tmp_path / "clip.mkv", SMALL)
    frames, info = read_clip(tmp_path / "clip.mkv")
    assert info.fps == 24
    white = frames.mean(axis=(1, 2, 3)) > 127
    assert list(white) == [False] * 36 + [True] * (len(white) - 36)


def turned(source: Path, target: Path, angle: int) -> None:
    """Copy an .mp4 with a track header that asks players to turn it counter-clockwise (ISO 14496-12, 6.2.2)."""
    data = bytearray(source.read_bytes())
    matrix = data.index(b"tkhd") + 4 + 40
    cos, sin = {90: (0, -1), -90: (0, 1), 180: (-1, 0)}[angle]
    data[matrix : matrix + 36] = struct.pack(">9i", *(v << 16 for v in (cos, sin, 0, -sin, cos, 0, 0, 0)), 1 << 30)
    target.write_bytes(data)


@pytest.mark.parametrize(
    ("angle", "expected"), [(90, "lime white red blue"), (-90, "blue red white lime"), (180, "white blue lime red")]
)
def test_rotation_metadata(tmp_path: Path, angle: int, expected: str) -> None:
    flat = quadrants(tmp_path / "flat.mp4", "128x64")
    turned(flat, tmp_path / "turned.mp4", angle)
    ingest_video(tmp_path / "turned.mp4", tmp_path / "clip.mkv", SMALL)
    frames, info = read_clip(tmp_path / "clip.mkv")
    assert (info.width, info.height) == ((128, 64) if angle == 180 else (32, 64))
    assert corners(frames[0]) == expected.split()


def test_pixels_that_are_not_square(tmp_path: Path) -> None:
    """A white square stored on pixels twice as wide as high comes out twice as wide as high."""
    source = tmp_path / "wide.mp4"
    ffmpeg(
        "-f",
        "lavfi",
        "-i",
        "color=black:s=64x64:r=24:d=0.2",
        "-vf",
        "drawbox=16:16:32:32:white:fill,setsar=2",
        "-pix_fmt",
        "yuv420p",
        source,
    )
    assert probe_source(source).pixel_aspect == 2
    ingest_video(source, tmp_path / "clip.mkv", SMALL)
    frame = read_clip(tmp_path / "clip.mkv")[0][0]
    assert frame.shape == (64, 128, 3)
    bright = frame[..., 0] > 127
    assert abs(bright.any(axis=0).sum() - 64) <= 2
    assert abs(bright.any(axis=1).sum() - 32) <= 2


def test_portrait_in_a_given_width_gets_bars(tmp_path: Path) -> None:
    source = quadrants(tmp_path / "p.mp4", "64x128")
    ingest_video(source, tmp_path / "clip.mkv", IngestSettings(fps=24, height=64, width=96, bars="keep"))
    frame = read_clip(tmp_path / "clip.mkv")[0][0]
    assert frame.shape == (64, 96, 3)
    assert frame[:, :31].max() < 40
    assert frame[:, 65:].max() < 40
    assert corners(frame[:, 32:64]) == ["red", "lime", "blue", "white"]


@pytest.mark.parametrize("size", ["51x77", "333x21", "17x301"])
def test_odd_sizes(tmp_path: Path, size: str) -> None:
    source = tmp_path / "odd.mkv"
    ffmpeg("-f", "lavfi", "-i", f"testsrc=size={size}:rate=24:duration=0.1", "-c:v", "ffv1", source)
    ingest_video(source, tmp_path / "clip.mkv", SMALL, preview=tmp_path / "clip.mp4")
    info = probe_clip(tmp_path / "clip.mkv")
    assert info.height == 64
    assert info.width % 8 == 0
    assert probe_clip(tmp_path / "clip.mp4").width == info.width


@pytest.mark.parametrize("width", range(1, 200, 7))
@pytest.mark.parametrize("clip_width", [None, 64, 320])
def test_fit_never_distorts_nor_overflows(width: int, clip_width: int | None) -> None:
    layout = fit_inside(width, 90, Fraction(4, 3), 64, clip_width)
    assert layout.outer[0] % 8 == 0
    assert layout.inner[0] <= layout.outer[0]
    assert layout.inner[1] <= layout.outer[1] == 64
    scale = min(layout.outer[0] / (width * 4 / 3), 64 / 90)
    assert abs(layout.inner[0] - width * 4 / 3 * scale) <= 1
    assert abs(layout.inner[1] - 90 * scale) <= 1


@pytest.mark.parametrize("rate", [1, 24, 60, 120])
def test_one_frame(tmp_path: Path, rate: int) -> None:
    source = drawn(tmp_path / "one.mp4", "-frames:v", 1, rate=rate)
    assert ingest_video(source, tmp_path / "clip.mkv", SMALL) >= 1
    assert len(read_clip(tmp_path / "clip.mkv")[0]) == (24 if rate == 1 else 1)


def test_crop_and_trim(tmp_path: Path) -> None:
    source = quadrants(tmp_path / "q.mp4", "128x64")
    frames = ingest_video(source, tmp_path / "clip.mkv", SMALL, trim=Trim(0.25, 0.75), crop=Crop(64, 32, 64, 0))
    pictures = read_clip(tmp_path / "clip.mkv")[0]
    assert frames == len(pictures) == 12
    assert pictures.shape[1:] == (64, 128, 3)
    assert set(corners(pictures[3])) == {"lime"}


def test_trim_of_a_long_video_shows_the_right_second_and_decodes_no_more(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The grey level counts seconds; the first half of the file is garbage, so decoding it would be noticed."""
    source = tmp_path / "long.mkv"
    ffmpeg(
        *("-f", "lavfi", "-i", "color=black:s=64x64:r=24:d=40", "-vf", "geq=lum='16+5*floor(T)':cb=128:cr=128"),
        *("-c:v", "libx264", "-g", 24, "-pix_fmt", "yuv420p", source),
    )
    data = bytearray(source.read_bytes())
    data[len(data) // 8 : len(data) // 2] = bytes(len(data) // 2 - len(data) // 8)
    source.write_bytes(data)
    ingest_video(source, tmp_path / "clip.mkv", SMALL, trim=Trim(30, 31))
    assert "damaged" not in caplog.text
    frames = read_clip(tmp_path / "clip.mkv")[0]
    assert len(frames) == 24
    assert np.abs(frames.astype(float) - 5 * 30 * 255 / 219).max() < 4


def sound(path: Path) -> tuple[float, float]:
    """Return length and onset of a file's sound in seconds."""
    wav = path.with_suffix(".wav")
    ffmpeg("-i", path, "-vn", "-ac", 1, "-ar", 8000, wav)
    with wave.open(str(wav)) as stream:
        samples = np.frombuffer(stream.readframes(stream.getnframes()), dtype="<i2")
    return len(samples) / 8000, float(np.argmax(np.abs(samples) > 800)) / 8000


@pytest.fixture
def beeping(tmp_path: Path) -> Path:
    """Four seconds of video with a beep at 2 s."""
    path = tmp_path / "beep.mp4"
    ffmpeg(
        *("-f", "lavfi", "-i", "testsrc=size=64x64:rate=24:duration=4", "-f", "lavfi"),
        *("-i", "sine=f=440:d=4,volume=4*between(t\\,2\\,2.2):eval=frame", "-pix_fmt", "yuv420p", path),
    )
    return path


def test_sound_is_kept_and_trimmed_with_the_pictures(tmp_path: Path, beeping: Path) -> None:
    ingest_video(beeping, tmp_path / "all.mkv", SMALL, audio=tmp_path / "all.mka")
    assert sound(tmp_path / "all.mka") == pytest.approx((4, 2), abs=0.05)
    ingest_video(beeping, tmp_path / "part.mkv", SMALL, audio=tmp_path / "part.mka", trim=Trim(1.5, 3))
    assert sound(tmp_path / "part.mka") == pytest.approx((1.5, 0.5), abs=0.05)


def test_sound_goes_back_on_a_film_without_shortening_it(tmp_path: Path, beeping: Path) -> None:
    ingest_video(beeping, tmp_path / "part.mkv", SMALL, audio=tmp_path / "part.mka", trim=Trim(1.5, 2.5))
    with ClipWriter(tmp_path / "film.mp4", 64, 64, 24, audio=tmp_path / "part.mka") as writer:
        for _ in range(72):
            writer.write(np.zeros((64, 64, 3), np.uint8))
    assert probe_clip(tmp_path / "film.mp4").frames == 72
    assert sound(tmp_path / "film.mp4")[1] == pytest.approx(0.5, abs=0.05)


def test_no_sound_is_an_empty_file_that_the_writer_understands(tmp_path: Path) -> None:
    ingest_video(drawn(tmp_path / "a.mp4"), tmp_path / "clip.mkv", SMALL, audio=tmp_path / "clip.mka")
    assert (tmp_path / "clip.mka").stat().st_size == 0
    with ClipWriter(tmp_path / "film.mp4", 64, 64, 24, audio=tmp_path / "clip.mka") as writer:
        writer.write(np.zeros((64, 64, 3), np.uint8))
    assert probe_source(tmp_path / "film.mp4").audio is None


def test_preview_matches_clip(tmp_path: Path) -> None:
    ingest_video(
        drawn(tmp_path / "a.mp4"), tmp_path / "clip.mkv", SMALL, preview=tmp_path / "clip.mp4", trim=Trim(0.5, 1)
    )
    assert len(read_clip(tmp_path / "clip.mp4")[0]) == len(read_clip(tmp_path / "clip.mkv")[0]) == 12


@pytest.mark.parametrize("name", ["a film.mp4", 'it\'s "so" said.mp4', "a:b%03d.mp4", "-dash.mp4", "[0]$HOME;.mp4"])
def test_awkward_names(tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    drawn(tmp_path / "plain.mp4", seconds=0.2).rename(tmp_path / name)
    target = Path(name).with_suffix(".mkv")
    assert ingest_video(Path(name), target, SMALL, audio=Path(name).with_suffix(".mka")) == 5
    assert len(read_clip(target)[0]) == 5


def refused(path: Path, *, settings: IngestSettings = SMALL, trim: Trim | None = None, crop: Crop | None = None) -> str:
    """Return the sentence; make sure that no file was left behind."""
    target = path.parent / "out"
    target.mkdir(exist_ok=True)
    with pytest.raises(DiffSignError) as caught:
        ingest_video(
            path, target / "c.mkv", settings, trim=trim, crop=crop, audio=target / "c.mka", preview=target / "c.mp4"
        )
    assert list(target.iterdir()) == []
    message = str(caught.value)
    assert str(path) in message
    assert "\n" not in message
    return message


def test_files_that_are_no_video(tmp_path: Path) -> None:
    assert "does not exist" in refused(tmp_path / "absent.mp4")
    (tmp_path / "folder.mp4").mkdir()
    assert "folder" in refused(tmp_path / "folder.mp4")
    (tmp_path / "empty.mp4").touch()
    assert "0 bytes" in refused(tmp_path / "empty.mp4")
    for name in ("text.mp4", "text.mkv", "text.avi", "text.txt"):
        (tmp_path / name).write_text("This is a letter, not a film.\n" * 40)
        assert "not a video" in refused(tmp_path / name)


def test_only_sound(tmp_path: Path) -> None:
    ffmpeg("-f", "lavfi", "-i", "sine=d=1", tmp_path / "s.mp3")
    assert "only sound" in refused(tmp_path / "s.mp3")
    ffmpeg("-f", "lavfi", "-i", "color=red:s=64x64", "-frames:v", 1, tmp_path / "cover.jpg")
    ffmpeg(
        "-i",
        tmp_path / "s.mp3",
        "-i",
        tmp_path / "cover.jpg",
        "-map",
        0,
        "-map",
        1,
        "-c",
        "copy",
        "-disposition:v",
        "attached_pic",
        tmp_path / "cover.mp3",
    )
    assert "only sound" in refused(tmp_path / "cover.mp3")


def test_zero_frames(tmp_path: Path) -> None:
    drawn(tmp_path / "none.mkv", "-frames:v", 0)
    refused(tmp_path / "none.mkv")


def test_unknown_codec(tmp_path: Path) -> None:
    data = drawn(tmp_path / "a.mp4").read_bytes()
    (tmp_path / "codec.mp4").write_bytes(data.replace(b"avc1", b"xyz1"))
    assert "codec" in refused(tmp_path / "codec.mp4")


def test_damaged_pictures(tmp_path: Path) -> None:
    data = bytearray(drawn(tmp_path / "a.mp4").read_bytes())
    start = data.index(b"mdat") + 8
    data[start : start + 8000] = np.random.default_rng(0).integers(0, 256, 8000, dtype=np.uint8).tobytes()
    (tmp_path / "damaged.mp4").write_bytes(data)
    refused(tmp_path / "damaged.mp4")


@pytest.mark.parametrize(("name", "options"), [("t.mp4", []), ("f.mp4", ["-movflags", "+faststart"]), ("m.mkv", [])])
def test_truncated(tmp_path: Path, name: str, options: list[str]) -> None:
    data = drawn(tmp_path / f"whole-{name}", *options).read_bytes()
    (tmp_path / name).write_bytes(data[: len(data) // 2])
    message = refused(tmp_path / name)
    assert "copy" in message


def test_trims_that_do_not_fit(tmp_path: Path) -> None:
    source = drawn(tmp_path / "a.mp4")
    assert "starts at 5 s" in refused(source, trim=Trim(5))
    assert "ends at 12 s" in refused(source, trim=Trim(1, 12))
    assert "empty" in refused(source, trim=Trim(1, 1))
    assert "empty" in refused(source, trim=Trim(1.5, 0.5))


def test_crops_that_do_not_fit(tmp_path: Path) -> None:
    source = drawn(tmp_path / "a.mp4")
    assert "96x72" in refused(source, crop=Crop(96, 72, 1, 0))
    assert "96x72" in refused(source, crop=Crop(10, 80, 0, 0))
    assert "empty" in refused(source, crop=Crop(0, 10, 0, 0))


def test_too_long(tmp_path: Path) -> None:
    short = IngestSettings(fps=24, height=64, max_seconds=1)
    source = drawn(tmp_path / "a.mp4")
    assert "max_seconds" in refused(source, settings=short)
    assert "max_seconds" in refused(source, settings=short, trim=Trim(0.5))
    assert ingest_video(source, tmp_path / "ok.mkv", short, trim=Trim(0.5, 1.5)) == 24
    raw = drawn(tmp_path / "raw.h264", seconds=4)
    assert probe_source(raw).seconds is None
    assert "max_seconds" in refused(raw, settings=short)


def test_an_older_clip_survives_a_failure(tmp_path: Path) -> None:
    (tmp_path / "clip.mkv").write_text("older")
    (tmp_path / "bad.mp4").write_text("bad")
    with pytest.raises(DiffSignError):
        ingest_video(tmp_path / "bad.mp4", tmp_path / "clip.mkv", SMALL)
    assert (tmp_path / "clip.mkv").read_text() == "older"


@pytest.mark.parametrize(
    ("text", "seconds"), [("12.5", 12.5), ("1:02.5", 62.5), ("1:00:01", 3601), (".5", 0.5), (" 3 ", 3)]
)
def test_times(text: str, seconds: float) -> None:
    assert parse_time(text, "--start") == seconds


@pytest.mark.parametrize("text", ["", "x", "-1", "1:2:3:4", "1;2", "nan", "1e3"])
def test_times_that_are_none(text: str) -> None:
    with pytest.raises(DiffSignError, match="--start"):
        parse_time(text, "--start")


def test_crops() -> None:
    assert parse_crop("640:720:320:0") == Crop(640, 720, 320, 0)
    for text in ("640:720:320", "640x720+0+0", "a:b:c:d", "-1:2:3:4"):
        with pytest.raises(DiffSignError, match="--crop"):
            parse_crop(text)
