"""Videos as phones, editors and the web make them: each kind becomes the same clip, or is refused in a sentence."""

from __future__ import annotations

import struct
import subprocess
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from diffsign.config.ingest import IngestSettings
from diffsign.errors import DiffSignError
from diffsign.ingest.source import probe_source
from diffsign.ingest.stage import Inputs, Outputs, run
from diffsign.ingest.window import Trim, Window
from diffsign.records.clip import read_clip
from diffsign.records.ffmpeg import ffmpeg_command
from tests.ingest.test_inputs import PATCHES, SMALL, Made, beep, card, encode, number_of, patches_of

X264 = ("-c:v", "libx264", "-crf", 4)
CARDS = [card(number) for number in range(24)]


def ingested(path: Path, settings: IngestSettings = SMALL, trim: Trim | None = None) -> Made:
    clip, audio = path.parent / "clip.mkv", path.parent / "clip.mka"
    run(Inputs(path, Window(trim or Trim())), Outputs(clip, audio), settings)
    return Made(read_clip(clip)[0], audio)


def remux(path: Path, *options: object) -> Path:
    """Return ``path`` written with options that stand before it (the inputs among them)."""
    done = subprocess.run(ffmpeg_command(*map(str, options), path), capture_output=True, check=False)
    if b"Unrecognized option" in done.stderr:
        pytest.skip("this ffmpeg is too old to make such a file")
    assert done.returncode == 0, done.stderr
    return path


@pytest.mark.parametrize(
    ("suffix", "options"),
    [
        ("mp4", ("-vf", "scale=out_color_matrix=bt709,format=yuv444p10le", *X264, "-colorspace", "bt709")),
        ("mp4", ("-vf", "scale=out_color_matrix=bt601:out_range=pc,format=yuvj444p", *X264)),
        ("mp4", ("-vf", "scale=64:96:out_color_matrix=bt601,setsar=2,format=yuv444p", *X264)),
        ("mov", ("-c:v", "prores_ks", "-pix_fmt", "yuva444p10le")),
        ("avi", ("-c:v", "mjpeg", "-q:v", 1, "-pix_fmt", "yuvj444p")),
        ("mpg", ("-c:v", "mpeg2video", "-q:v", 1)),
        ("gif", ("-filter_complex", "split[a][b];[a]palettegen[p];[b][p]paletteuse=dither=none")),
    ],
    ids=["10 bit", "full range", "anamorphic", "alpha", "mjpeg", "mpeg2", "gif"],
)
def test_colours_shape_and_frames(tmp_path, suffix, options):
    pictures = ingested(encode(tmp_path / f"a.{suffix}", CARDS, *options)).pictures
    assert pictures.shape == (24, 96, 128, 3)
    assert [number_of(picture) for picture in pictures] == list(range(24))
    assert np.abs(patches_of(pictures[7]) - PATCHES).max() <= 4


def test_an_apng(tmp_path):
    first, *rest = [Image.fromarray(picture) for picture in CARDS]
    first.save(tmp_path / "a.png", save_all=True, append_images=rest, duration=50)
    pictures = ingested(tmp_path / "a.png", IngestSettings(height=96)).pictures
    assert [number_of(picture) for picture in pictures] == list(range(24))


def test_odd_sizes_and_a_single_frame(tmp_path):
    pictures = ingested(encode(tmp_path / "a.mkv", [card(5, 131, 97)], *X264, "-pix_fmt", "yuv444p")).pictures
    assert pictures.shape == (1, 96, 136, 3) and number_of(pictures[0, :, 3:133]) == 5


