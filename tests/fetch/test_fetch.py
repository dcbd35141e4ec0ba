import json
import re
import shutil

import pytest
import torch
from safetensors.torch import load_file, save_file

from diffsign.config.family import BUILT_IN, family_named, resolve_families
from diffsign.config.generate import FetchSettings
from diffsign.errors import DiffSignError
from diffsign.fetch.stage import fetch_family
from diffsign.generate.encode import encode_signer
from diffsign.records.manifest import load_manifest, save_manifest


def change_json(path, **values):
    path.write_text(json.dumps(json.loads(path.read_text()) | values))


def test_a_whole_family_is_found_and_the_manifest_comes_back(tiny, tmp_path):
    manifest = tiny.fetch()
    assert manifest.architecture == ("sdxl" if tiny.xl else "sd")
    assert set(manifest.controlnets) == {"pose", "canny"}
    assert manifest.ip_adapter is not None and manifest.ip_adapter.kind == "plain"
    assert manifest.base.bytes > 0 and manifest.base.commit is None
    save_manifest(tmp_path / "m.json", manifest)
    assert load_manifest(tmp_path / "m.json") == manifest


def test_what_the_package_carries_is_where_this_installation_has_it(tmp_path):
    manifest = fetch_family("demo", resolve_families({})["demo"], FetchSettings())
    save_manifest(tmp_path / "here.json", manifest)
    package = manifest.base.path.removesuffix("/weights/demo")
    moved = json.loads((tmp_path / "here.json").read_text().replace(f'"{package}/', '"/an/older/environment/'))
    assert moved.pop("checksum") and moved["base"]["path"] == "/an/older/environment/weights/demo"
    (tmp_path / "moved.json").write_text(json.dumps(moved))
    assert load_manifest(tmp_path / "moved.json") == manifest


def test_what_never_lay_inside_a_package_is_not_looked_for_there(own, tmp_path):
    manifest = own.fetch()
    named = manifest.base.model_copy(update={"id": "package:weights/demo"})
    save_manifest(tmp_path / "m.json", manifest.model_copy(update={"base": named}))
    assert load_manifest(tmp_path / "m.json").base.path == manifest.base.path


def test_only_what_is_asked_for_is_needed(own):
    shutil.rmtree(own.folder / "canny")
    shutil.rmtree(own.folder / "image_encoder")
    with pytest.raises(DiffSignError, match=r"ControlNet for canny.*image encoder"):
        own.fetch()
    manifest = fetch_family("t", own.definition(), FetchSettings(controls=["pose"], ip_adapter=False))
    assert set(manifest.controlnets) == {"pose"} and manifest.ip_adapter is None


def test_a_control_of_scale_zero_is_left_out(own):
    nets = {"pose": {"id": str(own.folder / "pose")}, "canny": {"id": "/nowhere", "scale": 0}}
    assert set(own.fetch(controlnets=nets).controlnets) == {"pose"}


def test_bin_and_safetensors_adapters_are_alike(sd):
    kinds = {}
    for kind in ("plain", "plus", "full"):
        for suffix in ("bin", "safetensors"):
            kinds[kind, suffix] = sd.fetch(ip_adapter=sd.adapter(f"{kind}.{suffix}")).ip_adapter.kind
    assert all(found == kind for (kind, _), found in kinds.items())


@pytest.mark.parametrize(
    "part",
    [
        "base/unet/diffusion_pytorch_model.safetensors",
        "base/text_encoder/model.safetensors",
        "pose/diffusion_pytorch_model.safetensors",
        "image_encoder/model.safetensors",
        "adapters/plain.safetensors",
    ],
)
def test_a_truncated_file_is_named(own, part):
    path = own.folder / part
    path.write_bytes(path.read_bytes()[:-1000])
    with pytest.raises(DiffSignError, match=f"{re.escape(str(path))}' is cut short"):
        own.fetch()


def test_a_truncated_bin_is_named(own):
    path = own.folder / "adapters" / "plain.bin"
    path.write_bytes(path.read_bytes()[:-200])
    adapter = own.adapter(path.name)
    with pytest.raises(DiffSignError, match=r"plain\.bin' does not load"):
        own.fetch(ip_adapter=adapter)


