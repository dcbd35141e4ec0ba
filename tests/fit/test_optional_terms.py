"""Terms that are off by default: VPoser and interpenetration."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from phrases import phrase, points, seen
from puppet import puppet

from diffsign.config.fit import FitSettings
from diffsign.errors import DiffSignError
from diffsign.fit.motion import fit_motion
from diffsign.fit.terms.contacts import FINGER, TOUCH, find_contacts
from diffsign.fit.terms.vposer import NEEDED, VPoserPrior
from diffsign.records.keypoints import LEFT_HAND, NAMES


def weights(width: int = 16, latent: int = 4) -> dict[str, torch.Tensor]:
    """Return VPoser's tensors with random values, narrow."""
    generator = torch.Generator().manual_seed(0)
    sizes = {"encoder_net.1": 63, "encoder_net.4": width}
    linear = {
        "encoder_net.2": (width, 63),
        "encoder_net.6": (width, width),
        "encoder_net.7": (width, width),
        "encoder_net.8.mu": (latent, width),
        "decoder_net.0": (width, latent),
        "decoder_net.3": (width, width),
        "decoder_net.5": (126, width),
    }
    state = {}
    for name in NEEDED:
        layer, kind = name.rsplit(".", 1)
        if layer in sizes:
            state[name] = torch.rand(sizes[layer], generator=generator) + 0.5
        else:
            shape = linear[layer] if kind == "weight" else linear[layer][:1]
            state[name] = torch.randn(shape, generator=generator) / 3
    return state


@pytest.fixture
def vposer(tmp_path):
    path = tmp_path / "vposer.ckpt"
    torch.save({"state_dict": {f"vp_model.{name}": value for name, value in weights().items()}}, path)
    return path


def test_vposer_looks_at_the_body_alone(vposer):
    prior = VPoserPrior(vposer)
    pose = np.random.default_rng(0).standard_normal((2, 55, 3)) * 0.4
    elsewhere = pose.copy()
    elsewhere[:, [0, *range(22, 55)]] += 1
    assert np.array_equal(prior.residual(pose), prior.residual(elsewhere))
    assert prior.slope(pose).shape == (2, 1, 4 + 189, 21, 3)


def test_vposer_drives_a_fit(vposer):
    model = puppet()
    truth = phrase(model, 2)
    _, report = fit_motion(seen(model, truth), model, FitSettings(pose_prior="vposer", vposer=str(vposer)))
    assert report.body < 5


def test_vposer_without_or_with_wrong_weights(tmp_path):
    model = puppet()
    keypoints = seen(model, phrase(model, 1))
    with pytest.raises(DiffSignError, match="no weights are given"):
        fit_motion(keypoints, model, FitSettings(pose_prior="vposer"))
    torch.save({"other": torch.zeros(1)}, tmp_path / "other.pt")
    with pytest.raises(DiffSignError, match="not VPoser v2"):
        VPoserPrior(tmp_path / "other.pt")
    (tmp_path / "text.ckpt").write_text("hello")
    with pytest.raises(DiffSignError, match=r"text\.ckpt"):
        VPoserPrior(tmp_path / "text.ckpt")


def test_depths_on_paper():
    solid = np.zeros((1, 137, 3))
    solid[0, :67] = [5, 5, 5]
    for name, at in {
        "left_ear": (0.1, 0, 0),
        "right_ear": (-0.1, 0, 0),
        "neck": (0, -0.2, 0),
        "mid_hip": (0, -0.8, 0),
        "left_shoulder": (0.2, -0.2, 0),
        "right_shoulder": (-0.2, -0.2, 0),
    }.items():
        solid[0, NAMES.index(name)] = at
    solid[0, LEFT_HAND] += np.arange(21)[:, None]  # apart from each other and from the right hand
    solid[0, LEFT_HAND.start] = [0, 0, 0.09]  # a centimetre inside a head of radius 0.1
    solid[0, LEFT_HAND.start + 1] = [0, -0.5, 0.1]  # inside a trunk of radius 0.144
    contacts = find_contacts(solid)
    depth = contacts.depth[0]
    assert depth[0] == pytest.approx(1 + 100 * (FINGER - TOUCH))
    assert depth[42 + 1] == pytest.approx(4.4 + 100 * (FINGER - TOUCH))
    touching = np.delete(depth[:84], [0, 43])
    assert np.all(touching == 0)


def test_interpenetration_pushes_a_hand_out_of_the_chest():
    model = puppet()
    truth = phrase(model, 3)
    pose = truth.full_pose
    pose[:, [16, 18]] = [[0, -1.6, -1.0], [0, -2.8, 0]]
    inside = truth.with_pose(pose)
    before = find_contacts(points(model, inside)).depth.max()
    settings = FitSettings(focal_length=660)
    depths = []
    for weight in (0.0, 20.0):
        stages = [stage.model_copy(update={"interpenetration": weight}) for stage in settings.schedule()]
        chosen = settings.model_copy(update={"stages": tuple(stages)})
        motion, _ = fit_motion(seen(model, inside), model, chosen)
        depths.append(find_contacts(points(model, motion)).depth.max())
    assert before > 1 and depths[0] > 1 and depths[1] < 0.5 * depths[0]


def test_published_stages_run():
    model = puppet()
    motion, report = fit_motion(
        seen(model, phrase(model, 2)), model, FitSettings(stages="published", pose_prior="l2", focal_length=660)
    )
    assert np.isfinite(motion.full_pose).all() and report.body < 3