@pytest.mark.parametrize("degrees", [-90, 90, 180])
def test_rotation_that_the_file_states(tmp_path, degrees):
    lying = [np.ascontiguousarray(np.rot90(picture, -degrees // 90)) for picture in CARDS[:6]]
    plain = encode(tmp_path / "plain.mp4", lying, *X264, "-pix_fmt", "yuv444p")
    path = remux(tmp_path / "a.mp4", "-display_rotation:v:0", degrees, "-i", plain, "-c", "copy")
    pictures = ingested(path).pictures
    assert pictures.shape[1:] == (96, 128, 3) and number_of(pictures[5]) == 5


def test_a_rate_that_varies_loses_no_frame(tmp_path):
    """Phones write fewer frames where it is dark."""
    plain = encode(tmp_path / "plain.mp4", CARDS, *X264, "-pix_fmt", "yuv444p")
    times = "setpts='if(lt(N,12),N/24,0.5+(N-12)/12)/TB'"
    path = remux(
        tmp_path / "a.mp4", "-i", plain, "-vf", times, "-fps_mode", "vfr", *X264, "-video_track_timescale", 600
    )
    numbers = [number_of(picture) for picture in ingested(path, IngestSettings(height=96)).pictures]
    assert numbers[:12] == list(range(12)) and sorted(set(numbers)) == list(range(24)) and len(numbers) in (35, 36)


def test_an_edit_list_is_followed(tmp_path):
    """What lies before the edit is in the file, and not in the film."""
    sound = beep(tmp_path / "t.wav", 0.5, 1)
    plain = encode(tmp_path / "plain.mp4", CARDS, *X264, "-bf", 2, "-g", 12, "-c:a", "aac", before=("-i", sound))
    made = ingested(remux(tmp_path / "a.mov", "-ss", 0.25, "-i", plain, "-c", "copy"))
    assert [number_of(picture) for picture in made.pictures] == list(range(6, 24))
    assert made.sound()[1] == pytest.approx(0.25, abs=0.03)


def test_times_that_begin_before_or_after_zero(tmp_path):
    sound = beep(tmp_path / "t.wav", 0.5, 1)
    plain = encode(tmp_path / "plain.mp4", CARDS, *X264, "-pix_fmt", "yuv444p")
    both = ("-map", 0, "-map", 1, "-c:v", "copy", "-c:a", "pcm_s16le")
    late = remux(tmp_path / "late.mkv", "-itsoffset", 5, "-i", plain, "-itsoffset", 5, "-i", sound, *both, "-copyts")
    made = ingested(late)
    assert len(made.pictures) == 24 and made.sound()[1] == pytest.approx(0.5, abs=0.03)
    assert probe_source(late).seconds == pytest.approx(1.0, abs=0.05)
    early = ("-itsoffset", -0.25, "-i", sound, "-i", plain, "-map", 1, "-map", 0, "-c:v", "copy", "-c:a", "pcm_s16le")
    made = ingested(remux(tmp_path / "early.mkv", *early, "-avoid_negative_ts", "disabled"))
    onset = made.sound()[1]
    # The beep falls on the picture that it falls on when played: number 6, a quarter of a second into the pictures.
    assert number_of(made.pictures[round(onset * 24) + 1]) in (6, 7)


@pytest.mark.parametrize("seconds", [0.4, 3.0])
def test_sound_of_another_length_or_of_six_channels(tmp_path, seconds):
    sound = remux(tmp_path / "six.wav", "-i", beep(tmp_path / "t.wav", 0.2, seconds), "-af", "pan=5.1|FC=c0")
    made = ingested(encode(tmp_path / "a.mp4", CARDS, *X264, "-c:a", "aac", before=("-i", sound)))
    assert len(made.pictures) == 24 and made.sound()[1] == pytest.approx(0.2, abs=0.03)


def test_the_sound_that_players_play(tmp_path):
    first, second = beep(tmp_path / "1.wav", 0.2, 1), beep(tmp_path / "2.wav", 0.6, 1)
    disposition = ("-disposition:a:0", 0, "-disposition:a:1", "default", "-metadata:s:a:1", "language=ger")
    tracks = ("-i", first, "-i", second, "-map", 0, "-map", 1, "-map", 2)
    path = encode(tmp_path / "a.mkv", CARDS, *X264, "-c:a", "flac", *disposition, before=tracks)
    assert ingested(path).sound()[1] == pytest.approx(0.6, abs=0.03)


@pytest.mark.parametrize("says", [20.0, 1e8, float("nan")])
def test_a_length_that_the_file_has_wrong(tmp_path, says):
    """Milliseconds in the header: 0.02 s, more than a day, none."""
    path = encode(tmp_path / "a.mkv", CARDS, "-c:v", "ffv1")
    data = bytearray(path.read_bytes())
    place = data.index(b"\x44\x89\x88") + 3
    data[place : place + 8] = struct.pack(">d", says)
    (tmp_path / "b.mkv").write_bytes(data)
    assert len(ingested(tmp_path / "b.mkv").pictures) == 24
    assert len(ingested(tmp_path / "b.mkv", trim=Trim(0.25, 0.75)).pictures) == 12


def test_a_cover_is_not_the_film(tmp_path):
    Image.fromarray(np.full((300, 300, 3), (255, 0, 255), np.uint8)).save(tmp_path / "cover.jpg")
    plain = encode(tmp_path / "plain.mp4", CARDS, *X264)
    covered = ("-map", 0, "-map", 1, "-c", "copy", "-disposition:v:0", "attached_pic")
    path = remux(tmp_path / "a.mp4", "-i", tmp_path / "cover.jpg", "-i", plain, *covered)
    assert number_of(ingested(path).pictures[5]) == 5
    song = ("-i", tmp_path / "cover.jpg", "-i", beep(tmp_path / "t.wav", 0, 1), "-map", 0, "-map", 1, "-c:v", "copy")
    path = remux(tmp_path / "song.m4a", *song, "-c:a", "aac", "-disposition:v:0", "attached_pic")
    with pytest.raises(DiffSignError, match="only sound"):
        ingested(path)


@pytest.mark.parametrize(("name", "says"), [("a.jpg", "is a picture"), ("a.webp", "animated WebP; save it as GIF")])
def test_pictures_are_no_videos(tmp_path, name, says):
    first, *rest = [Image.fromarray(picture) for picture in CARDS[:3]]
    first.save(tmp_path / name, **({"save_all": True, "append_images": rest} if name.endswith("webp") else {}))
    with pytest.raises(DiffSignError, match=says):
        ingested(tmp_path / name)
