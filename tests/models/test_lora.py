"""LoRAs of signers and presets, made by PEFT and read through the stock pipeline beside ours."""

import dataclasses

import diffusers
import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from diffsign.config.family import parse_lora
from diffsign.config.generate import FetchSettings
from diffsign.errors import DiffSignError
from diffsign.fetch.stage import fetch_family
from diffsign.generate.encode import encode_signer
from diffsign.records.conditioning import load_conditioning, save_conditioning


def as_kohya(path):
    """The same LoRA with the names of kohya's trainer, which most LoRAs on the web have."""
    tensors = {}
    for name, tensor in load_file(path).items():
        layer, _, matrix = name.removeprefix("unet.").partition(".lora_")
        layer = "lora_unet_" + layer.replace(".", "_")
        tensors[f"{layer}.lora_{'down' if matrix[0] == 'A' else 'up'}.weight"] = tensor
        tensors[f"{layer}.alpha"] = torch.tensor(4.0)
    save_file(tensors, path.with_name("kohya.safetensors"))
    return path.with_name("kohya.safetensors")


def stock(tiny, loras, text):
    """Prompt embeddings and one prediction of the stock pipeline with LoRAs switched on, not merged."""
    pipeline = diffusers.StableDiffusionPipeline.from_pretrained(
        tiny.folder / "base", safety_checker=None, feature_extractor=None, requires_safety_checker=False
    )
    for number, path in enumerate(loras):
        pipeline.load_lora_weights(load_file(path), adapter_name=str(number))
    pipeline.set_adapters([str(number) for number in range(len(loras))], list(loras.values()))
    return pipeline, pipeline.encode_prompt(text, "cpu", 1, True, "low quality")[0]


