"""Frames and how they are coloured."""

from dataclasses import fields

import numpy as np
import pytest

from diffsign.errors import DiffSignError
from diffsign.training.attributes import CHOICES, COLOURS, Attributes
from diffsign.training.data import TrainingFrames, merge_attributes, save_shard, words
from diffsign.training.gbuffer import LABEL, GBuffer, light, palette_of
from diffsign.training.measure import attributes_shown


@pytest.fixture
def frames(tmp_path, plain_gbuffer):
    save_shard(tmp_path / "shard-00000", [plain_gbuffer(0), plain_gbuffer(1)])
    save_shard(tmp_path / "shard-00001", [plain_gbuffer(2)])
    return TrainingFrames(tmp_path)


def test_shards_come_back_as_they_were(frames, plain_gbuffer):
    assert len(frames) == 3
    for number, seed in enumerate((0, 1, 2)):
        for field in fields(GBuffer):
            expected = getattr(plain_gbuffer(seed), field.name)
            np.testing.assert_array_equal(getattr(frames.frame(number), field.name), expected)


def test_no_frames_is_one_sentence(tmp_path):
    with pytest.raises(DiffSignError, match="diffsign train-demo data"):
        TrainingFrames(tmp_path)


def test_every_attribute_of_a_caption_is_the_colour_of_the_picture(frames):
    rng = np.random.default_rng(0)
    frame = frames.frame(0)
    label, bright = frame.label[::2, ::2], np.full((256, 256), 0.9, np.float32)
    for _ in range(60):
        attributes = Attributes.random(rng)
        picture = frames.sample(0, attributes, (0, 0), 256, rng).picture.transpose(1, 2, 0)
        assert all(attributes_shown(picture, attributes, label, bright).values()), attributes


def test_a_picture_of_another_look_is_not_obeyed(frames):
    asked = Attributes("red", "light", "black", "long", "blue")
    other = Attributes("green", "dark", "blond", "short", "white")
    picture = frames.sample(0, other, (0, 0), 256, None).picture.transpose(1, 2, 0)
    label, bright = frames.frame(0).label[::2, ::2], np.full((256, 256), 0.9, np.float32)
    assert not any(attributes_shown(picture, asked, label, bright).values())


def test_colours_of_one_attribute_stay_apart_when_varied():
    rng = np.random.default_rng(1)
    for name, values in COLOURS.items():
        for value in values:
            attributes = Attributes(**{n: value if n == name else CHOICES[n][0] for n in CHOICES})
            shown = {"shirt": "torso", "skin": "face", "hair": "hair", "background": "background"}[name]
            for _ in range(20):
                colour = palette_of(attributes, rng)[LABEL[shown]]
                away = {other: np.linalg.norm(colour - rgb) for other, rgb in values.items()}
                assert min(away, key=away.get) == value, (name, value)


def test_controls_and_picture_of_a_crop_belong_together(frames):
    rng = np.random.default_rng(2)
    attributes = Attributes.random(rng)
    whole = frames.sample(1, attributes, (0, 0), 256, None)
    part = frames.sample(1, attributes, (64, 32), 128, None)
    np.testing.assert_array_equal(part.picture, whole.picture[:, 32:160, 64:192])
    np.testing.assert_array_equal(part.controls, whole.controls[:, :, 32:160, 64:192])
    np.testing.assert_array_equal(part.weight, whole.weight[32:160, 64:192])


def test_drawn_crops_are_inside_and_repeat(frames):
    first = [frames.draw(np.random.default_rng([3, i]), 128).picture for i in range(20)]
    again = [frames.draw(np.random.default_rng([3, i]), 128).picture for i in range(20)]
    assert all(np.array_equal(a, b) and a.shape == (3, 128, 128) for a, b in zip(first, again, strict=True))


def test_words_win_over_the_picture_where_they_speak():
    asked, seen = (
        Attributes("red", "light", "black", "long", "blue"),
        Attributes("green", "dark", "blond", "short", "white"),
    )
    assert merge_attributes(asked, seen, frozenset({"shirt", "hair"})) == Attributes(
        "red", "dark", "black", "short", "white"
    )
    rng = np.random.default_rng(4)
    for _ in range(50):
        text, named = words(asked, rng)
        assert ("shirt" in named) == ("red" in text.split())


def test_light_falls_on_what_faces_it_and_leaves_the_background_alone():
    normals = np.zeros((64, 64, 3))
    depth = np.zeros((64, 64))
    normals[16:48, 16:32] = [-0.5, 0.5, 0.70711]
    normals[16:48, 32:48] = [0.9, -0.3, 0.3]
    depth[16:48, 16:48] = 1.5
    bright = light(normals, depth)
    assert (bright[:10] == 1).all()
    assert bright[32, 20] > bright[32, 44] + 0.2
