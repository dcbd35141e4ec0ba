import dataclasses
import json
import logging

import numpy as np
import pytest
import torch
from PIL import Image

from diffsign.config.family import resolve_families
from diffsign.config.generate import GenerateSettings
from diffsign.errors import DiffSignError
from diffsign.generate.chunks import chunk_range, order_chunks, parse_chunk
from diffsign.generate.encode import encode_signer
from diffsign.generate.generator import Generator
from diffsign.generate.join import joined_frames
from diffsign.generate.side_by_side import side_by_side
from diffsign.generate.sources import check_controls
from diffsign.models.pictures import read_reference
from diffsign.models.sizing import Sizing, chosen_size
from diffsign.records.clip import ClipInfo, iter_clip, probe_clip, read_clip, write_clip
from diffsign.records.conditioning import load_conditioning, save_conditioning
from diffsign.records.manifest import save_manifest

CPU = {"device": "cpu", "batch_size": 2}


@pytest.fixture(scope="module")
def worded(sd):
    return encode_signer(sd.fetch(), text="a woman in a red shirt", device="cpu")


# Encoding


def test_a_signer_by_words_picture_or_both(tiny, picture, tmp_path):
    manifest = tiny.fetch()
    text = encode_signer(manifest, text="a woman", device="cpu")
    image = encode_signer(manifest, [picture, picture], device="cpu")
    both = encode_signer(manifest, [picture], text="a woman", device="cpu")
    assert [c.kind for c in (text, image, both)] == ["text", "image", "multimodal"]
    assert text.prompt_embeds.shape == (1, 20, 32 if tiny.xl else 16)
    assert (text.pooled_prompt_embeds is not None) == tiny.xl
    assert image.prompt == manifest.family.prompt and image.negative == "low quality"
    assert image.image_embeds.shape == (1, 2, 24) and not image.negative_image_embeds.any()
    assert torch.equal(both.prompt_embeds, text.prompt_embeds)
    assert torch.equal(both.image_embeds[:, 0], image.image_embeds[:, 1])
    save_conditioning(tmp_path / "c.safetensors", both)
    first = (tmp_path / "c.safetensors").read_bytes()
    for _ in range(5):
        save_conditioning(tmp_path / "c.safetensors", both)
        assert (tmp_path / "c.safetensors").read_bytes() == first
    back = load_conditioning(tmp_path / "c.safetensors")
    assert (back.kind, back.prompt, back.images) == ("multimodal", "a woman", ("signer.png",))
    assert torch.equal(back.image_embeds, both.image_embeds)


def test_full_adapters_take_hidden_states(sd, picture):
    manifest = sd.fetch(ip_adapter=sd.adapter("full.safetensors"))
    signer = encode_signer(manifest, [picture], device="cpu")
    assert signer.image_embeds.shape == (1, 1, 5, 32)  # one class token and 2×2 patches
    assert signer.negative_image_embeds.any()


def test_embeddings_are_those_of_the_stock_pipeline(sd, picture):
    import diffusers
    import transformers

    vision = transformers.CLIPVisionModelWithProjection.from_pretrained(sd.folder / "image_encoder")
    processor = transformers.CLIPImageProcessor(size={"shortest_edge": 16}, crop_size={"height": 16, "width": 16})
    stock = diffusers.StableDiffusionPipeline.from_pretrained(
        sd.folder / "base", safety_checker=None, feature_extractor=processor, image_encoder=vision
    )
    prompt, negative = stock.encode_prompt("a red shirt", "cpu", 1, True, "blue")
    embeds, _ = stock.encode_image(Image.open(picture), "cpu", 1)
    ours = encode_signer(sd.fetch(), [picture], "a red shirt", "blue", "cpu")
    assert torch.equal(ours.prompt_embeds, prompt) and torch.equal(ours.negative_prompt_embeds, negative)
    assert torch.allclose(ours.image_embeds[0], embeds, atol=1e-6)


def test_a_picture_that_is_not_square_is_told(tmp_path, caplog):
    Image.new("RGB", (40, 20)).save(tmp_path / "wide.png")
    Image.new("RGB", (40, 40)).save(tmp_path / "square.png")
    with caplog.at_level(logging.WARNING):
        read_reference(tmp_path / "square.png")
        assert not caplog.records
        read_reference(tmp_path / "wide.png")
    assert "40×20, not square" in caplog.text and "wide.png" in caplog.text


def test_transparent_pictures_lie_on_white(tmp_path):
    Image.new("RGBA", (4, 4), (255, 0, 0, 0)).save(tmp_path / "a.png")
    assert read_reference(tmp_path / "a.png").getpixel((0, 0)) == (255, 255, 255)


