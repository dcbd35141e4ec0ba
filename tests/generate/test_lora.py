"""LoRAs of signers and presets, made by PEFT and read through the stock pipeline beside ours."""

import dataclasses

import diffusers
import numpy as np
import peft
import pytest
import torch
import transformers
from safetensors.torch import load_file, save_file

from diffsign.config.family import parse_lora
from diffsign.config.generate import FetchSettings
from diffsign.errors import DiffSignError
from diffsign.generate.encode import encode_signer
from diffsign.models.fetch import fetch_family
from diffsign.records.conditioning import load_conditioning, save_conditioning
from tests.generate.conftest import tiny_definition
from tests.generate.test_generate import run

UNET_LAYERS = ["to_q", "to_k", "to_v", "to_out.0"]


def _lora_of(network, layers, seed):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network.add_adapter(peft.LoraConfig(r=4, lora_alpha=4, target_modules=layers), "default")
        for name, parameter in network.named_parameters():
            if "lora_B" in name:
                torch.nn.init.normal_(parameter, std=0.1)
    return peft.get_peft_model_state_dict(network, adapter_name="default")


def write_lora(tiny, folder, seed=0, words=False):
    """A LoRA of the UNet, and with ``words`` of the text encoder, as diffusers' training scripts write them."""
    unet = diffusers.UNet2DConditionModel.from_pretrained(tiny.folder / "base" / "unet")
    layers = {"unet_lora_layers": _lora_of(unet, UNET_LAYERS, seed)}
    if words:
        encoder = transformers.CLIPTextModel.from_pretrained(tiny.folder / "base" / "text_encoder")
        layers["text_encoder_lora_layers"] = _lora_of(encoder, ["q_proj", "v_proj"], seed)
    kind = diffusers.StableDiffusionXLPipeline if tiny.xl else diffusers.StableDiffusionPipeline
    kind.save_lora_weights(folder, **layers, weight_name=f"{seed}.safetensors")
    return folder / f"{seed}.safetensors"


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

    loras = {write_lora(sd, tmp_path, 1, words=True): 0.8, write_lora(sd, tmp_path, 2): 0.5}
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
    assert (run(sd, signer, clips) != run(sd, plain, clips)).any()
    # merged away: nothing of PEFT is left to pay for at every step
    assert not any("lora" in name for name, _ in ours.named_modules())


def test_the_names_of_kohya_are_read(sd, clips, tmp_path):
    path = write_lora(sd, tmp_path)
    by_name = [
        run(sd, encode_signer(sd.fetch(), text="a woman", device="cpu", loras=[str(file)]), clips)
        for file in (path, as_kohya(path))
    ]
    assert np.array_equal(*by_name)


def test_a_lora_goes_with_pictures_and_sdxl(tiny, picture, clips, tmp_path):
    path = write_lora(tiny, tmp_path)
    plain = encode_signer(tiny.fetch(), [picture], "a woman", device="cpu")
    signer = encode_signer(tiny.fetch(), [picture], "a woman", device="cpu", loras=[f"{path}:1.5"])
    assert (run(tiny, signer, clips) != run(tiny, plain, clips)).any()
    none = encode_signer(tiny.fetch(), [picture], "a woman", device="cpu", loras=[f"{path}:0"])
    assert np.array_equal(run(tiny, none, clips), run(tiny, plain, clips))


def family_with(tiny, path, **changes):
    loras = {"fast": {"id": str(path.parent), "file": path.name, "scale": 0.7}}
    presets = {"paper": {"steps": 2, "guidance_scale": 3.0}, "lcm": {"steps": 2, "guidance_scale": 1.0, "lora": "fast"}}
    presets["lcm"]["scheduler"] = {"name": "LCMScheduler"}
    return tiny_definition(tiny.folder, loras=loras, presets=presets, **changes)


