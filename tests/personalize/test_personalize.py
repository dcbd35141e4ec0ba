"""Personalising: what is trained is what is loaded, and a run that was cut off ends with the same bits."""

import json
import shutil

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file

from diffsign.config.personalize import PersonalizeSettings
from diffsign.errors import DiffSignError
from diffsign.files import picture_files
from diffsign.generate.encode import encode_signer
from diffsign.models.networks import library
from diffsign.personalize.subject import TrainingSubject
from diffsign.personalize.training import Personalization
from diffsign.records.manifest import save_manifest

SETTINGS = {"device": "cpu", "size": 64, "rank": 2, "prior_pictures": 2, "learning_rate": 0.01}


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    folder = tmp_path_factory.mktemp("subject")
    random = np.random.default_rng(5)
    for number in range(3):
        size = (40 + 8 * number, 40, 3)
        Image.fromarray(random.integers(0, 255, size, dtype=np.uint8)).save(folder / f"{number}.png")
    (folder / "notes.txt").write_text("no picture")
    return folder


def training(tiny, pictures, work, **settings):
    settings = PersonalizeSettings(**SETTINGS | settings)
    return Personalization(tiny.fetch(), TrainingSubject.of([pictures], "a red person"), work, settings)


def same(first, second):
    return first.keys() == second.keys() and all(torch.equal(first[name], second[name]) for name in first)


def test_an_interrupted_run_ends_with_the_same_bits(tiny, pictures, tmp_path, monkeypatch):
    whole = training(tiny, pictures, tmp_path / "whole", steps=6, save_every=2).train()
    cut = training(tiny, pictures, tmp_path / "cut", steps=6, save_every=2)
    loss = cut.loss

    def fails_at_five(unet, subject, prior, step):
        if step == 4:
            raise KeyboardInterrupt
        return loss(unet, subject, prior, step)

    monkeypatch.setattr(cut, "loss", fails_at_five)
    with pytest.raises(KeyboardInterrupt):
        cut.train()
    again = training(tiny, pictures, tmp_path / "cut", steps=6, save_every=2).train()
    assert same(whole, again)
    logs = [(tmp_path / name / "loss.csv").read_text() for name in ("whole", "cut")]
    assert logs[0] == logs[1] and len(logs[0].splitlines()) == 7
    # to the same seed the same LoRA, to another another
    assert not same(whole, training(tiny, pictures, tmp_path / "other", steps=6, seed=1).train())


def test_other_settings_begin_anew_and_more_steps_go_on(sd, pictures, tmp_path, caplog):
    caplog.set_level("INFO")
    first = training(sd, pictures, tmp_path, steps=2).train()
    longer = training(sd, pictures, tmp_path, steps=4).train()
    assert "Going on from step 2" in caplog.text and not same(first, longer)
    assert same(longer, training(sd, pictures, tmp_path / "fresh", steps=4).train())
    training(sd, pictures, tmp_path, steps=4, rank=4).train()
    assert "begins anew" in caplog.text
    (tmp_path / "checkpoint.pt").write_bytes(b"broken")
    with pytest.raises(DiffSignError, match=r"checkpoint\.pt' cannot be read .* remove it"):
        training(sd, pictures, tmp_path, steps=4).train()


def test_pictures_of_the_class_are_drawn_once(sd, pictures, tmp_path):
    training(sd, pictures, tmp_path, steps=1).train()
    prior = sorted((tmp_path / "prior").glob("*.png"))
    assert len(prior) == 2 and Image.open(prior[0]).size == (64, 64)
    before = [path.stat().st_mtime_ns for path in prior]
    training(sd, pictures, tmp_path, steps=2, prior_pictures=3).train()
    assert [path.stat().st_mtime_ns for path in prior] == before
    assert len(list((tmp_path / "prior").glob("*.png"))) == 3
    training(sd, pictures, tmp_path, steps=2, seed=3).train()
    assert [path.stat().st_mtime_ns for path in prior] != before
    training(sd, pictures, tmp_path / "without", steps=1, prior_weight=0).train()
    assert not (tmp_path / "without" / "prior").exists()


def test_what_is_shown_again_and_again_is_learned(sd, pictures, tmp_path, monkeypatch):
    trained = training(sd, pictures, tmp_path, steps=20, rank=8, prior_weight=0.0)
    loss = trained.loss
    monkeypatch.setattr(trained, "loss", lambda unet, subject, prior, step: loss(unet, subject, prior, 0))
    trained.train()
    losses = np.loadtxt(tmp_path / "loss.csv", delimiter=",", skiprows=1)[:, 1]
    assert losses[-1] < 0.93 * losses[0]