def test_pickled_code_is_refused(own):
    path = own.folder / "adapters" / "evil.bin"
    torch.save({"image_proj": print, "ip_adapter": {}}, path)
    adapter = own.adapter(path.name)
    with pytest.raises(DiffSignError, match=r"evil\.bin' does not load as a checkpoint of tensors"):
        own.fetch(ip_adapter=adapter)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n", "Git LFS pointer"),
        (b"", "empty"),
        (b"<html>not found</html>" * 10, "no safetensors file"),
    ],
)
def test_what_is_no_weights_is_said(own, content, said):
    (own.folder / "base/vae/diffusion_pytorch_model.safetensors").write_bytes(content)
    with pytest.raises(DiffSignError, match=said):
        own.fetch()


def test_an_adapter_of_the_other_architecture_is_refused(sd, sdxl):
    with pytest.raises(DiffSignError, match=r"IP-Adapter .* is for width 32; the base model is width 16"):
        adapter = {"id": str(sdxl.folder / "adapters"), "file": "plain.safetensors"}
        sd.fetch(ip_adapter=adapter | {"image_encoder": {"id": str(sd.folder / "image_encoder")}})


def test_familiar_widths_are_said_in_words(own):
    path = own.folder / "adapters" / "plain.safetensors"
    tensors = load_file(path)
    wide = {n: torch.zeros(v.shape[0], 2048) if n.endswith("to_k_ip.weight") else v for n, v in tensors.items()}
    save_file(wide, path)
    with pytest.raises(DiffSignError, match=r"is for SDXL, width 2048"):
        own.fetch()


def test_a_controlnet_of_the_other_architecture_is_refused(sd, sdxl):
    nets = {"pose": {"id": str(sdxl.folder / "pose")}}
    with pytest.raises(DiffSignError, match=r"ControlNet for pose .* is for width 32; the base model is width 16"):
        sd.fetch(controlnets=nets)


def test_the_wrong_image_encoder_is_named(own):
    encoder = own.folder / "image_encoder" / "config.json"
    change_json(encoder, projection_dim=1280, hidden_size=1664)
    path = own.folder / "adapters" / "plain.safetensors"
    tensors = load_file(path)
    tensors["image_proj.proj.weight"] = torch.zeros(64, 1024)
    save_file(tensors, path)
    with pytest.raises(DiffSignError, match=r"trained with the image encoder ViT-H, but .* is ViT-bigG"):
        own.fetch()


@pytest.mark.parametrize(("kind", "took"), [("plus", "proj_in.weight"), ("full", "proj.0.weight")])
def test_the_wrong_image_encoder_of_a_plus_adapter_is_named(own, kind, took):
    """Plus and full adapters take what is inside the encoder: 1280 wide in ViT-H, 1664 in ViT-bigG."""
    change_json(own.folder / "image_encoder" / "config.json", projection_dim=1024, hidden_size=1280)
    path = own.folder / "adapters" / f"{kind}.safetensors"
    tensors = load_file(path)
    tensors[f"image_proj.{took}"] = torch.zeros(tensors[f"image_proj.{took}"].shape[0], 1664)
    save_file(tensors, path)
    adapter = own.adapter(path.name)
    with pytest.raises(DiffSignError, match=r"trained with the image encoder ViT-bigG, but .* is ViT-H"):
        own.fetch(ip_adapter=adapter)


def test_an_adapter_of_another_base_of_the_same_width_is_refused(own):
    path = own.folder / "adapters" / "plain.safetensors"
    tensors = load_file(path)
    wider = {n: torch.zeros(2 * len(v), v.shape[1]) if n.endswith("_ip.weight") else v for n, v in tensors.items()}
    save_file(wider, path)
    with pytest.raises(DiffSignError, match="base with layers of other widths"):
        own.fetch()
    first = min(name for name in tensors if name.endswith("to_k_ip.weight"))
    save_file({name: value for name, value in tensors.items() if name != first}, path)
    with pytest.raises(DiffSignError, match=r"has \d+ attention layers, the base model \d+"):
        own.fetch()