@pytest.mark.parametrize("content", [b"no picture at all", b"\x89PNG\r\n\x1a\n broken"])
def test_what_is_no_picture_is_refused(tmp_path, content):
    (tmp_path / "ref.png").write_bytes(content)
    with pytest.raises(DiffSignError, match=r"ref\.png' is not a picture"):
        read_reference(tmp_path / "ref.png")


def test_a_signer_needs_something(sd):
    with pytest.raises(DiffSignError, match="neither came"):
        encode_signer(sd.fetch(), text="  ")


def test_a_picture_needs_an_adapter(sd, picture):
    with pytest.raises(DiffSignError, match="no IP-Adapter"):
        encode_signer(sd.fetch(ip_adapter=None), [picture], device="cpu")


def test_words_that_clip_cuts_off_are_told(sd, caplog):
    with caplog.at_level(logging.WARNING):
        encode_signer(sd.fetch(), text="red " * 30, device="cpu")
    assert "CLIP reads 20 tokens" in caplog.text


# Generating


def test_every_kind_of_signer_goes_one_way(tiny, picture, clips):
    manifest = tiny.fetch()
    made = {}
    for name, given in {
        "text": {"text": "a woman"},
        "image": {"images": [picture]},
        "both": {"images": [picture], "text": "a woman"},
    }.items():
        signer = encode_signer(manifest, device="cpu", **given)
        made[name] = tiny.generate(signer, clips, manifest)
        assert made[name].shape == (5, 16, 24, 3) and made[name].std() > 0
    assert (made["text"] != made["image"]).any() and (made["both"] != made["image"]).any()
    # A picture of no weight leaves the words alone.
    assert np.array_equal(tiny.generate(signer, clips, manifest, ip_adapter_scale=0), made["text"])


def test_the_result_is_that_of_the_stock_pipeline(sd, picture, clips):
    """From raw prompt and picture through diffusers as its documentation shows it."""
    import diffusers
    import transformers

    nets = [diffusers.ControlNetModel.from_pretrained(sd.folder / name) for name in ("pose", "canny")]
    stock = diffusers.StableDiffusionControlNetPipeline.from_pretrained(
        sd.folder / "base",
        controlnet=nets,
        safety_checker=None,
        feature_extractor=transformers.CLIPImageProcessor(size=16, crop_size=16),
        image_encoder=transformers.CLIPVisionModelWithProjection.from_pretrained(sd.folder / "image_encoder"),
    )
    stock.set_progress_bar_config(disable=True)
    stock.load_ip_adapter(str(sd.folder), subfolder="adapters", weight_name="plain.bin", image_encoder_folder=None)
    stock.set_ip_adapter_scale(0.5)
    controls = [Image.fromarray(read_clip(clips / f"{name}.mkv")[0][1]) for name in ("pose", "canny")]
    expected = stock(
        prompt="a woman",
        negative_prompt="low quality",
        ip_adapter_image=Image.open(picture),
        image=controls,
        num_inference_steps=2,
        guidance_scale=3.0,
        controlnet_conditioning_scale=[1.0, 1.0],
        generator=torch.Generator().manual_seed(42),
        output_type="np",
    ).images[0]
    ours = sd.generate(encode_signer(sd.fetch(), [picture], "a woman", device="cpu"), clips, batch_size=1)[1]
    assert np.abs(ours - np.round(expected * 255)).max() <= 1


def test_a_frame_is_the_same_whatever_the_chunks(sd, worded, clips):
    whole = sd.generate(worded, clips)
    generator = Generator(sd.fetch(), worded, GenerateSettings(**CPU))
    for chunks in (2, 3, 5):
        parts = []
        for chunk in range(1, chunks + 1):
            streams = {name: iter_clip(clips / f"{name}.mkv") for name in generator.controls}
            wanted = chunk_range(5, chunk, chunks, 2)
            parts += list(generator.frames(streams, 5, wanted, Sizing.of(24, 16, 2)))
        assert np.array_equal(np.stack(parts), whole)


@pytest.mark.parametrize("noise", ["shared", "frame"])
def test_threads_compute_windows_side_by_side_and_change_nothing(sd, worded, clips, noise):
    generator = Generator(sd.fetch(), worded, GenerateSettings(**CPU, noise=noise))
    before = generator.pipeline.scheduler
    results = []
    for threads in (1, 2, 4):
        streams = {name: iter_clip(clips / f"{name}.mkv") for name in generator.controls}
        results.append(np.stack(list(generator.frames(streams, 5, range(5), Sizing.of(24, 16, 2), threads=threads))))
    assert np.array_equal(results[0], results[1]) and np.array_equal(results[0], results[2])
    assert generator.pipeline.scheduler is before


