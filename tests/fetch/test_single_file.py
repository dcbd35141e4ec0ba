"""A base model in one file, in the layout of the original Stable Diffusion, is a base like any other."""

import json
import re
import shutil
import threading

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from diffsign.errors import DiffSignError
from diffsign.generate.encode import encode_signer

RESNET = {
    "norm1": "in_layers.0",
    "conv1": "in_layers.2",
    "time_emb_proj": "emb_layers.1",
    "norm2": "out_layers.0",
    "conv2": "out_layers.3",
    "conv_shortcut": "skip_connection",
}
AROUND = {
    "conv_in": "input_blocks.0.0",
    "time_embedding.linear_1": "time_embed.0",
    "time_embedding.linear_2": "time_embed.2",
    "conv_norm_out": "out.0",
    "conv_out": "out.2",
}
VAE = {
    "downsamplers.0": "downsample",
    "upsamplers.0": "upsample",
    "mid_block.attentions.0": "mid.attn_1",
    "conv_norm_out": "norm_out",
    "conv_shortcut": "nin_shortcut",
    "group_norm": "norm",
    "to_q": "q",
    "to_k": "k",
    "to_v": "v",
    "to_out.0": "proj_out",
}


def renamed(name, table):
    """Return a name whose first words, if the table has them, are the original's."""
    start = next((start for start in table if name.startswith(f"{start}.")), "")
    return table[start] + name[len(start) :] if start else name


def unet_name(name, layers, crossed):
    """Return the original's name of a tensor of the UNet; ``crossed`` tells of each block on the way up."""
    found = re.match(
        r"(down|up|mid)_blocks?\.(?:(\d+)\.)?(resnets|attentions|downsamplers|upsamplers)\.(\d+)\.(.*)", name
    )
    if found is None:
        return renamed(name, AROUND)
    way, block, kind, number, rest = found[1], int(found[2] or 0), found[3], int(found[4]), found[5]
    rest = renamed(rest, RESNET) if kind == "resnets" else rest
    if way == "mid":
        return f"middle_block.{2 * number if kind == 'resnets' else 1}.{rest}"
    if kind == "downsamplers":
        return f"input_blocks.{(block + 1) * (layers + 1)}.0.op.{rest.removeprefix('conv.')}"
    if kind == "upsamplers":
        return f"output_blocks.{block * (layers + 1) + layers}.{1 + crossed[block]}.{rest}"
    place = block * (layers + 1) + number + (way == "down")
    return f"{'input' if way == 'down' else 'output'}_blocks.{place}.{int(kind == 'attentions')}.{rest}"


def vae_name(name, blocks):
    """Return the original's name of a tensor of the autoencoder."""
    name = re.sub(r"up_blocks\.(\d+)", lambda found: f"up.{blocks - 1 - int(found[1])}", name).replace(
        "down_blocks", "down"
    )
    name = re.sub(r"(up|down)\.(\d+)\.resnets\.", r"\1.\2.block.", name)
    name = re.sub(r"mid_block\.resnets\.(\d)", lambda found: f"mid.block_{int(found[1]) + 1}", name)
    for ours, theirs in VAE.items():
        name = name.replace(f"{ours}.", f"{theirs}.")
    return name


def write_single_file(base, path):
    """Write a base model in diffusers' layout as one file of the original's."""
    unet, vae = (json.loads((base / part / "config.json").read_text()) for part in ("unet", "vae"))
    unets, vaes, texts = (
        load_file(next((base / part).glob("*.safetensors"))) for part in ("unet", "vae", "text_encoder")
    )
    crossed = [kind.startswith("Cross") for kind in unet["up_block_types"]]
    tensors = {
        f"model.diffusion_model.{unet_name(name, unet['layers_per_block'], crossed)}": value
        for name, value in unets.items()
    }
    for name, value in vaes.items():
        name = vae_name(name, len(vae["block_out_channels"]))
        linear = ".attn_1." in name and value.ndim == 2
        tensors[f"first_stage_model.{name}"] = value[..., None, None].contiguous() if linear else value
    for name, value in texts.items():
        name = name if name.startswith("text_model.") else f"text_model.{name}"
        tensors[f"cond_stage_model.transformer.{name}"] = value
    save_file(tensors, path)


@pytest.fixture
def single(own, tmp_path, monkeypatch):
    """A family whose base is one file, with its entry."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    file, configs = tmp_path / "my model@2.safetensors", tmp_path / "configs"
    write_single_file(own.folder / "base", file)
    shutil.copytree(own.folder / "base", configs, ignore=shutil.ignore_patterns("*.safetensors"))
    return own, {"id": str(file), "config": str(configs)}


def test_pictures_are_those_of_the_folder(single, clips):
    own, entry = single
    made = []
    for manifest in (own.fetch(), own.fetch(base=entry)):
        made.append(own.generate(encode_signer(manifest, text="a woman", device="cpu"), clips, manifest))
    assert manifest.base.path != str(own.folder / "base")
    assert np.array_equal(*made) and made[0].std() > 0


def test_it_is_laid_out_once(single):
    own, entry = single
    first = own.fetch(base=entry).base
    shutil.rmtree(entry["config"] + "/unet")
    assert own.fetch(base=entry).base == first


def test_two_at_once_lay_it_out_once(single, monkeypatch):
    own, entry = single
    plain, copied, others = shutil.copytree, [], []
    other = threading.Thread(target=lambda: others.append(own.fetch(base=entry).base))

    def slowly(*arguments, **options):
        if not copied:
            other.start()
            other.join(0.5)
        copied.append(arguments)
        return plain(*arguments, **options)

    monkeypatch.setattr(shutil, "copytree", slowly)
    base = own.fetch(base=entry).base
    other.join()
    assert others == [base]
    assert len(copied) == len({source for source, _ in copied})


def test_mistakes_say_what_to_do(single, tmp_path):
    own, entry = single
    with pytest.raises(DiffSignError, match=r"families\.tiny\.base\.config"):
        own.fetch(base=entry["id"])
    save_file({"lora.up": torch.zeros(2, 2)}, tmp_path / "lora.safetensors")
    with pytest.raises(DiffSignError, match="no whole Stable Diffusion"):
        own.fetch(base=entry | {"id": str(tmp_path / "lora.safetensors")})
    (tmp_path / "old.ckpt").write_bytes(b"pickle")
    with pytest.raises(DiffSignError, match=r"convert it to \.safetensors"):
        own.fetch(base=entry | {"id": str(tmp_path / "old.ckpt")})
    config = tmp_path / "configs/unet/config.json"
    config.write_text(json.dumps(json.loads(config.read_text()) | {"block_out_channels": [32, 96]}))
    with pytest.raises(DiffSignError, match="does not fit the configs"):
        own.fetch(base=entry)
    assert not list((tmp_path / "cache/diffsign/checkpoints").iterdir())
