import dataclasses
import json
import stat
import subprocess
from pathlib import Path

import numpy as np
import pytest
import torch

from diffsign.config.credentials import CredentialsSettings
from diffsign.config.family import family_named, resolve_families
from diffsign.config.generate import FetchSettings
from diffsign.credentials import certificate, label, mark
from diffsign.credentials import inspect as inspection
from diffsign.credentials.inspect import container_metadata
from diffsign.errors import DiffSignError
from diffsign.fetch.stage import fetch_family
from diffsign.records.clip import iter_clip, probe_clip, write_clip
from diffsign.records.conditioning import Conditioning, save_conditioning
from diffsign.records.ffmpeg import ffmpeg_binary
from diffsign.records.manifest import save_manifest


@pytest.fixture(scope="module")
def result(tmp_path_factory):
    """Inputs of a small result of the family demo, with a certificate."""
    folder = tmp_path_factory.mktemp("result")
    frames = (np.full((96, 128, 3), 60 + 4 * t, np.uint8) for t in range(12))
    write_clip(folder / "clip.mkv", frames, 24.0)
    family = fetch_family("demo", family_named("demo", resolve_families(None)), FetchSettings())
    save_manifest(folder / "demo.json", family)
    tokens = torch.zeros(1, 4, 8)
    signer = Conditioning("demo", "a woman in red", "blurred", True, ("ana.png",), tokens, tokens.clone())
    save_conditioning(folder / "ana.safetensors", signer)
    certificate.run(certificate.Inputs("Test"), certificate.Outputs(folder / "cert.pem", folder / "key.pem"))
    return mark.Inputs(
        folder / "clip.mkv",
        folder / "demo.json",
        folder / "ana.safetensors",
        certificate=folder / "cert.pem",
        key=folder / "key.pem",
        video="hello",
        signer="ana",
        consent="Ana, 2026-01-02, letter in the archive",
        generation={"seed": 7},
    )


def film_of(result, folder, **settings):
    film = folder / "film.mp4"
    mark.run(result, mark.Outputs(film), CredentialsSettings(**settings))
    return film


def test_a_film_says_what_it_is_and_that_it_is_unchanged(result, tmp_path):
    film = film_of(result, tmp_path)
    said = inspection.run(inspection.Inputs(film), inspection.Outputs())
    for fact in ("valid", "Test", "hello", "ana.png", "a woman in red", "seed: 7", "Ana, 2026-01-02", "sha256"):
        assert fact in said
    assert "trusted," in inspection.run(inspection.Inputs(film, result.certificate), inspection.Outputs())
    assert str(result.clip.parent) not in said
    assert probe_clip(film).frames == 12


def test_the_container_says_it_to_everybody(result, tmp_path):
    metadata = container_metadata(film_of(result, tmp_path))
    assert metadata["comment"] == mark.NOTICE
    assert json.loads(metadata["description"])["signer"] == "ana"


@pytest.mark.parametrize("place", [0.3, 0.6, 0.9])
def test_a_changed_film_is_found_out(result, tmp_path, place):
    film = film_of(result, tmp_path)
    content = bytearray(film.read_bytes())
    content[int(place * len(content))] ^= 1
    film.write_bytes(content)
    with pytest.raises(DiffSignError, match=r"film\.mp4"):
        inspection.run(inspection.Inputs(film), inspection.Outputs())


def test_encoding_again_takes_the_credentials_away(result, tmp_path):
    film, again = film_of(result, tmp_path), tmp_path / "again.mp4"
    subprocess.run([ffmpeg_binary(), "-loglevel", "error", "-i", film, "-crf", "30", again], check=True)
    with pytest.raises(DiffSignError, match="no content credentials"):
        inspection.run(inspection.Inputs(again), inspection.Outputs())


def test_credentials_can_be_left_out(result, tmp_path):
    film = film_of(result, tmp_path, signed=False)
    with pytest.raises(DiffSignError, match="no content credentials"):
        inspection.run(inspection.Inputs(film), inspection.Outputs())
    assert container_metadata(film)["comment"] == mark.NOTICE


def test_transparent_films_are_marked_too(result, tmp_path):
    frame = np.full((96, 128, 4), 200, np.uint8)
    frame[:, :64, 3] = 0
    write_clip(tmp_path / "cut.mkv", [frame] * 6, 24.0, alpha=True)
    cut = dataclasses.replace(result, clip=tmp_path / "cut.mkv")
    for suffix in ("mov", "webm"):
        film = tmp_path / f"film.{suffix}"
        mark.run(cut, mark.Outputs(film), CredentialsSettings(label="synthetic"))
        assert container_metadata(film)["comment"] == mark.NOTICE
    assert "valid" in inspection.run(inspection.Inputs(tmp_path / "film.mov"), inspection.Outputs())
    raw = subprocess.run(
        [ffmpeg_binary(), "-loglevel", "error", "-i", tmp_path / "film.mov", "-f", "rawvideo", "-pix_fmt", "rgba", "-"],
        capture_output=True,
        check=True,
    ).stdout
    shown = np.frombuffer(raw, np.uint8).reshape(6, 96, 128, 4)[2]
    assert shown[20, 20, 3] <= 1 and abs(int(shown[20, 100, 3]) - 200) <= 2
    assert shown[-4, 4, 3] > 130, "the label is not transparent"


def test_a_label_is_seen_in_every_frame_and_nowhere_else(result, tmp_path):
    plain = list(iter_clip(film_of(result, tmp_path, signed=False)))
    labelled = list(iter_clip(film_of(result, tmp_path, signed=False, label="synthetic signer")))
    for before, after in zip(plain, labelled, strict=True):
        change = np.abs(before.astype(int) - after).max(-1)
        assert change[-8:, :30].max() > 100
        assert change[:60].max() < 16


def test_long_labels_stay_inside_narrow_pictures():
    frame = np.zeros((64, 64, 3), np.uint8)
    assert next(label.labelled(iter([frame]), "a synthetic signer made by a model, not a person")).shape == frame.shape


def test_a_key_is_for_its_owner_alone(result):
    assert stat.S_IMODE(Path(result.key).stat().st_mode) == 0o600


def test_a_key_of_another_certificate_is_refused(result, tmp_path):
    other = certificate.Outputs(tmp_path / "other.pem", tmp_path / "other-key.pem")
    certificate.run(certificate.Inputs(), other)
    wrong = mark.Inputs(
        result.clip, result.manifest, result.conditioning, certificate=other.certificate, key=tmp_path / "no.pem"
    )
    with pytest.raises(DiffSignError, match=r"no\.pem"):
        film_of(wrong, tmp_path)
    (tmp_path / "no.pem").write_text("not a key")
    with pytest.raises(DiffSignError, match=r"no\.pem"):
        film_of(wrong, tmp_path)
    assert not (tmp_path / "film.mp4").exists()


def test_other_files_are_no_films(tmp_path):
    (tmp_path / "x.mp4").write_text("text")
    with pytest.raises(DiffSignError, match=r"x\.mp4"):
        inspection.run(inspection.Inputs(tmp_path / "x.mp4"), inspection.Outputs())