def test_loras_of_the_family_go_by_name(sd, clips, tmp_path):
    path = write_lora(sd, tmp_path)
    family = family_with(sd, path)
    manifest = fetch_family("tiny", family, FetchSettings(loras=["fast"]))
    by_name = encode_signer(manifest, text="a woman", device="cpu", loras=["fast"])
    by_file = encode_signer(manifest, text="a woman", device="cpu", loras=[f"{path}:0.7"])
    assert by_name.loras == by_file.loras
    assert np.array_equal(run(sd, by_name, clips, manifest), run(sd, by_file, clips, manifest))
    # a preset's LoRA comes with the preset, and adds to the signer's
    fast = fetch_family("tiny", family, FetchSettings(preset="lcm"))
    plain = encode_signer(fast, text="a woman", device="cpu")
    twice = run(sd, by_name, clips, fast, preset="lcm")
    assert (twice != run(sd, plain, clips, fast, preset="lcm")).any()
    without = fast.model_copy(update={"loras": {}})
    with pytest.raises(DiffSignError, match="no LoRA 'fast', which the preset needs"):
        run(sd, plain, clips, without, preset="lcm")


@pytest.mark.parametrize("name", ["DPMSolverMultistepScheduler", "UniPCMultistepScheduler", "DDIMScheduler"])
def test_fast_presets_sample_whatever_the_chunks(sd, clips, name):
    presets = {"paper": {"steps": 4, "guidance_scale": 2.0, "scheduler": {"name": name}}}
    manifest = sd.fetch(presets=presets)
    signer = encode_signer(manifest, text="a woman", device="cpu")
    frames = run(sd, signer, clips, manifest)
    assert frames.std() > 0
    assert np.abs(frames.astype(int) - run(sd, signer, clips, manifest, batch_size=1)).max() <= 1


def test_a_conditioning_remembers_its_loras(sd, tmp_path):
    path = write_lora(sd, tmp_path)
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
    family = family_with(sd, write_lora(sd, tmp_path))
    manifest = fetch_family("tiny", family, FetchSettings(loras=["fast"]))
    with pytest.raises(DiffSignError, match=r"no LoRA 'fats' \(did you mean 'fast'"):
        encode_signer(manifest, text="x", loras=["fats"])
    with pytest.raises(DiffSignError, match=r"has no LoRA 'fats' \(did you mean 'fast'\?\); it has fast"):
        fetch_family("tiny", family, FetchSettings(loras=["fats"]))
    with pytest.raises(DiffSignError, match=r"LoRA 'none' .*none\.safetensors' does not exist"):
        encode_signer(manifest, text="x", loras=[str(tmp_path / "none.safetensors")])


def test_a_lora_of_another_base_is_refused(sd, sdxl, tmp_path):
    path = write_lora(sdxl, tmp_path)
    for file in (path, as_kohya(path)):
        with pytest.raises(DiffSignError, match="is for width 32; the base model is width 16"):
            encode_signer(sd.fetch(), text="x", device="cpu", loras=[str(file)])
    own = write_lora(sd, tmp_path, 1)
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
    path = write_lora(sd, tmp_path)
    whole = path.read_bytes()
    path.write_bytes(whole[:-100])
    with pytest.raises(DiffSignError, match="is cut short"):
        encode_signer(sd.fetch(), text="x", device="cpu", loras=[str(path)])
    with pytest.raises(DiffSignError, match="holds no LoRA tensors"):
        encode_signer(
            sd.fetch(), text="x", device="cpu", loras=[str(sd.folder / "base/unet/diffusion_pytorch_model.safetensors")]
        )


def test_pictures_encoded_for_another_kind_of_adapter_are_refused(sd, picture, clips):
    adapter = {"id": str(sd.folder / "adapters"), "image_encoder": {"id": str(sd.folder / "image_encoder")}}
    plus = sd.fetch(ip_adapter=adapter | {"file": "plus.safetensors"})
    signer = encode_signer(sd.fetch(), [picture], device="cpu")
    with pytest.raises(DiffSignError, match=r"one embedding, as plain ones take, but the adapter .* is plus"):
        run(sd, signer, clips, plus)
    assert run(sd, encode_signer(plus, [picture], device="cpu"), clips, plus).std() > 0
    # the same picture twice says what it says once
    twice = encode_signer(plus, [picture, picture], device="cpu")
    once = dataclasses.replace(
        twice, image_embeds=twice.image_embeds[:, :1], negative_image_embeds=twice.negative_image_embeds[:, :1]
    )
    both = [run(sd, which, clips, plus).astype(int) for which in (once, twice)]
    assert np.abs(both[0] - both[1]).max() <= 1