def test_side_by_side_is_in_order_reads_no_further_than_it_works_and_passes_errors_on():
    read = []

    def items():
        for number in range(20):
            read.append(number)
            yield number

    def work(worker, number):
        if number == 9:
            raise DiffSignError("nine")
        return number * 10

    results = side_by_side(work, items(), ["a", "b", "c"])
    assert [next(results) for _ in range(5)] == [0, 10, 20, 30, 40] and max(read) <= 8
    with pytest.raises(DiffSignError, match="nine"):
        list(results)


def test_seeds_and_noise(sd, worded, clips):
    first = sd.generate(worded, clips, seed=1)
    assert np.array_equal(first, sd.generate(worded, clips, seed=1))
    assert (first != sd.generate(worded, clips, seed=2)).any()
    generator = Generator(sd.fetch(), worded, GenerateSettings(**CPU, seed=1))
    sizing = Sizing.of(24, 16, generator.factor)
    shared, _ = generator.noise(range(2, 4), sizing)
    assert torch.equal(shared[0], shared[1])
    generator = Generator(sd.fetch(), worded, GenerateSettings(**CPU, seed=1, noise="frame"))
    own, _ = generator.noise(range(2, 4), sizing)
    assert not torch.equal(own[0], own[1])
    assert torch.equal(own[1], generator.noise(range(3, 4), sizing)[0][0])


def test_controls_steer_and_scale_zero_leaves_one_out(sd, worded, clips):
    both = sd.generate(worded, clips)
    assert (both[0] != both[1]).any()  # same noise, other control pictures
    pose = sd.generate(worded, clips, controls={"pose": 1.0})
    assert (pose != both).any()
    assert np.array_equal(pose, sd.generate(worded, clips, controls={"pose": 1.0, "canny": 0.0}))
    assert (sd.generate(worded, clips, controls={"pose": 0.3}) != pose).any()


def test_guidance_steps_and_schedulers_count(sd, worded, clips):
    plain = sd.generate(worded, clips)
    assert (sd.generate(worded, clips, guidance_scale=6.0) != plain).any()
    assert (sd.generate(worded, clips, steps=3) != plain).any()
    presets = {
        "paper": {"steps": 2, "guidance_scale": 3.0},
        "lcm": {"steps": 2, "guidance_scale": 1.0, "scheduler": {"name": "LCMScheduler"}},
    }
    manifest = sd.fetch(presets=presets)
    fast = sd.generate(worded, clips, manifest, preset="lcm")
    assert (fast != plain).any()
    # LCM draws noise at every step: per frame, so that batches do not matter.
    assert np.abs(sd.generate(worded, clips, manifest, preset="lcm", batch_size=1).astype(int) - fast).max() <= 1


def test_what_is_missing_is_said(sd, worded, clips):
    manifest = sd.fetch()
    with pytest.raises(DiffSignError, match="no ControlNet for depth"):
        Generator(manifest, worded, GenerateSettings(controls={"depth": 1.0}))
    with pytest.raises(DiffSignError, match=r"no preset 'papper' \(did you mean 'paper'"):
        Generator(manifest, worded, GenerateSettings(preset="papper"))
    with pytest.raises(DiffSignError, match="encoded for family 'other'"):
        Generator(manifest, dataclasses.replace(worded, family="other"), GenerateSettings())
    odd = manifest.family.model_copy(
        update={"presets": sd.fetch(presets={"paper": {"scheduler": {"name": "DDIMMScheduler"}}}).family.presets}
    )
    with pytest.raises(DiffSignError, match="did you mean 'DDIMScheduler'"):
        Generator(manifest.model_copy(update={"family": odd}), worded, GenerateSettings(device="cpu"))
    if not torch.cuda.is_available():
        with pytest.raises(DiffSignError, match="no GPU"):
            Generator(manifest, worded, GenerateSettings(device="cuda"))
        with pytest.raises(DiffSignError, match="offload model needs a GPU"):
            Generator(manifest, worded, GenerateSettings(offload="model"))


# Chunks and sizes


