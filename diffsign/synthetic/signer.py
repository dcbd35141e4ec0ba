"""The synthetic signer: from a seed to truth and pictures."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.spatial.transform import Rotation

from diffsign.avatar.outfit import dress, rest_body
from diffsign.avatar.scene import Scene
from diffsign.body.anny import load_anny
from diffsign.body.model import Body
from diffsign.config.appearance import Appearance
from diffsign.config.synthetic import SyntheticSettings
from diffsign.geometry.camera import Camera
from diffsign.synthetic.appearance import backdrop, caption, suitable_appearance
from diffsign.synthetic.camera import frame_signer
from diffsign.synthetic.choreography import choreograph, drift
from diffsign.synthetic.face import facial_tracks
from diffsign.synthetic.kinematics import PELVIS, SHOULDER, SPINE3, WRIST
from diffsign.synthetic.person import Person, random_person
from diffsign.synthetic.phrase import compose, glosses
from diffsign.synthetic.truth import Recipe, Truth

#: Where the picture cuts the body: share of the way from the pelvis to the shoulders.
CUT = {"waist": 0.22, "chest": 0.5}

#: Metres that hair may add to the head.
HAIR = 0.035


@dataclass(frozen=True)
class Performance:
    """A person who has signed.

    Attributes:
        person: the body.
        appearance: skin, hair, clothes, background.
        truth: where everything was at every frame.
    """

    person: Person
    appearance: Appearance
    truth: Truth

    def scene(self, body: Body) -> Scene:
        """Return what the renderer takes; ``body`` is the body file, which says where face and scalp are."""
        truth, seed = self.truth, self.truth.seed or 0
        outfit = dress(rest_body(body, self.person.rest), self.appearance, seed)
        wall = backdrop(self.appearance, truth.camera.width, truth.camera.height, seed)
        return outfit.scene(np.asarray(truth.vertices), truth.camera, truth.fps or 1.0, wall)


def perform(settings: SyntheticSettings) -> Performance:
    """Choose a person and a phrase by the seed, and let the person sign it.

    The same settings give the same numbers bit for bit. Person, phrase, camera and small movements each have a random
    stream of their own, so that a longer clip shows the same person.
    """
    streams = [np.random.default_rng([settings.seed, stream]) for stream in range(5)]
    person = random_person(streams[0], settings.age)
    frames = max(1, round(settings.seconds * settings.fps))
    times = np.arange(frames) / settings.fps
    phrase = compose(streams[1], settings.seconds)
    left_handed = bool(streams[0].random() < 0.1)
    actions, jaw = facial_tracks(phrase, times, settings.fps, load_anny().actions, streams[2])
    rotvecs = choreograph(person.physique, phrase, times, settings.fps, jaw, left_handed, streams[3])
    sway = drift(streams[3], times, 0.004)
    camera, place = _camera(person, rotvecs, settings, streams[4])
    recipe = Recipe(
        person.phenotype,
        person.local_changes,
        rotvecs.astype(np.float32),
        actions.astype(np.float32),
        (sway + place).astype(np.float32),
    )
    appearance = suitable_appearance(settings.seed, person.noun, settings.age)
    truth = Truth(
        joints=recipe.pose()[1].astype(np.float32),
        camera=camera,
        fps=settings.fps,
        recipe=recipe,
        seed=settings.seed,
        caption=caption(person.noun, appearance),
        glosses=tuple(glosses(phrase, times)),
    )
    return Performance(person, appearance, truth)


def _camera(
    person: Person, rotvecs: np.ndarray, settings: SyntheticSettings, rng: np.random.Generator
) -> tuple[Camera, np.ndarray]:
    """Frame the head and the hands wherever they are raised; return the camera and the place (3,) of the pelvis."""
    skeleton = person.physique.skeleton
    matrices = Rotation.from_rotvec(rotvecs.reshape(-1, 3)).as_matrix().reshape(*rotvecs.shape, 3)
    positions, orientations = skeleton.forward(matrices)
    tips = skeleton.fingertips(positions, orientations)
    shoulders = skeleton.joints[list(SHOULDER.values()), 1].mean()
    low = skeleton.joints[PELVIS, 1] + CUT[settings.framing] * (shoulders - skeleton.joints[PELVIS, 1])
    # Hands count when they are up; lowered ones are meant to be out of the picture.
    hands = np.concatenate([tips.reshape(-1, 3), positions[:, list(WRIST.values())].reshape(-1, 3)])
    raised = hands[hands[:, 1] > low + 0.1 * (shoulders - low)]
    high = person.head_top + HAIR
    head = positions[:, SPINE3] * [1, 0, 1] + [0, high, 0]
    cut = head * [1, 0, 1] + [0, low, 0]
    return frame_signer(
        np.concatenate([raised, head, cut * [1, 0.5, 1] + head * [0, 0.5, 0]]),
        low, high, settings.width, settings.height, settings.roll, rng,
    )  # fmt: skip