def test_a_missing_adapter_and_a_missing_encoder_are_named_together(own):
    adapter = {"id": str(own.folder / "adapters"), "file": "none.bin", "image_encoder": {"id": "/no/encoder"}}
    with pytest.raises(DiffSignError) as error:
        own.fetch(ip_adapter=adapter)
    for part in ("the IP-Adapter none.bin", "the image encoder '/no/encoder'", "families.tiny.ip_adapter"):
        assert part in str(error.value)
    (own.folder / "image_encoder" / "model.safetensors").unlink()
    with pytest.raises(DiffSignError, match=r"the image encoder: .* holds no weights \(model\.safetensors\)"):
        own.fetch()


def test_a_vae_of_another_family_is_refused(sd, sdxl):
    with pytest.raises(DiffSignError, match=r"scales latents by 0\.13025, the base model expects 0\.18215"):
        sd.fetch(vae={"id": str(sdxl.folder / "base"), "subfolder": "vae"})


def test_what_is_no_adapter_is_refused(own):
    path = own.folder / "adapters" / "unet.safetensors"
    shutil.copy(own.folder / "base/unet/diffusion_pytorch_model.safetensors", path)
    adapter = own.adapter(path.name)
    with pytest.raises(DiffSignError, match="original layout"):
        own.fetch(ip_adapter=adapter)


def test_face_id_adapters_are_refused_by_name(own):
    path = own.folder / "adapters" / "plain.safetensors"
    tensors = {n: v for n, v in load_file(path).items() if not n.startswith("image_proj")}
    tensors |= {"image_proj.proj.0.weight": torch.zeros(4, 4), "image_proj.proj.2.weight": torch.zeros(4, 4)}
    save_file(tensors, path)
    with pytest.raises(DiffSignError, match="FaceID"):
        own.fetch()


def test_another_kind_of_base_is_refused(own):
    change_json(own.folder / "base" / "model_index.json", _class_name="FluxPipeline")
    with pytest.raises(DiffSignError, match="FluxPipeline"):
        own.fetch()


def test_text_encoder_and_unet_must_fit(own):
    change_json(own.folder / "base" / "text_encoder" / "config.json", hidden_size=768)
    with pytest.raises(DiffSignError, match="width 16, its text encoders give 768"):
        own.fetch()


def test_missing_weights_are_all_named_with_where_to_put_them(monkeypatch, tmp_path):
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    with pytest.raises(DiffSignError) as error:
        fetch_family("sd15", resolve_families()["sd15"], FetchSettings())
    message = str(error.value)
    assert "\n" not in message
    for part in (
        "stable-diffusion-v1-5/stable-diffusion-v1-5",
        "stabilityai/sd-vae-ft-mse",
        "lllyasviel/control_v11p_sd15_openpose",
        "lllyasviel/sd-controlnet-canny",
        "ip-adapter_sd15.bin",
    ):
        assert part in message
    assert "sd15_depth" not in message  # off by default, as in the paper
    assert "families.sd15.controlnets.pose" in message and str(tmp_path / "cache") in message
    assert "diffsign fetch sd15" in message


COMMIT = "0123456789abcdef0123456789abcdef01234567"