def test_loras_add_up_as_in_the_stock_pipeline(sd, clips, tmp_path):
    from diffsign.config.generate import GenerateSettings
    from diffsign.generate.generator import Generator

    loras = {sd.write_lora(tmp_path, 1, words=True): 0.8, sd.write_lora(tmp_path, 2): 0.5}
    manifest = sd.fetch()
    signer = encode_signer(
        manifest, text="a woman", device="cpu", loras=[f"{path}:{scale}" for path, scale in loras.items()]
    )
    plain = encode_signer(manifest, text="a woman", device="cpu")
    pipeline, words = stock(sd, loras, "a woman")
    assert torch.allclose(signer.prompt_embeds, words, atol=1e-5)
    assert (plain.prompt_embeds - words).abs().max() > 1e-3
    ours = Generator(manifest, signer, GenerateSettings(device="cpu")).pipeline.unet
    noise = torch.randn(1, 4, 8, 12, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        first = ours(noise, 500, words).sample
        second = pipeline.unet(noise, 500, words).sample
    assert torch.allclose(first, second, atol=1e-4)
    assert (sd.generate(signer, clips) != sd.generate(plain, clips)).any()
    # merged away: nothing of PEFT is left to pay for at every step
    assert not any("lora" in name for name, _ in ours.named_modules())


def test_the_names_of_kohya_are_read(sd, clips, tmp_path):
    path = sd.write_lora(tmp_path)
    by_name = [
        sd.generate(encode_signer(sd.fetch(), text="a woman", device="cpu", loras=[str(file)]), clips)
        for file in (path, as_kohya(path))
    ]
    assert np.array_equal(*by_name)


def test_a_lora_goes_with_pictures_and_sdxl(tiny, picture, clips, tmp_path):
    path = tiny.write_lora(tmp_path)
    plain = encode_signer(tiny.fetch(), [picture], "a woman", device="cpu")
    signer = encode_signer(tiny.fetch(), [picture], "a woman", device="cpu", loras=[f"{path}:1.5"])
    assert (tiny.generate(signer, clips) != tiny.generate(plain, clips)).any()
    none = encode_signer(tiny.fetch(), [picture], "a woman", device="cpu", loras=[f"{path}:0"])
    assert np.array_equal(tiny.generate(none, clips), tiny.generate(plain, clips))


def family_with(tiny, path, **changes):
    loras = {"fast": {"id": str(path.parent), "file": path.name, "scale": 0.7}}
    presets = {"paper": {"steps": 2, "guidance_scale": 3.0}, "lcm": {"steps": 2, "guidance_scale": 1.0, "lora": "fast"}}
    presets["lcm"]["scheduler"] = {"name": "LCMScheduler"}
    return tiny.definition(loras=loras, presets=presets, **changes)


def test_loras_of_the_family_go_by_name(sd, clips, tmp_path):
    path = sd.write_lora(tmp_path)
    family = family_with(sd, path)
    manifest = fetch_family("tiny", family, FetchSettings(loras=["fast"]))
    by_name = encode_signer(manifest, text="a woman", device="cpu", loras=["fast"])
    by_file = encode_signer(manifest, text="a woman", device="cpu", loras=[f"{path}:0.7"])
    assert by_name.loras == by_file.loras
    assert np.array_equal(sd.generate(by_name, clips, manifest), sd.generate(by_file, clips, manifest))
    # a preset's LoRA comes with the preset, and adds to the signer's
    fast = fetch_family("tiny", family, FetchSettings(preset="lcm"))
    plain = encode_signer(fast, text="a woman", device="cpu")
    twice = sd.generate(by_name, clips, fast, preset="lcm")
    assert (twice != sd.generate(plain, clips, fast, preset="lcm")).any()
    without = fast.model_copy(update={"loras": {}})
    with pytest.raises(DiffSignError, match="no LoRA 'fast', which the preset needs"):
        sd.generate(plain, clips, without, preset="lcm")


@pytest.mark.parametrize("name", ["DPMSolverMultistepScheduler", "UniPCMultistepScheduler", "DDIMScheduler"])
def test_fast_presets_sample_whatever_the_chunks(sd, clips, name):
    presets = {"paper": {"steps": 4, "guidance_scale": 2.0, "scheduler": {"name": name}}}
    manifest = sd.fetch(presets=presets)
    signer = encode_signer(manifest, text="a woman", device="cpu")
    frames = sd.generate(signer, clips, manifest)
    assert frames.std() > 0
    assert np.abs(frames.astype(int) - sd.generate(signer, clips, manifest, batch_size=1)).max() <= 1


def test_a_conditioning_remembers_its_loras(sd, tmp_path):
    path = sd.write_lora(tmp_path)
    signer = encode_signer(sd.fetch(), text="a woman", device="cpu", loras=[f"{path}:0.25"])
    save_conditioning(tmp_path / "c.safetensors", signer)
    back = load_conditioning(tmp_path / "c.safetensors")
    assert [(lora.path, lora.scale) for lora in back.loras] == [(str(path), 0.25)]
    path.unlink()
    with pytest.raises(DiffSignError, match=r"names the LoRA .* which is gone; run diffsign encode again"):
        load_conditioning(tmp_path / "c.safetensors")


def test_names_and_scales_are_checked(sd, tmp_path):
    assert parse_lora("zwx") == ("zwx", None)
    assert parse_lora("a/b.safetensors:0.8") == ("a/b.safetensors", 0.8)
    for wrong in ("zwx:3", "zwx:much", ":1", "zwx:-1"):
        with pytest.raises(DiffSignError, match="scale from 0 to 2"):
            parse_lora(wrong)
    family = family_with(sd, sd.write_lora(tmp_path))
    manifest = fetch_family("tiny", family, FetchSettings(loras=["fast"]))
    with pytest.raises(DiffSignError, match=r"no LoRA 'fats' \(did you mean 'fast'"):
        encode_signer(manifest, text="x", loras=["fats"])
    with pytest.raises(DiffSignError, match=r"has no LoRA 'fats' \(did you mean 'fast'\?\); it has fast"):
        fetch_family("tiny", family, FetchSettings(loras=["fats"]))
    with pytest.raises(DiffSignError, match=r"LoRA 'none' .*none\.safetensors' does not exist"):
        encode_signer(manifest, text="x", loras=[str(tmp_path / "none.safetensors")])


def test_a_lora_of_another_base_is_refused(sd, sdxl, tmp_path):
    path = sdxl.write_lora(tmp_path)
    for file in (path, as_kohya(path)):
        with pytest.raises(DiffSignError, match="is for width 32; the base model is width 16"):
            encode_signer(sd.fetch(), text="x", device="cpu", loras=[str(file)])
    own = sd.write_lora(tmp_path, 1)
    tensors = load_file(own)
    selfish = {n: torch.zeros(4, 99) if "attn1.to_q.lora_A" in n else t for n, t in tensors.items()}
    save_file(selfish, own)
    with pytest.raises(DiffSignError, match=r"another base model: its layer \w+attn1_to_q takes 99 channels"):
        encode_signer(sd.fetch(), text="x", device="cpu", loras=[str(own)])
    elsewhere = {name.replace("_blocks.", "_blocks.7"): tensor for name, tensor in tensors.items()}
    save_file({n: t for n, t in elsewhere.items() if "mid_block" not in n}, own)
    with pytest.raises(DiffSignError, match="another base model: this one has no layer"):
        encode_signer(sd.fetch(), text="x", device="cpu", loras=[str(own)])


def test_a_lora_that_is_damaged_or_none_is_said(sd, tmp_path):
    path = sd.write_lora(tmp_path)
    whole = path.read_bytes()
    path.write_bytes(whole[:-100])
    with pytest.raises(DiffSignError, match="is cut short"):
        encode_signer(sd.fetch(), text="x", device="cpu", loras=[str(path)])
    with pytest.raises(DiffSignError, match="holds no LoRA tensors"):
        encode_signer(
            sd.fetch(), text="x", device="cpu", loras=[str(sd.folder / "base/unet/diffusion_pytorch_model.safetensors")]
        )


def test_pictures_encoded_for_another_kind_of_adapter_are_refused(sd, picture, clips):
    plus = sd.fetch(ip_adapter=sd.adapter("plus.safetensors"))
    signer = encode_signer(sd.fetch(), [picture], device="cpu")
    with pytest.raises(DiffSignError, match=r"one embedding, as plain ones take, but the adapter .* is plus"):
        sd.generate(signer, clips, plus)
    assert sd.generate(encode_signer(plus, [picture], device="cpu"), clips, plus).std() > 0
    # the same picture twice says what it says once
    twice = encode_signer(plus, [picture, picture], device="cpu")
    once = dataclasses.replace(
        twice, image_embeds=twice.image_embeds[:, :1], negative_image_embeds=twice.negative_image_embeds[:, :1]
    )
    both = [sd.generate(which, clips, plus).astype(int) for which in (once, twice)]
    assert np.abs(both[0] - both[1]).max() <= 1
