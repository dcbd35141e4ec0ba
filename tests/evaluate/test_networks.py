from pathlib import Path

import numpy as np
import pytest
import torch

from diffsign.errors import DiffSignError
from diffsign.evaluate.networks import CLIPEncoder, directional_similarity, mean_similarity


def unit(*values: float) -> torch.Tensor:
    return torch.tensor(values, dtype=torch.float64)


def test_direction_of_the_picture_along_across_and_against_that_of_the_words() -> None:
    a, b = unit(1, 0, 0, 0), unit(0, 1, 0, 0)
    c, d = unit(0, 0, 1, 0), unit(0, 0, 0, 1)
    source = torch.stack([a, c, b])
    result = torch.stack([b, d, a])
    assert directional_similarity(source, result, a, b) == pytest.approx([1, 0, -1], abs=1e-12)


def test_direction_is_between_unit_embeddings() -> None:
    a, b = unit(1, 0), unit(0, 1)
    assert directional_similarity(7 * a[None], 0.1 * b[None], 3 * a, 5 * b) == pytest.approx([1])


def test_no_change_has_no_direction() -> None:
    a, b = unit(1, 0), unit(0, 1)
    assert np.isnan(directional_similarity(a[None], a[None], a, b)).all()
    assert np.isnan(directional_similarity(a[None], b[None], a, a)).all()


def test_similarity_to_several_is_the_mean_cosine() -> None:
    frames, references = torch.stack([unit(2, 0), unit(1, 1)]), torch.stack([unit(0, 3), unit(1, 0)])
    assert mean_similarity(frames, references) == pytest.approx([0.5, np.sqrt(0.5)])


def test_clip_embeds_as_transformers_does(tiny_clip: Path, make_picture) -> None:
    from transformers import CLIPModel, CLIPTokenizer

    clip, model = CLIPEncoder(tiny_clip, "tiny"), CLIPModel.from_pretrained(tiny_clip)
    square = make_picture(0)[:32, :32]
    mean, std = torch.tensor([0.48145466, 0.4578275, 0.40821073]), torch.tensor([0.26862954, 0.26130258, 0.27577711])
    pixels = ((torch.from_numpy(square.copy()).float() / 255 - mean) / std).permute(2, 0, 1)[None]
    tokens = CLIPTokenizer.from_pretrained(tiny_clip)(["a man in blue"], return_tensors="pt")
    with torch.no_grad():
        whole = model(pixel_values=pixels, **tokens)
    assert torch.nn.functional.normalize(clip.frames(square[None])) == pytest.approx(whole.image_embeds, abs=1e-5)
    assert torch.nn.functional.normalize(clip.words(["a man in blue"])) == pytest.approx(whole.text_embeds, abs=1e-5)


def test_the_whole_frame_is_seen(tiny_clip: Path, make_picture) -> None:
    clip = CLIPEncoder(tiny_clip, "tiny")
    frame = make_picture(0)
    edge = frame.copy()
    edge[:, -8:] = 255
    assert not torch.allclose(clip.frames(frame[None]), clip.frames(edge[None]), atol=1e-3)


def test_long_words_are_cut_and_do_not_fail(tiny_clip: Path) -> None:
    assert CLIPEncoder(tiny_clip, "tiny").words(["word " * 300]).isfinite().all()


def test_a_folder_without_a_model_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(DiffSignError, match=r"CLIP.*nothing"):
        CLIPEncoder(tmp_path / "nothing", "none")
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(DiffSignError, match="CLIP"):
        CLIPEncoder(tmp_path, "none")
