"""The synthetic signer: from a seed to truth and pictures."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from diffsign.avatar.description import caption, suitable_appearance
from diffsign.avatar.outfit import dress, rest_body
from diffsign.avatar.scene import Scene
from diffsign.body.anny import load_anny
from diffsign.body.model import Body
from diffsign.config.appearance import Appearance
from diffsign.config.synthetic import SyntheticSettings
from diffsign.geometry.camera import Camera
from diffsign.geometry.rotations import rotvec_to_rotmat
from diffsign.synthetic.backdrop import backdrop
from diffsign.synthetic.camera import frame_signer
from diffsign.synthetic.choreography import choreograph, drift
from diffsign.synthetic.exposure import exposures
from diffsign.synthetic.face import facial_tracks
from diffsign.synthetic.kinematics import PELVIS, SHOULDER, SPINE3, WRIST
from diffsign.synthetic.person import Person, random_person
from diffsign.synthetic.phrase import Style, compose, glosses
from diffsign.synthetic.truth import Recipe, Truth

#: Where the picture cuts the body: share of the way from the pelvis to the shoulders.
CUT = {"waist": 0.22, "chest": 0.5}

#: Metres that hair may add to the head.
HAIR = 0.035

#: Moments a frame at which the body is posed where pictures are blurred by movement.
MOMENTS = 8


@dataclass(frozen=True)
class Performance:
    """A person who has signed.

    Attributes:
        person: the body.
        appearance: skin, hair, clothes, background.
        truth: where everything was at every frame, in the middle of its exposure.
        moments: what the body was posed by at every moment that is rendered.
        exposures: of each frame, the moments that its picture is the mean of.
    """

    person: Person
    appearance: Appearance
    truth: Truth
    moments: Recipe
    exposures: tuple[np.ndarray, ...]

    def scene(self, body: Body) -> Scene:
        """Return what the renderer takes, a picture a moment; ``body`` says where face and scalp are."""
        truth, seed = self.truth, self.truth.seed or 0
        outfit = dress(rest_body(body, self.person.rest), self.appearance, seed)
        wall = backdrop(self.appearance, truth.camera.width, truth.camera.height, seed)
        return outfit.scene(self.moments.pose()[0], truth.camera, truth.fps or 1.0, wall)


def perform(settings: SyntheticSettings) -> Performance:
    """Choose a person and a phrase by the seed, and let the person sign it.

    The same settings give the same numbers bit for bit. Person, phrase, camera and small movements each have a random
    stream of their own, so that a longer clip shows the same person.
    """
    streams = [np.random.default_rng([settings.seed, stream]) for stream in range(5)]
    person = random_person(streams[0], settings.age)
    frames = max(1, round(settings.seconds * settings.fps))
    steps = MOMENTS if settings.shutter else 1
    fps, times = settings.fps * steps, np.arange(frames * steps) / (settings.fps * steps)
    style = Style(settings.tempo, settings.hands == "one", settings.touches, settings.rest)
    phrase = compose(streams[1], settings.seconds, style)
    left_handed = bool(streams[0].random() < 0.1)
    if settings.handedness != "by-seed":
        left_handed = settings.handedness == "left"
    actions, jaw = facial_tracks(phrase, times, fps, load_anny().actions, streams[2])
    rotvecs = choreograph(person.physique, phrase, times, fps, jaw, left_handed, streams[3], style)
    sway = drift(streams[3], times, 0.004)
    signs = np.array(glosses(phrase, times[::steps]))
    # hands that leave the picture anyway are framed while they sign, and not on their way
    framed = np.ones(frames, bool) if settings.rest == "waist" or not any(signs) else signs != ""
    camera, place = _camera(person, rotvecs[::steps], framed, settings, streams[4])
    every = Recipe(
        person.phenotype,
        person.local_changes,
        rotvecs.astype(np.float32),
        actions.astype(np.float32),
        (sway + place).astype(np.float32),
    )
    recipe = every.at(slice(None, None, steps))
    opened = _exposures(person, every, camera, settings.shutter, steps)
    used, places = np.unique(np.concatenate(opened), return_inverse=True)
    edges = np.cumsum([len(moments) for moments in opened])[:-1]
    appearance = suitable_appearance(settings.seed, person.noun, settings.age)
    truth = Truth(
        joints=recipe.pose()[1].astype(np.float32),
        camera=camera,
        fps=settings.fps,
        recipe=recipe,
        seed=settings.seed,
        caption=caption(person.noun, appearance),
        glosses=tuple(signs.tolist()),
    )
    return Performance(person, appearance, truth, every.at(used), tuple(np.split(places, edges)))


def _exposures(person: Person, every: Recipe, camera: Camera, shutter: float, steps: int) -> list[np.ndarray]:
    """Choose the moments of each frame by how far the hands move in the picture while the shutter is open."""
    if steps == 1:
        return list(np.arange(len(every.rotvecs))[:, None])
    matrices = rotvec_to_rotmat(every.rotvecs.astype(np.float64))
    positions, orientations = person.physique.skeleton.forward(matrices)
    tips = person.physique.skeleton.fingertips(positions, orientations).reshape(len(matrices), -1, 3)
    pelvis = person.physique.skeleton.joints[PELVIS]
    return exposures(camera.project(tips - pelvis + every.transl[:, None]), shutter, steps)


def _camera(
    person: Person, rotvecs: np.ndarray, framed: np.ndarray, settings: SyntheticSettings, rng: np.random.Generator
) -> tuple[Camera, np.ndarray]:
    """Frame the head, and the hands where they are raised in the frames ``framed`` (T,); return camera and pelvis."""
    skeleton = person.physique.skeleton
    matrices = rotvec_to_rotmat(rotvecs)
    positions, orientations = skeleton.forward(matrices)
    tips = skeleton.fingertips(positions, orientations)
    shoulders = skeleton.joints[list(SHOULDER.values()), 1].mean()
    low = skeleton.joints[PELVIS, 1] + CUT[settings.framing] * (shoulders - skeleton.joints[PELVIS, 1])
    # Hands count when they are up; lowered ones are meant to be out of the picture.
    wrists = positions[framed][:, list(WRIST.values())]
    hands = np.concatenate([tips[framed].reshape(-1, 3), wrists.reshape(-1, 3)])
    raised = hands[hands[:, 1] > low + 0.1 * (shoulders - low)]
    high = person.head_top + HAIR
    head = positions[:, SPINE3] * [1, 0, 1] + [0, high, 0]
    cut = head * [1, 0, 1] + [0, low, 0]
    return frame_signer(
        np.concatenate([raised, head, cut * [1, 0.5, 1] + head * [0, 0.5, 0]]),
        low, high, settings.width, settings.height, settings.roll, settings.view_angle, rng,
    )  # fmt: skip