@pytest.mark.parametrize("prediction", ["epsilon", "v_prediction", "sample"])
def test_every_kind_of_prediction_has_its_target(own, pictures, tmp_path, prediction):
    """A UNet that predicts exactly what the scheduler's own arithmetic asks for has no loss."""
    path = own.folder / "base" / "scheduler" / "scheduler_config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"prediction_type": prediction}))
    trained = training(own, pictures, tmp_path / "w", steps=1, prior_weight=0)
    examples = trained.networks.encode([np.full((64, 64, 3), 90, np.uint8)], ["a red person"])

    def perfect(unet, noisy, times, text, controls, pooled):
        alpha = trained.networks.schedule.alphas_cumprod[times][:, None, None, None]
        clean = examples.latents
        noise = (noisy - alpha.sqrt() * clean) / (1 - alpha).sqrt()
        velocity = alpha.sqrt() * noise - (1 - alpha).sqrt() * clean
        return {"epsilon": noise, "v_prediction": velocity, "sample": clean}[prediction]

    trained.networks.predict = perfect
    assert float(trained.loss(None, examples, None, 0)) < 1e-6


def test_pictures_bring_their_own_controls_and_the_class_its_descriptions(sd, pictures, tmp_path):
    folder = tmp_path / "pictures"
    shutil.copytree(pictures, folder)
    edges = training(sd, folder, tmp_path / "w", steps=1)
    assert list(edges.networks.sampling.controls) == ["canny"]
    for number in range(3):
        Image.new("RGB", (64, 64), "red").save(folder / f"{number}.pose.png")
    assert [path.name for path in picture_files([folder])] == ["0.png", "1.png", "2.png"]
    settings = PersonalizeSettings(**SETTINGS | {"steps": 2, "layers": "all"})
    subject = TrainingSubject.of([folder], "a red person", "a person; a blue person")
    both = Personalization(sd.fetch(), subject, tmp_path / "w", settings)
    assert set(both.networks.sampling.controls) == {"canny", "pose"}
    tensors = both.train()
    assert any(".conv1." in name for name in tensors)
    assert not any(".conv1." in name for name in edges.train())
    prior = [np.asarray(Image.open(tmp_path / "w" / "prior" / f"000{number}.png")) for number in (0, 1)]
    assert (prior[0] != prior[1]).any()


def test_the_command_makes_a_lora_that_signers_take(sd, pictures, clips, tmp_path, diffsign):
    manifest, out = tmp_path / "tiny.json", tmp_path / "red.safetensors"
    save_manifest(manifest, sd.fetch())
    flags = [
        "--picture",
        pictures,
        "--instance-prompt",
        "a red person",
        "--steps",
        4,
        "--size",
        64,
        "--learning-rate",
        0.05,
    ]
    flags += ["--prior-pictures", 1, "--device", "cpu", "--threads", 1]
    assert "called by 'a red person'" in diffsign("personalize", manifest, out, *flags).output
    assert all(".lora_" in name and name.startswith("unet.") for name in load_file(out))
    plain = encode_signer(sd.fetch(), text="a red person", device="cpu")
    tuned = encode_signer(sd.fetch(), text="a red person", device="cpu", loras=[str(out)])
    assert (sd.generate(plain, clips) != sd.generate(tuned, clips)).any()
    # the stock pipeline takes it too
    diffusers = library("diffusers")
    stock = diffusers.StableDiffusionPipeline.from_pretrained(sd.folder / "base", safety_checker=None)
    stock.load_lora_weights(load_file(out), adapter_name="red")
    assert stock.get_list_adapters() == {"unet": ["red"]}


def test_mistakes_are_named(sd, pictures, tmp_path):
    settings = PersonalizeSettings(**SETTINGS)
    manifest = sd.fetch()
    with pytest.raises(DiffSignError, match="needs a rare word more"):
        TrainingSubject.of([pictures], "a person", "a  person")
    with pytest.raises(DiffSignError, match="no ControlNet for canny"):
        nets = {"pose": manifest.controlnets["pose"]}
        without = manifest.model_copy(update={"controlnets": nets})
        Personalization(without, TrainingSubject.of([pictures], "a red person"), tmp_path, settings)
    with pytest.raises(DiffSignError, match="there is no picture"):
        picture_files([tmp_path])
    (tmp_path / "a.png").write_bytes(b"none")
    with pytest.raises(DiffSignError, match=r"a\.png' is not a picture"):
        Personalization(manifest, TrainingSubject.of([tmp_path / "a.png"], "a red person"), tmp_path, settings).train()
