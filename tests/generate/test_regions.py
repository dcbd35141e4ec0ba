"""Reference pictures with region masks."""

import numpy as np
import pytest
from PIL import Image

from diffsign.errors import DiffSignError
from diffsign.generate.encode import encode_signer
from diffsign.records.conditioning import load_conditioning, save_conditioning


@pytest.fixture(scope="module")
def two(picture, tmp_path_factory):
    other = tmp_path_factory.mktemp("other") / "room.png"
    Image.fromarray(np.random.default_rng(9).integers(0, 255, (40, 40, 3), dtype=np.uint8)).save(other)
    return [picture, other]


def drawn(tiny, signer, clips, masks=None, manifest=None, **settings):
    return tiny.generate(signer, clips, manifest, masks, **settings).astype(int)


@pytest.mark.parametrize("kind", ["plain", "plus"])
def test_each_picture_counts_in_its_region(sd, two, clips, kind):
    """Frames that the avatar fills are the first picture's alone, empty frames the second's, in one batch or in two."""
    manifest = sd.fetch(ip_adapter=sd.adapter(f"{kind}.safetensors"))
    both = encode_signer(manifest, two, device="cpu", regions=["signer", "background"])
    alone = [drawn(sd, encode_signer(manifest, [path], device="cpu"), clips, manifest=manifest) for path in two]
    full = [True, False, False, True, False]
    masks = np.stack([np.full((16, 24, 3), 255 * covered, np.uint8) for covered in full])
    frames = drawn(sd, both, clips, masks, manifest)
    for number, covered in enumerate(full):
        assert np.abs(frames[number] - alone[0 if covered else 1][number]).max() <= 1
    assert np.abs(alone[0] - alone[1]).max() > 1
    half = masks.copy()
    half[:, :, :12] = 255 - half[:, :, :12]
    assert np.abs(drawn(sd, both, clips, half, manifest) - frames).max() > 1


def test_regions_go_with_sdxl_and_attention_across_frames(tiny, two, clips):
    manifest = tiny.fetch()
    signer = encode_signer(manifest, two, text="a woman", device="cpu", regions=["signer", "all"])
    masks = np.zeros((5, 16, 24, 3), np.uint8)
    masks[:, 4:, 6:18] = 255
    still = drawn(tiny, signer, clips, masks, manifest)
    assert still.std() > 0
    assert (drawn(tiny, signer, clips, masks, manifest, temporal="cross-frame") != still).any()
    assert (drawn(tiny, signer, clips, masks * 0, manifest) != still).any()


def test_regions_and_loras_go_with_animatediff(sd, two, clips, tmp_path):
    manifest = sd.fetch(motion_adapter_too=True)
    masks = np.zeros((5, 16, 24, 3), np.uint8)
    masks[:, 4:, 6:18] = 255
    lora = sd.write_lora(tmp_path)
    made = {}
    for name, given in {
        "regions": {"regions": ["signer", "background"]},
        "both": {"regions": ["signer", "background"], "loras": [str(lora)]},
        "neither": {},
    }.items():
        signer = encode_signer(manifest, two, device="cpu", **given)
        made[name] = drawn(sd, signer, clips, masks, manifest, temporal="animatediff")
    assert (made["regions"] != made["neither"]).any() and (made["regions"] != made["both"]).any()


def test_everything_for_everything_needs_no_mask(sd, two, clips, tmp_path):
    plain = encode_signer(sd.fetch(), two, device="cpu")
    everything = encode_signer(sd.fetch(), two, device="cpu", regions=["all", "all"])
    assert everything.regions == ()
    assert np.array_equal(drawn(sd, plain, clips), drawn(sd, everything, clips))
    regional = encode_signer(sd.fetch(), two, device="cpu", regions=["signer", "all"])
    save_conditioning(tmp_path / "c.safetensors", regional)
    back = load_conditioning(tmp_path / "c.safetensors")
    assert back.regions == ("signer", "all")
    with pytest.raises(DiffSignError, match="is for a region; give the avatar's mask"):
        drawn(sd, back, clips)
    with pytest.raises(DiffSignError, match="the mask clip ends before frame"):
        drawn(sd, back, clips, np.zeros((3, 16, 24, 3), np.uint8))


@pytest.mark.parametrize(("regions", "said"), [(["signer"], "1 came for 2"), (["signer", "sky"], "'sky' came")])
def test_wrong_regions_are_refused(sd, two, regions, said):
    with pytest.raises(DiffSignError, match=f"a region is all, signer, background, one for each picture.*{said}"):
        encode_signer(sd.fetch(), two, device="cpu", regions=regions)
