"""Training runs, stops, and goes on to the same bits."""

import json

import numpy as np
import pytest
import torch

from diffsign.config.training import MeasureSettings, TrainSettings
from diffsign.errors import DiffSignError
from diffsign.training.adapter import train_adapter
from diffsign.training.architecture import build_family
from diffsign.training.attributes import Attributes
from diffsign.training.autoencoder import fit_encoder, train_autoencoder
from diffsign.training.clip import train_clip
from diffsign.training.data import TrainingFrames, save_shard
from diffsign.training.diffusion import load_diffusion, train_diffusion
from diffsign.training.export import export_family
from diffsign.training.layout import load_family, read_card
from diffsign.training.loop import rate
from diffsign.training.measure import measure_family
from diffsign.training.stage import Inputs, Outputs, run
from diffsign.training.start import start_from
from diffsign.training.text_encoder import meaning, train_text_encoder

SHORT = {"steps": 3, "batch": 2, "crop": 64, "whole": 0.0, "log_every": 1, "save_every": 1, "threads": 1}


@pytest.fixture(scope="module")
def data(tmp_path_factory, plain_gbuffer):
    folder = tmp_path_factory.mktemp("data")
    save_shard(folder / "shard-00000", [plain_gbuffer(0), plain_gbuffer(1)])
    return folder


def state(path):
    return torch.load(path, weights_only=True)


def same(a, b):
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(same(a[key], b[key]) for key in a if key != "seconds")
    if isinstance(a, (list, tuple)):
        return len(a) == len(b) and all(map(same, a, b))
    return torch.equal(a, b) if isinstance(a, torch.Tensor) else a == b


@pytest.fixture(scope="module")
def trained(data, tmp_path_factory):
    work = tmp_path_factory.mktemp("work")
    frames = TrainingFrames(data)
    train_text_encoder(build_family(0), frames, work, TrainSettings(**SHORT))
    train_autoencoder(build_family(0), frames, work, TrainSettings(**SHORT))
    train_clip(build_family(0), frames, work, TrainSettings(**SHORT))
    train_diffusion(build_family(0), frames, work, TrainSettings(**SHORT, adapter=0.5))
    return work


def test_every_part_trains_and_logs(trained):
    for part in ("text", "vae", "clip", "diffusion"):
        assert state(trained / f"{part}.pt")["step"] == 3
        rows = (trained / f"{part}.csv").read_text().splitlines()
        losses = [float(row.split(",")[3]) for row in rows[1:] if row.split(",")[2] == "loss"]
        assert rows[0] == "step,seconds,name,value"
        assert len(losses) == 3
        assert np.isfinite(losses).all()


@pytest.mark.parametrize("part", ["vae", "diffusion"])
def test_a_run_in_two_pieces_ends_at_the_same_bits(part, data, trained, tmp_path):
    train = {"vae": train_autoencoder, "diffusion": train_diffusion}[part]
    options = SHORT | ({"adapter": 0.5} if part == "diffusion" else {})
    for name in ("encoder.safetensors", "text.pt", "clip.pt"):
        (tmp_path / name).write_bytes((trained / name).read_bytes())
    train(build_family(0), TrainingFrames(data), tmp_path, TrainSettings(**options, minutes=1e-9))
    assert state(tmp_path / f"{part}.pt")["step"] == 1
    train(build_family(0), TrainingFrames(data), tmp_path, TrainSettings(**options))
    assert same(state(tmp_path / f"{part}.pt"), state(trained / f"{part}.pt"))


@pytest.mark.slow
def test_two_processes_share_their_gradients(data, tmp_path):
    states = {}
    for processes in (1, 2):
        settings = TrainSettings(**SHORT | {"steps": 2, "processes": processes})
        work = tmp_path / str(processes)
        run(Inputs(data), Outputs(work), settings, part="vae")
        states[processes] = state(work / "vae.pt")
        rows = (work / "vae.csv").read_text().splitlines()
        assert len([row for row in rows if ",loss," in row]) == 2
    # the second process sees other pictures, so the shared gradients lead elsewhere than those of the first alone
    assert states[1]["step"] == states[2]["step"] == 2
    assert not same(states[1]["modules"], states[2]["modules"])


def test_a_checkpoint_of_another_part_is_one_sentence(data, trained, tmp_path):
    (tmp_path / "vae.pt").write_bytes((trained / "clip.pt").read_bytes())
    with pytest.raises(DiffSignError, match="does not fit"):
        train_autoencoder(build_family(0), TrainingFrames(data), tmp_path, TrainSettings(**SHORT))