def test_chunks_cover_the_clip_in_whole_batches():
    for frames in (1, 2, 7, 16, 17, 50):
        for chunks in (1, 2, 3, 8, 60):
            for batch in (1, 4, 8):
                ranges = [chunk_range(frames, n, chunks, batch) for n in range(1, chunks + 1)]
                assert [f for r in ranges for f in r] == list(range(frames))
                assert chunks > frames or all(ranges)
                if chunks <= -(-frames // batch):
                    assert all(r.start % batch == 0 for r in ranges)


def test_chunk_names():
    assert parse_chunk("3-of-12") == (3, 12)
    for wrong in ("3", "0-of-2", "3-of-2", "a-of-b", "1-of-0"):
        with pytest.raises(DiffSignError, match="expected i-of-n"):
            parse_chunk(wrong)
    names = [f"{n}-of-11.mkv" for n in range(1, 12)]
    assert [p.name for p in order_chunks(sorted(names))] == names
    with pytest.raises(DiffSignError, match="2-of-11 is missing"):
        order_chunks([name for name in names if name[:2] != "2-"])
    with pytest.raises(DiffSignError, match="different cuts"):
        order_chunks(["1-of-2.mkv", "2-of-3.mkv"])


def test_sizes_are_fitted_padded_and_cut_back():
    sizing = Sizing.of(30, 20, 8)
    assert (sizing.padded_width, sizing.padded_height) == (32, 24)
    control = sizing.control(np.full((40, 40, 3), 200, np.uint8))
    assert control.shape == (24, 32, 3)
    assert (control[:20, 5:25] == 200).all() and control.sum() == 200 * 20 * 20 * 3
    result = sizing.result(np.ones((2, 24, 32, 3)))
    assert result.shape == (2, 20, 30, 3) and (result == 255).all()
    same = np.random.default_rng(0).integers(0, 255, (16, 24, 3), dtype=np.uint8)
    assert np.array_equal(Sizing.of(24, 16, 8).control(same), same)


def test_the_size_is_the_settings_or_the_family_s_or_the_clip_s():
    wide, tall = ClipInfo(640, 480, 24.0, 9), ClipInfo(360, 640, 24.0, 9)
    families = resolve_families()
    demo, sd15 = families["demo"], families["sd15"]
    none = GenerateSettings()
    assert chosen_size(sd15, none, wide) == (1024, 1024)
    assert chosen_size(demo, none, wide) == (344, 256) and chosen_size(demo, none, tall) == (256, 456)
    assert chosen_size(demo, GenerateSettings(height=512), wide) == (680, 512)
    assert chosen_size(sd15, GenerateSettings(width=320), wide) == (320, 240)
    assert chosen_size(sd15, GenerateSettings(width=320, height=320), wide) == (320, 320)
    assert chosen_size(sd15.model_copy(update={"width": None, "height": None}), none, wide) == (640, 480)


def test_control_clips_must_match(tmp_path, clips):
    write_clip(tmp_path / "short.mkv", np.zeros((3, 16, 24, 3), np.uint8), 24)
    with pytest.raises(DiffSignError, match=r"pose is 24×16, 5 frames at 24/s, canny 24×16, 3 frames"):
        check_controls({"pose": clips / "pose.mkv", "canny": tmp_path / "short.mkv"}, {"pose": 1.0, "canny": 1.0})
    with pytest.raises(DiffSignError, match="give its clip with --canny"):
        check_controls({"pose": clips / "pose.mkv"}, {"pose": 1.0, "canny": 1.0})


def test_joining_counts_the_frames(tmp_path):
    for chunk, count in ((1, 2), (2, 3)):
        frames = np.full((count, 16, 24, 3), 40 * chunk, np.uint8)
        write_clip(tmp_path / f"{chunk}-of-2.mkv", frames, 24)
    paths = list(tmp_path.glob("*.mkv"))
    frames = list(joined_frames(paths, ClipInfo(24, 16, 24.0, 5)))
    assert [int(f.mean()) for f in frames] == [40, 40, 80, 80, 80]
    with pytest.raises(DiffSignError, match="5 frames together, the source 6"):
        list(joined_frames(paths, ClipInfo(24, 16, 24.0, 6)))
    with pytest.raises(DiffSignError, match="at 24 frames/s, expected 24×16 at 30"):
        list(joined_frames(paths, ClipInfo(24, 16, 30.0, 5)))


# By hand


def test_the_commands_make_a_clip(sd, clips, picture, tmp_path, diffsign):
    manifest, signer = tmp_path / "tiny.json", tmp_path / "who.safetensors"
    save_manifest(manifest, sd.fetch())
    diffsign("encode", manifest, signer, "--image", picture, "--text", "a man", "--device", "cpu")
    controls = ["--pose", clips / "pose.mkv", "--canny", clips / "canny.mkv"]
    folder = tmp_path / "chunks"
    for number in range(1, 8):  # more chunks than frames: the last two are fillers
        out = folder / f"{number}-of-7.mkv"
        diffsign("generate", manifest, signer, out, *controls, "--chunk", f"{number}-of-7", "--batch-size", 2)
    whole = tmp_path / "1-of-1.mkv"
    diffsign("generate", manifest, signer, whole, *controls, "--batch-size", 2)
    clip = tmp_path / "clip.mkv"
    chunks = sorted(folder.iterdir(), reverse=True)
    diffsign("join", *chunks, clip, "--source", clips / "pose.mkv", "--preview", tmp_path / "clip.mp4")
    assert np.array_equal(read_clip(clip)[0], read_clip(whole)[0])
    assert probe_clip(tmp_path / "clip.mp4").frames == 5


def test_a_failed_run_leaves_nothing(manifest_file, tmp_path, diffsign):
    with pytest.raises(DiffSignError, match="does not exist"):
        diffsign("encode", manifest_file, tmp_path / "o.safetensors", "--image", tmp_path / "no.png")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["tiny.json"]


@pytest.fixture
def loads(monkeypatch):
    """Count how often networks are loaded."""
    from diffsign.generate import generator

    calls, load = [], generator.load_pipeline
    monkeypatch.setattr(generator, "load_pipeline", lambda *given: calls.append(given) or load(*given))
    return calls


def test_signers_of_one_command_share_networks_and_are_what_they_are_alone(
    sd, clips, picture, tmp_path, manifest_file, diffsign, loads
):
    given = {"words": ["--text", "a man"], "image": ["--image", picture], "both": ["--text", "x", "--image", picture]}
    lora = sd.write_lora(tmp_path)
    given["lora"] = ["--text", "a man", "--lora", lora]
    controls = ["--pose", clips / "pose.mkv", "--canny", clips / "canny.mkv", "--batch-size", 2]
    for name, flags in given.items():
        diffsign("encode", manifest_file, tmp_path / f"{name}.safetensors", *flags, "--device", "cpu")
        seed = ["--seed", 5] if name == "both" else []
        diffsign(
            "generate", manifest_file, tmp_path / f"{name}.safetensors", tmp_path / f"{name}.mkv", *controls, *seed
        )
    loads.clear()
    also = []
    for name in ("lora", "image", "both"):
        changes = {"conditioning": f"{tmp_path}/{name}.safetensors", "out": f"{tmp_path}/also/{name}.mkv"}
        also += ["--also", json.dumps(changes | ({"seed": 5} if name == "both" else {}))]
    first = [tmp_path / "words.safetensors", tmp_path / "also/words.mkv"]
    diffsign("generate", manifest_file, *first, *controls, *also)
    assert len(loads) == 2  # the one with the LoRA has networks of its own
    for name in given:
        assert np.array_equal(read_clip(tmp_path / f"also/{name}.mkv")[0], read_clip(tmp_path / f"{name}.mkv")[0]), name


@pytest.mark.parametrize(
    ("also", "said"),
    [
        ("{", "is not JSON"),
        ("{}", 'expected an object with "out"'),
        ('{"out": "b.mkv", "seeed": 1}', r"unknown key 'seeed' \(did you mean 'seed'"),
        ('{"out": "b.mkv", "conditioning": "none.safetensors"}', r"none\.safetensors' does not exist"),
    ],
)
def test_a_wrong_job_is_refused_before_the_first_begins(
    worded, clips, tmp_path, manifest_file, diffsign, loads, also, said
):
    save_conditioning(tmp_path / "c.safetensors", worded)
    flags = ["--pose", clips / "pose.mkv", "--canny", clips / "canny.mkv", "--also", also]
    with pytest.raises(DiffSignError, match=said):
        diffsign("generate", manifest_file, tmp_path / "c.safetensors", tmp_path / "out.mkv", *flags)
    assert not loads and not (tmp_path / "out.mkv").exists()


def test_a_short_control_clip_is_noticed_before_networks_are_loaded(
    worded, clips, tmp_path, manifest_file, diffsign, loads
):
    write_clip(tmp_path / "short.mkv", np.zeros((3, 16, 24, 3), np.uint8), 24)
    save_conditioning(tmp_path / "c.safetensors", worded)
    flags = ["--pose", clips / "pose.mkv", "--canny", tmp_path / "short.mkv"]
    with pytest.raises(DiffSignError, match="canny 24×16, 3 frames"):
        diffsign("generate", manifest_file, tmp_path / "c.safetensors", tmp_path / "out.mkv", *flags)
    assert not loads
