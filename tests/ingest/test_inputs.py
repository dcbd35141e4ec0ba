"""What people bring: late sound, HDR, missing tags, several streams, hidden fields, pixels on their side."""

from __future__ import annotations

import subprocess
import wave
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from diffsign.config.ingest import IngestSettings
from diffsign.errors import DiffSignError
from diffsign.ingest.stage import Inputs, Outputs, run
from diffsign.ingest.window import Trim, Turn, Window
from diffsign.records.clip import iter_clip, read_clip
from diffsign.records.ffmpeg import ffmpeg_command, ffmpeg_version

SMALL = IngestSettings(fps=24, height=96, bars="keep")
#: Colours of the card's eight patches.
PATCHES = np.array(
    [(255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 0), (255, 255, 255), (128, 128, 128), (0, 0, 0), (224, 172, 140)]
)


def card(number: int, width: int = 128, height: int = 96) -> np.ndarray:
    """(H, W, 3) uint8: the number in 16 black and white blocks along the top, eight patches below, red bottom left."""
    picture = np.full((height, width, 3), 96, np.uint8)
    for block in range(16):
        picture[: height // 4, width * block // 16 : width * (block + 1) // 16] = 255 * (number >> (15 - block) & 1)
    for index, colour in enumerate(PATCHES):
        picture[height // 4 : height // 2, width * index // 8 : width * (index + 1) // 8] = colour
    picture[3 * height // 4 :, : width // 4], picture[3 * height // 4 :, -width // 4 :] = (255, 0, 0), (0, 0, 255)
    return picture


def number_of(picture: np.ndarray) -> int:
    height, width = picture.shape[:2]
    blocks = picture[height // 8, [int(width * (block + 0.5) / 16) for block in range(16)], 1] > 127
    return int("".join(str(int(bit)) for bit in blocks), 2)


def patches_of(picture: np.ndarray) -> np.ndarray:
    height, width = picture.shape[:2]
    return picture[3 * height // 8, [int(width * (patch + 0.5) / 8) for patch in range(8)]].astype(int)


def encode(path: Path, frames: list[np.ndarray], *options: object, pixels: str = "rgb24", before: tuple = ()) -> Path:
    """Write frames with the options that ffmpeg gets; ``before`` stands before the pipe (other inputs)."""
    height, width = frames[0].shape[-2:] if pixels.startswith("yuv") else frames[0].shape[:2]
    command = ffmpeg_command(
        *("-f", "rawvideo", "-pix_fmt", pixels, "-s", f"{width}x{height}", "-framerate", "24"),
        *("-i", "pipe:0", *map(str, before), *map(str, options), path),
    )
    subprocess.run(
        [part for part in command if part != "-nostdin"], input=b"".join(f.tobytes() for f in frames), check=True
    )
    return path


@dataclass(frozen=True)
class Made:
    """What ingest made of a video."""

    pictures: np.ndarray
    audio: Path

    def sound(self) -> tuple[float, float]:
        """Return length and onset of the sound in seconds."""
        wav = self.audio.with_suffix(".wav")
        subprocess.run(ffmpeg_command("-i", self.audio, "-ac", "1", "-ar", "8000", wav), check=True)
        with wave.open(str(wav)) as stream:
            samples = np.frombuffer(stream.readframes(stream.getnframes()), "<i2")
        return len(samples) / 8000, float(np.argmax(np.abs(samples) > 800)) / 8000


@pytest.fixture
def ingested(tmp_path: Path) -> Callable[..., Made]:
    def ingest(path: Path, settings: IngestSettings = SMALL, **window: object) -> Made:
        outputs = Outputs(tmp_path / "clip.mkv", tmp_path / "clip.mka", tmp_path / "clip.mp4")
        run(Inputs(path, Window(**window)), outputs, settings)
        return Made(read_clip(outputs.clip)[0], tmp_path / "clip.mka")

    return ingest


def beep(path: Path, at: float, seconds: float) -> Path:
    graph = f"sine=f=1000:d={seconds},volume=4*between(t\\,{at}\\,{at + 0.2}):eval=frame"
    subprocess.run(ffmpeg_command("-f", "lavfi", "-i", graph, path), check=True)
    return path


@pytest.mark.parametrize("suffix", ["mp4", "mkv", "mov"])
def test_sound_that_starts_late_stays_where_it_was(tmp_path, ingested, suffix):
    """The beep is 0.5 s into a sound that starts 0.5 s after the pictures."""
    tone = beep(tmp_path / "tone.wav", 0.5, 1.5)
    path = encode(
        tmp_path / f"late.{suffix}", [card(i) for i in range(48)], "-c:v", "libx264", "-c:a", "aac",
        before=("-itsoffset", 0.5, "-i", tone),
    )  # fmt: skip
    assert ingested(path).sound()[1] == pytest.approx(1.0, abs=0.03)
    assert ingested(path, trim=Trim(0.25)).sound()[1] == pytest.approx(0.75, abs=0.03)
    assert ingested(path, trim=Trim(0.75, 1.5)).sound() == pytest.approx((0.75, 0.25), abs=0.05)


def test_sound_that_matroska_cannot_hold_is_transcoded(tmp_path, ingested):
    tone = beep(tmp_path / "tone.wav", 1, 2)
    path = encode(
        tmp_path / "a.flv", [card(i) for i in range(48)], "-c:v", "flv", "-c:a", "nellymoser", "-ar", 8000, "-ac", 1,
        before=("-i", tone),
    )  # fmt: skip
    assert ingested(path).sound() == pytest.approx((2, 1), abs=0.1)


def _linear(card_: np.ndarray) -> np.ndarray:
    """Return linear light in BT.2020 primaries, white 1, of sRGB."""
    srgb = card_ / 255
    light = np.where(srgb <= 0.04045, srgb / 12.92, ((srgb + 0.055) / 1.055) ** 2.4)
    to_2020 = np.array([[0.6274, 0.3293, 0.0433], [0.0691, 0.9195, 0.0114], [0.0164, 0.0880, 0.8956]])
    return light @ to_2020.T


def _pq(light: np.ndarray) -> np.ndarray:
    """Perceptual quantiser (SMPTE ST 2084), white at 203 cd/m²."""
    power = (203 * light / 10000) ** 0.1593017578125
    return ((0.8359375 + 18.8515625 * power) / (1 + 18.6875 * power)) ** 78.84375


def _hlg(light: np.ndarray) -> np.ndarray:
    """Hybrid log-gamma (ITU-R BT.2100) for a display of 1000 cd/m², white at 203 cd/m²."""
    luminance = np.maximum((0.203 * light) @ np.array([0.2627, 0.6780, 0.0593]), 1e-9)[..., None]
    scene = 0.203 * light / luminance ** (0.2 / 1.2)
    return np.where(
        scene <= 1 / 12, np.sqrt(3 * scene), 0.17883277 * np.log(np.maximum(12 * scene - 0.28466892, 1e-9)) + 0.55991073
    )


def _yuv_2020(signal: np.ndarray) -> np.ndarray:
    """Return (3, H, W) uint16, 10 bits in limited range."""
    luma = signal @ np.array([0.2627, 0.6780, 0.0593])
    blue, red = (signal[..., 2] - luma) / 1.8814, (signal[..., 0] - luma) / 1.4746
    return np.rint(np.stack([64 + 876 * luma, 512 + 896 * blue, 512 + 896 * red])).astype("<u2")


@pytest.mark.parametrize(("trc", "curve"), [("smpte2084", _pq), ("arib-std-b67", _hlg)])
@pytest.mark.parametrize("tags", ["all", "transfer"])
def test_hdr_becomes_sdr_with_whites_and_skin_as_they_were(tmp_path, ingested, caplog, trc, curve, tags):
    frames = [_yuv_2020(curve(_linear(card(i)))) for i in range(6)]
    tagged = f"setparams=color_trc={trc}:range=tv" + (":color_primaries=bt2020:colorspace=bt2020nc" * (tags == "all"))
    path = encode(tmp_path / "hdr.mkv", frames, "-vf", tagged, "-c:v", "ffv1", "-color_trc", trc, pixels="yuv444p10le")
    pictures = ingested(path).pictures
    difference = np.abs(patches_of(pictures[3]) - PATCHES)
    # In the dark of a pure colour 10 bits of PQ are few.
    assert difference.max() <= 16 and difference[4:7].max() <= 2 and difference[7].max() <= 10
    assert [number_of(picture) for picture in pictures] == list(range(6))
    assert "hdr.mkv" in caplog.text


@pytest.mark.parametrize(
    ("size", "matrix"), [((1280, 720), "bt709"), ((960, 720), "bt709"), ((720, 576), "bt601"), ((320, 240), "bt601")]
)
def test_untagged_colours_are_taken_as_players_take_them(tmp_path, ingested, size, matrix):
    path = encode(
        tmp_path / "a.mp4", [card(0, *size)], "-vf", f"scale=out_color_matrix={matrix},format=yuv444p",
        "-c:v", "libx264", "-crf", 4, "-bsf:v", "h264_metadata=matrix_coefficients=2",
    )  # fmt: skip
    assert np.abs(patches_of(ingested(path).pictures[0]) - PATCHES).max() <= 4


def test_tagged_colours_are_taken_at_their_word(tmp_path, ingested):
    path = encode(
        tmp_path / "a.mp4", [card(0, 1280, 720)], "-vf", "scale=out_color_matrix=bt601,format=yuv444p",
        "-c:v", "libx264", "-crf", 4, "-colorspace", "smpte170m",
    )  # fmt: skip
    assert np.abs(patches_of(ingested(path).pictures[0]) - PATCHES).max() <= 4


@pytest.mark.parametrize("default", [0, 1])
def test_the_default_track_is_taken(tmp_path, ingested, default):
    path = encode(
        tmp_path / "two.mkv", [card(7)] * 24, "-map", default, "-map", 1 - default, "-c:v", "ffv1",
        f"-disposition:v:{1 - default}", 0, f"-disposition:v:{default}", "default",
        before=("-f", "lavfi", "-i", "color=lime:s=256x256:r=24:d=1"),
    )  # fmt: skip
    # The card is input 0; it is stream ``default`` of the file, and the default one only where it comes first.
    first = ingested(path).pictures[0]
    assert number_of(first) == 7


def test_pictures_that_change_their_size_keep_their_shape(tmp_path, ingested):
    parts = [
        encode(tmp_path / f"{width}.ts", [card(i, width, 180) for i in range(24)], "-c:v", "libx264", "-crf", 10)
        for width in (240, 320)
    ]
    if ffmpeg_version().endswith("-static"):
        pytest.skip("this build of ffmpeg crashes on every MPEG transport stream")
    (tmp_path / "a.ts").write_bytes(b"".join(part.read_bytes() for part in parts))
    pictures = ingested(tmp_path / "a.ts").pictures
    height, width = pictures.shape[1:3]
    assert (height, width) == (96, 128)
    assert np.abs(patches_of(pictures[4]) - PATCHES).max() <= 12
    last = pictures[-4]
    assert last[:10].max() < 40 and last[-10:].max() < 40, "bars above and below"
    assert np.abs(patches_of(last[12:-12]) - PATCHES).max() <= 12


@pytest.mark.parametrize("first", ["tff", "bff"])
def test_hidden_fields_are_found_and_taken_apart(tmp_path, ingested, caplog, first):
    """A bar that moves between the fields leaves a comb; nothing in the file says so."""
    frames = []
    for number in range(50):
        fields = []
        for half in range(2):
            picture = np.zeros((240, 320, 3), np.uint8)
            left = (2 * number + half) * 3
            picture[40:200, left : left + 40] = 255
            fields.append(picture)
        woven = fields[0].copy()
        woven[(1 if first == "tff" else 0) :: 2] = fields[1][(1 if first == "tff" else 0) :: 2]
        frames.append(woven)
    path = encode(tmp_path / "comb.mkv", frames, "-c:v", "ffv1")
    pictures = ingested(path, IngestSettings(fps=24, height=240)).pictures.astype(float)
    assert "comb.mkv" in caplog.text and "interlaced" in caplog.text
    middle = pictures[20, 60:180, :, 0]
    assert np.abs(middle[1:-1] - (middle[:-2] + middle[2:]) / 2).max() < 60


def test_stripes_are_no_fields(tmp_path, ingested, caplog):
    """A shirt with fine stripes that moves up and down looks like a comb, and is none."""
    frames = []
    for number in range(50):
        picture = np.zeros((240, 320, 3), np.uint8)
        picture[::2] = 200
        frames.append(np.roll(picture, number % 7, axis=0))
    ingested(encode(tmp_path / "shirt.mkv", frames, "-c:v", "ffv1"))
    assert "interlaced" not in caplog.text


@pytest.mark.parametrize("degrees", [0, 90, 180, 270])
@pytest.mark.parametrize("mirror", [False, True])
def test_pixels_on_their_side_are_turned(tmp_path, ingested, degrees, mirror):
    upright = card(5, 128, 96)
    lying = np.rot90(upright[:, ::-1] if mirror else upright, degrees // 90)
    path = encode(tmp_path / "a.mkv", [np.ascontiguousarray(lying)], "-c:v", "ffv1", "-pix_fmt", "bgr0")
    made = ingested(path, turn=Turn(degrees, mirror)).pictures[0]
    assert made.shape == upright.shape
    assert np.array_equal(patches_of(made), patches_of(upright)) and number_of(made) == 5


@pytest.mark.parametrize(
    "content",
    [
        "#EXTM3U\n#EXT-X-TARGETDURATION:10\n#EXTINF:2,\n{other}\n#EXT-X-ENDLIST\n",
        "ffconcat version 1.0\nfile '{other}'\n",
        '<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011"><Period/></MPD>',
    ],
)
def test_lists_of_other_files_are_not_followed(tmp_path, ingested, content):
    other = encode(tmp_path / "other.ts", [card(i) for i in range(24)])
    (tmp_path / "list.mp4").write_text(content.format(other=other))
    with pytest.raises(DiffSignError, match=r"list\.mp4"):
        ingested(tmp_path / "list.mp4")
    with pytest.raises(DiffSignError, match=r"list\.mp4"):
        list(iter_clip(tmp_path / "list.mp4"))


def test_same_bytes_whatever_the_number_of_threads(tmp_path):
    path = encode(tmp_path / "a.mp4", [card(i, 320, 240) for i in range(24)], "-c:v", "libx264")
    files = []
    for threads in (1, 4, 16):
        outputs = Outputs(*(tmp_path / f"{threads}.{suffix}" for suffix in ("mkv", "mka", "mp4")))
        run(Inputs(path), outputs, SMALL, threads=threads)
        files.append((outputs.clip.read_bytes(), outputs.preview.read_bytes()))
    assert files[0] == files[1] == files[2]


@pytest.mark.parametrize("suffix", ["mp4", "avi", "mkv"])
def test_titles_in_another_encoding_do_not_matter(tmp_path, ingested, suffix):
    path = encode(tmp_path / f"a.{suffix}", [card(i) for i in range(6)], "-metadata", "title=MARKER")
    path.write_bytes(path.read_bytes().replace(b"MARKER", b"caf\xe9\xff\xfe"))
    assert number_of(ingested(path).pictures[5]) == 5