@pytest.fixture
def cache(monkeypatch, tmp_path):
    """An offline cache in the hub's layout: models--owner--name/refs/<name> and snapshots/<commit>/…"""
    from huggingface_hub import constants

    def add(repository, folder, inside="", ref="main"):
        root = tmp_path / "hub" / f"models--{repository.replace('/', '--')}"
        (root / "refs").mkdir(parents=True, exist_ok=True)
        (root / "refs" / ref).write_text(COMMIT)
        shutil.copytree(folder, root / "snapshots" / COMMIT / inside, dirs_exist_ok=True)

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr("huggingface_hub._snapshot_download.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    return add


@pytest.mark.parametrize("revision", ["main", "v1.0", COMMIT])
def test_parts_in_the_cache_are_used_offline(sd, cache, revision):
    ref = "main" if revision == COMMIT else revision
    cache("someone/tiny", sd.folder / "base", ref=ref)
    cache("someone/adapters", sd.folder / "adapters", "models", ref)
    cache("someone/adapters", sd.folder / "image_encoder", "models/image_encoder", ref)
    encoder = {"id": "someone/adapters", "revision": revision, "subfolder": "models/image_encoder"}
    adapter = {"id": "someone/adapters", "revision": revision, "file": "models/plain.bin", "image_encoder": encoder}
    manifest = sd.fetch(base=f"someone/tiny@{revision}", ip_adapter=adapter)
    assert manifest.base.commit == COMMIT and manifest.base.id == "someone/tiny"
    assert manifest.ip_adapter.weights.path.endswith(f"snapshots/{COMMIT}/models/plain.bin")
    assert manifest.ip_adapter.image_encoder.commit == COMMIT


def test_a_revision_that_is_not_in_the_cache_is_not_guessed(sd, cache):
    cache("someone/tiny", sd.folder / "base")
    with pytest.raises(DiffSignError, match=r"the base model 'someone/tiny': not in the Hugging Face cache"):
        sd.fetch(base="someone/tiny@v2")


def test_a_local_folder_may_hold_the_part_itself_or_mirror_the_repository(own):
    """One line of config moves a part whose place inside the hub's repository the built-in family names."""
    inside = {"id": str(own.folder / "adapters"), "file": "models/plain.safetensors"}
    encoder = {"id": str(own.folder / "image_encoder"), "subfolder": "models/image_encoder"}
    found = own.fetch(ip_adapter=inside | {"image_encoder": encoder}).ip_adapter
    assert found.image_encoder.path == str(own.folder / "image_encoder")
    (own.folder / "mirror" / "models").mkdir(parents=True)
    shutil.move(own.folder / "image_encoder", own.folder / "mirror" / "models" / "image_encoder")
    encoder["id"] = str(own.folder / "mirror")
    found = own.fetch(ip_adapter=inside | {"image_encoder": encoder}).ip_adapter
    assert found.image_encoder.path.endswith("mirror/models/image_encoder")


def test_half_precision_is_found_by_itself(own, clips):
    """A repository that holds fp16 files only needs no word in the config."""
    whole = own.fetch()
    stems = {"base/unet": "diffusion_pytorch_model", "base/text_encoder": "model", "pose": "diffusion_pytorch_model"}
    for folder, stem in stems.items():
        (own.folder / folder / f"{stem}.safetensors").rename(own.folder / folder / f"{stem}.fp16.safetensors")
    manifest = own.fetch()
    assert manifest.base.bytes == whole.base.bytes
    signer = encode_signer(manifest, text="a woman", device="cpu")
    assert own.generate(signer, clips, manifest).std() > 0


def test_a_folder_of_the_hub_s_cache_is_read_by_its_revision(own, tmp_path):
    cached = tmp_path / "models--someone--tiny"
    (cached / "refs").mkdir(parents=True)
    (cached / "refs" / "main").write_text(COMMIT)
    shutil.move(own.folder / "base", cached / "snapshots" / COMMIT)
    manifest = own.fetch(base={"id": str(cached)})
    assert manifest.base.commit == COMMIT and manifest.base.path.endswith(f"snapshots/{COMMIT}")
    assert own.fetch(base={"id": str(cached), "revision": COMMIT}).base == manifest.base
    with pytest.raises(DiffSignError, match=rf"has no revision 'v2' \(there are: {COMMIT}\)"):
        own.fetch(base={"id": str(cached), "revision": "v2"})


def test_an_at_sign_in_a_path_is_no_revision(own, tmp_path, monkeypatch):
    shutil.move(own.folder / "base", tmp_path / "base@home")
    assert own.fetch(base=str(tmp_path / "base@home")).base.path == str(tmp_path / "base@home")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "weights@2").mkdir()
    shutil.move(tmp_path / "base@home", tmp_path / "weights@2" / "base")
    changed = resolve_families({"sd15": {"base": "weights@2/base"}})["sd15"]
    assert (changed.base.id, changed.base.revision) == ("weights@2/base", "main")


