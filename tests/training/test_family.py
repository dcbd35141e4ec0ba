"""The demo family's architecture: the stock pipelines load and run it."""

import json

import numpy as np
import pytest
import torch
from diffusers import ControlNetModel, DDIMScheduler, StableDiffusionControlNetPipeline
from PIL import Image

from diffsign.training.architecture import CONTROLS, build_family, cosine_basis, linear_encoder
from diffsign.training.attributes import Attributes, caption, vocabulary
from diffsign.training.layout import load_family, read_card, save_family


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """An untrained family: everything of the trained one but what it has learned."""
    card = {"family": "demo", "trained": False, "seed": 3}
    return save_family(tmp_path_factory.mktemp("family") / "demo", build_family(3), card)


def pipeline(folder):
    nets = [
        ControlNetModel.from_pretrained(folder / f"controlnet_{name}", torch_dtype=torch.float32) for name in CONTROLS
    ]
    pipe = StableDiffusionControlNetPipeline.from_pretrained(folder, controlnet=nets, torch_dtype=torch.float32)
    pipe.set_progress_bar_config(disable=True)
    return pipe


def draw(pipe, size=64, **options):
    control = [Image.fromarray(np.full((size, size, 3), 40 * i, np.uint8)) for i in range(len(CONTROLS))]
    return pipe(
        "a person in a red shirt",
        image=control,
        num_inference_steps=2,
        guidance_scale=1.5,
        generator=torch.Generator().manual_seed(0),
        output_type="np",
        **options,
    ).images[0]


def test_stock_pipeline_runs_it_and_the_prompt_and_the_picture_matter(folder):
    pipe = pipeline(folder)
    assert isinstance(pipe.scheduler, DDIMScheduler)
    assert pipe.vae_scale_factor == 4
    assert {p.dtype for p in pipe.text_encoder.parameters()} == {torch.float32}
    plain = draw(pipe)
    assert plain.shape == (64, 64, 3)
    assert np.isfinite(plain).all()
    pipe.load_ip_adapter(str(folder), subfolder="ip_adapter", weight_name="ip-adapter_demo.safetensors")
    pictures = [Image.fromarray(np.full((80, 80, 3), colour, np.uint8)) for colour in ((255, 0, 0), (0, 0, 255))]
    red, blue = (draw(pipe, ip_adapter_image=picture) for picture in pictures)
    assert np.abs(red - blue).max() > 1e-6
    assert np.array_equal(red, draw(pipe, ip_adapter_image=pictures[0]))


def test_family_says_that_it_is_untrained_and_is_small(folder):
    assert read_card(folder)["trained"] is False
    assert sum(f.stat().st_size for f in folder.rglob("*") if f.is_file()) < 25 * 2**20
    assert json.loads((folder / "model_index.json").read_text())["vae"] == ["diffusers", "AutoencoderTiny"]


def test_family_reads_back_what_was_written(folder):
    back, built = load_family(folder), build_family(seed=3)
    for name, module in built.modules().items():
        for key, value in module.state_dict().items():
            same = back.modules()[name].state_dict()[key]
            assert torch.equal(same, value.half().float() if value.is_floating_point() else value), (name, key)


def test_linear_encoder_projects_patches():
    family = build_family()
    basis, mean = torch.randn(8, 3, 4, 4), torch.randn(8)
    linear_encoder(family.vae, basis, mean)
    picture = torch.rand(2, 3, 16, 12)
    patches = torch.nn.functional.conv2d(picture, basis, stride=4) - mean[:, None, None]
    assert torch.allclose(family.vae.encode(picture * 2 - 1).latents, patches, atol=1e-5)


def test_cosine_basis_centres_grey():
    basis, mean = cosine_basis()
    grey = torch.full((1, 3, 4, 4), 0.5)
    assert torch.allclose(torch.nn.functional.conv2d(grey, basis).flatten(), mean, atol=1e-6)


def test_every_word_of_a_caption_is_one_token():
    tokenizer = build_family().tokenizer
    assert [word for word in vocabulary() if len(tokenizer(word).input_ids) != 3] == []
    rng = np.random.default_rng(0)
    for _ in range(200):
        text = caption(Attributes.random(rng), rng)
        ids = tokenizer(text).input_ids
        assert len(ids) <= 32
        assert tokenizer.decode(ids, skip_special_tokens=True).replace(" ", "") == text.replace(" ", "")
    assert tokenizer("Zeppelin 42 é").input_ids[1:-1]


def test_caption_names_what_it_should():
    attributes = Attributes(shirt="red", skin="dark", hair="blond", sleeves="short", background="blue")
    assert (
        caption(attributes)
        == "a person with dark skin, with blond hair, in a red short-sleeved shirt, on a blue background"
    )
    assert caption(attributes, named=frozenset({"shirt"})) == "a person in a red shirt"
    assert caption(attributes, named=frozenset()) == "a person"