def test_diffusion_needs_text_and_the_adapter_needs_clip_first(data, trained, tmp_path):
    with pytest.raises(DiffSignError, match=r"text\.pt' does not exist"):
        train_diffusion(build_family(0), TrainingFrames(data), tmp_path, TrainSettings(**SHORT))
    (tmp_path / "text.pt").write_bytes((trained / "text.pt").read_bytes())
    with pytest.raises(DiffSignError, match=r"clip\.pt' does not exist"):
        train_diffusion(build_family(0), TrainingFrames(data), tmp_path, TrainSettings(**SHORT, adapter=0.5))


def test_export_needs_every_part(tmp_path):
    with pytest.raises(DiffSignError, match="text, vae, clip, diffusion"):
        export_family(tmp_path, tmp_path / "out")


def test_exported_family_draws_and_is_measured(data, trained, tmp_path):
    export_family(trained, tmp_path / "demo")
    assert read_card(tmp_path / "demo")["trained"] is True
    assert sum(f.stat().st_size for f in (tmp_path / "demo").rglob("*") if f.is_file()) < 25 * 2**20
    settings = MeasureSettings(pictures=2, steps=1, batch=2)
    figures = measure_family(tmp_path / "demo", data, tmp_path / "figures.json", settings)
    assert figures["prompt_accuracy"]["rendering"]["all"] == 1.0
    assert json.loads((tmp_path / "figures.json").read_text()) == figures
    assert (tmp_path / "figures.png").stat().st_size > 1000


def test_training_goes_on_from_a_family_that_ships(data, trained, tmp_path):
    export_family(trained, tmp_path / "demo")
    work = tmp_path / "work"
    assert start_from(tmp_path / "demo", work) == ["text", "vae", "clip", "diffusion"]
    export_family(work, tmp_path / "again")
    shipped, again = (load_family(tmp_path / name) for name in ("demo", "again"))
    picture = torch.rand(2, 3, 64, 64) * 2 - 1
    assert torch.allclose(shipped.vae.encoder(picture), again.vae.encoder(picture), atol=0.01)
    for name, module in shipped.modules().items():
        if name != "vae":
            assert same(dict(module.state_dict()), dict(again.modules()[name].state_dict())), name
    before = state(work / "diffusion.pt")["modules"]["unet"]
    train_diffusion(build_family(0), TrainingFrames(data), work, TrainSettings(**SHORT, adapter=0.5))
    train_clip(build_family(0), TrainingFrames(data), work, TrainSettings(**SHORT))
    after = state(work / "diffusion.pt")
    assert after["step"] == 3
    assert not same(after["modules"]["unet"], before)
    assert max((after["modules"]["unet"][k] - v).abs().max().item() for k, v in before.items()) < 0.02
    with pytest.raises(DiffSignError, match="already holds checkpoints of text"):
        start_from(tmp_path / "demo", work)


def test_a_distilled_adapter_speaks_through_the_unets_own_layers(data, trained, tmp_path):
    for name in ("text.pt", "clip.pt"):
        (tmp_path / name).write_bytes((trained / name).read_bytes())
    with pytest.raises(DiffSignError, match="train diffusion first"):
        train_adapter(build_family(0), TrainingFrames(data), tmp_path, TrainSettings(**SHORT))
    (tmp_path / "diffusion.pt").write_bytes((trained / "diffusion.pt").read_bytes())
    train_adapter(build_family(0), TrainingFrames(data), tmp_path, TrainSettings(**SHORT))
    family = build_family(0)
    load_diffusion(family, tmp_path)
    attention = [m for name, m in family.unet.named_modules() if name.endswith("attn2")]
    assert len(attention) == len(family.processors)
    values = {layer.to_v_ip[0].weight.sum().item() for layer in family.processors.values()}
    assert values == {m.to_v.weight.sum().item() for m in attention}


def test_encoder_gives_latents_of_unit_size(data):
    frames = TrainingFrames(data)
    basis, mean = fit_encoder(frames, 0)
    rng = np.random.default_rng(5)
    pictures = torch.from_numpy(np.stack([frames.draw(rng, 64).picture for _ in range(50)])).float()
    latents = torch.nn.functional.conv2d(pictures, basis, stride=4) - mean[:, None, None]
    assert 0.5 < latents.square().mean().sqrt() < 2


def test_rate_warms_up_stays_and_falls():
    settings = TrainSettings(steps=1000, learning_rate=1e-3)
    assert rate(0, settings) < 1e-4
    assert rate(500, settings) == 1e-3
    assert rate(900, settings) == pytest.approx(5e-4)
    assert rate(1000, settings) == 0


def test_the_meaning_of_a_caption_is_what_it_names():
    attributes = Attributes("white", "light", "black", "short", "blue")
    full = meaning(attributes, frozenset(("shirt", "skin", "hair", "sleeves", "background")))
    assert full[3] == full[7] == full[11] == full[13] == full[17] == 1
    assert full[:3].min() > 0.8
    assert full[12] == -1
    only = meaning(attributes, frozenset({"sleeves"}))
    assert only[12] == -1
    assert np.flatnonzero(only).tolist() == [12, 13]