def test_a_missing_local_folder_is_named(own):
    with pytest.raises(DiffSignError, match=r"the VAE '/no/such/vae': there is no folder"):
        own.fetch(vae={"id": "/no/such/vae"})


def test_the_built_in_families_have_the_paper_s_settings():
    families = resolve_families()
    assert list(families) == ["demo", "sd15", "sdxl"]
    paper = families["sd15"]
    assert paper.presets["paper"].steps == 60 and paper.presets["paper"].guidance_scale == 7.5
    assert paper.presets["paper"].scheduler.name == "DDIMScheduler"
    assert paper.presets["paper"].scheduler.options["set_alpha_to_one"] is False
    assert (paper.width, paper.height, paper.seed) == (1024, 1024, 42)
    assert paper.controlnets["depth"].scale == 0 and paper.ip_adapter.scale == 0.6
    words = families["sdxl"]
    assert words.presets["paper"].steps == 50 and words.seed == 40
    assert words.presets["paper"].scheduler.name == "UniPCMultistepScheduler"
    assert (words.controlnets["pose"].scale, words.controlnets["canny"].scale) == (1.0, 0.8)


def test_entries_of_the_config_lie_over_the_built_in_ones():
    changed = resolve_families({"sd15": {"base": "/weights/sd15", "vae": {"revision": "abc"}}})["sd15"]
    assert changed.base.id == "/weights/sd15"
    assert (changed.vae.id, changed.vae.revision) == ("stabilityai/sd-vae-ft-mse", "abc")
    assert changed.controlnets["pose"].id == BUILT_IN["sd15"]["controlnets"]["pose"]["id"]
    other = {"sd15": {"presets": {"paper": {"scheduler": {"name": "EulerDiscreteScheduler"}}}}}
    assert resolve_families(other)["sd15"].presets["paper"].scheduler.options == {}
    pinned = resolve_families({"sd15": {"base": "someone/model@v2"}})["sd15"].base
    assert (pinned.id, pinned.revision) == ("someone/model", "v2")


def test_mistakes_in_families_are_named():
    with pytest.raises(DiffSignError, match=r"families\.sd15: unknown key 'bass' \(did you mean 'base'\?\)"):
        resolve_families({"sd15": {"bass": "x"}})
    with pytest.raises(DiffSignError, match=r"families\.mine: .*'base' is missing"):
        resolve_families({"mine": {"controlnets": {}, "presets": {"paper": {}}}})
    with pytest.raises(DiffSignError, match="did you mean 'sdxl'"):
        family_named("sdx1", resolve_families())


def test_no_manifest_is_said(tmp_path, sd):
    (tmp_path / "m.json").write_text("{}")
    with pytest.raises(DiffSignError, match="no family manifest"):
        load_manifest(tmp_path / "m.json")
    (tmp_path / "t.json").write_text("not json")
    with pytest.raises(DiffSignError, match="not JSON"):
        load_manifest(tmp_path / "t.json")


def test_weights_that_have_gone_are_said(own, tmp_path):
    save_manifest(tmp_path / "m.json", own.fetch())
    shutil.rmtree(own.folder / "pose")
    with pytest.raises(DiffSignError, match=r"no longer at .*pose"):
        load_manifest(tmp_path / "m.json")


def test_bin_tensors_have_the_names_of_safetensors(sd):
    from diffsign.models.weights import shapes_of

    tensors = load_file(sd.folder / "adapters" / "plain.safetensors")
    shapes = {name: tuple(tensor.shape) for name, tensor in tensors.items()}
    for suffix in ("bin", "safetensors"):
        assert shapes_of(sd.folder / "adapters" / f"plain.{suffix}", "x") == shapes


def test_an_untrained_family_says_so(own, caplog):
    assert not own.fetch().untrained
    (own.folder / "base" / "diffsign.json").write_text('{"family": "demo", "trained": false}')
    assert own.fetch().untrained and "is a stand-in" in caplog.text
