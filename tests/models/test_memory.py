"""Ways to fit into a small card, as far as a CPU shows them."""

import functools

import numpy as np
import pytest
import torch

from diffsign.config.generate import GenerateSettings
from diffsign.errors import DiffSignError
from diffsign.generate.encode import encode_signer
from diffsign.generate.generator import Generator
from diffsign.models.networks import best_dtype
from diffsign.models.sizing import Sizing
from diffsign.records.clip import iter_clip


@pytest.fixture(scope="module")
def signer(sd, picture):
    return encode_signer(sd.fetch(), [picture], text="a man", device="cpu")


def made(sd, signer, clips, **settings):
    generator = Generator(sd.fetch(), signer, GenerateSettings(device="cpu", batch_size=2, **settings))
    streams = {name: iter_clip(clips / f"{name}.mkv") for name in generator.controls}
    frames = generator.frames(streams, 5, range(2), Sizing.of(24, 16, generator.factor))
    return generator, np.stack(list(frames)).astype(int)


def test_decoding_one_by_one_or_in_tiles_changes_nothing_here(sd, signer, clips):
    plain, expected = made(sd, signer, clips)
    assert not plain.pipeline.vae.use_slicing and not plain.pipeline.vae.use_tiling
    for setting in ("vae_slicing", "vae_tiling"):
        generator, frames = made(sd, signer, clips, **{setting: True})
        assert getattr(generator.pipeline.vae, setting.replace("vae_", "use_"))
        assert np.abs(frames - expected).max() <= 1


def test_half_precision_is_computed_in_half_precision(sd, signer, clips):
    _, expected = made(sd, signer, clips)
    generator, frames = made(sd, signer, clips, dtype="bfloat16")
    networks = (generator.pipeline.unet, generator.pipeline.vae, *generator.pipeline.controlnet.nets)
    assert {network.dtype for network in networks} == {torch.bfloat16}
    assert 0 < np.abs(frames - expected).mean() < 8


def test_precision_is_the_family_s_on_a_gpu_and_full_on_a_cpu(sd):
    manifest = sd.fetch(dtype="bfloat16")
    assert best_dtype(manifest, GenerateSettings(), torch.device("cuda")) == torch.bfloat16
    assert best_dtype(manifest, GenerateSettings(), torch.device("cpu")) == torch.float32
    assert best_dtype(manifest, GenerateSettings(dtype="float16"), torch.device("cuda")) == torch.float16


def test_attention_is_pytorch_s_own(sd, signer, clips):
    """Scaled dot product attention, which is flash attention on GPUs, with the adapter in cross-attention."""
    generator, _ = made(sd, signer, clips)
    kinds = {type(p).__name__ for p in generator.pipeline.unet.attn_processors.values()}
    assert kinds == {"AttnProcessor2_0", "IPAdapterAttnProcessor2_0"}
    for net in generator.pipeline.controlnet.nets:
        assert {type(p).__name__ for p in net.attn_processors.values()} == {"AttnProcessor2_0"}


def test_compiled_networks_draw_the_same(sd, signer, clips, monkeypatch):
    _, expected = made(sd, signer, clips)
    # Without code generation, which takes minutes on a CPU: what is compiled, and that the pipeline takes it.
    monkeypatch.setattr(torch, "compile", functools.partial(torch.compile, backend="eager"))
    generator, frames = made(sd, signer, clips, compile=True)
    networks = (generator.pipeline.unet, *generator.pipeline.controlnet.nets)
    assert all(type(network).__name__ == "OptimizedModule" for network in networks)
    assert np.abs(frames - expected).max() <= 1


@pytest.mark.skipif(torch.cuda.is_available(), reason="a GPU is here")
def test_what_needs_a_gpu_says_so(sd, signer):
    for settings, sentence in (({"device": "cuda"}, "no GPU"), ({"offload": "sequential"}, "needs a GPU to offload")):
        with pytest.raises(DiffSignError, match=sentence):
            Generator(sd.fetch(), signer, GenerateSettings(**settings))
