"""From a phrase to SMPL-X rotations: minimum-jerk hands, arms by inverse kinematics, a body that is never still."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from scipy.ndimage import gaussian_filter1d, maximum_filter1d
from scipy.spatial.transform import Rotation

from diffsign.geometry.rotations import rotmat_to_rotvec, rotvec_to_rotmat
from diffsign.geometry.skeleton import JOINTS
from diffsign.synthetic.arms import reach
from diffsign.synthetic.handshapes import ALONG_AXIS, HANDSHAPES, SIDE_AXIS, hand_rotations
from diffsign.synthetic.kinematics import (
    COLLAR,
    ELBOW,
    EYES,
    FINGERS,
    HEAD,
    JAW,
    NECK,
    SHOULDER,
    SIDES,
    SPINE1,
    SPINE2,
    SPINE3,
    WRIST,
    Skeleton,
    unit,
)
from diffsign.synthetic.lexicon import Movement, Posture
from diffsign.synthetic.phrase import Placed, Stroke, Style, strokes
from diffsign.synthetic.solids import Column

#: Air kept between a hand and the body, in metres.
CLEARANCE = 0.006
#: The same where signs touch: the solids are hulls, and skin gives way.
TOUCHING = -0.015


@dataclass(frozen=True)
class Physique:
    """A person as the choreography sees them.

    Attributes:
        skeleton: joints and finger tips at rest.
        head: the head's solid, from the head joint.
        torso: the torso's solid, from the joint of the upper spine.
        eyes: (3,) metres, the middle between the eyes from the head joint.
    """

    skeleton: Skeleton
    head: Column
    torso: Column
    eyes: np.ndarray

    @property
    def arm(self) -> float:
        """Metres from shoulder to wrist along the stretched arm."""
        joints = self.skeleton.joints
        chain = joints[[SHOULDER["left"], ELBOW["left"], WRIST["left"]]]
        return float(np.linalg.norm(np.diff(chain, axis=0), axis=1).sum())

    def place(self, name: str, out: float) -> np.ndarray:
        """Return a place (3,) metres from the joint that carries it; ``out`` is the x direction of the hand's side."""
        if name == "space":
            joints = self.skeleton.joints
            return (joints[SHOULDER["left"]] + joints[SHOULDER["right"]]) / 2 - joints[SPINE3]
        if name == "torso":
            return self.torso.front(float(self.place("space", out)[1]))
        # Heights and widths of a face in distances between the eyes.
        across = float(np.linalg.norm(self.skeleton.joints[EYES[0]] - self.skeleton.joints[EYES[1]]))
        up, aside = {
            "forehead": (0.9, 0.0),
            "temple": (0.45, 1.0),
            "eye": (0.0, 0.5),
            "nose": (-0.6, 0.0),
            "cheek": (-0.7, 0.85),
            "mouth": (-1.1, 0.0),
            "chin": (-1.65, 0.0),
            "ear": (-0.2, 1.25),
            "before_face": (-0.3, 0.0),
        }[name]
        point = self.head.front(float(self.eyes[1]) + up * across, out * aside * across)
        if name == "ear":
            point[2] = self.eyes[2] - 0.9 * across
        if name == "before_face":
            point[2] += 0.13 * self.arm / 0.5
        return point


@dataclass(frozen=True)
class _Path:
    """Where a hand is.

    Attributes:
        wrist: (T, 3) metres.
        orientation: (T, 3, 3).
        fingers: (T, 15, 3) axis-angle, relative to the parent.
        contact: (T, 3) metres from the wrist, in the world's axes at rest: the point whose place matters.
    """

    wrist: np.ndarray
    orientation: np.ndarray
    fingers: np.ndarray
    contact: np.ndarray


def minimum_jerk(share: np.ndarray) -> np.ndarray:
    """Return the course of a minimum-jerk movement, 0 to 1, for shares of its time (clipped to 0 to 1)."""
    s = np.clip(share, 0.0, 1.0)
    return s**3 * (10 - 15 * s + 6 * s**2)


def drift(rng: np.random.Generator, times: np.ndarray, size: float, slowest: float = 0.15) -> np.ndarray:
    """Return slow noise (T, 3) of about ``size``, the same at whatever rate it is sampled."""
    rates = slowest * np.array([1.0, 2.3, 4.1])[:, None]
    phases = rng.uniform(0, 2 * np.pi, (3, 3))
    strengths = rng.normal(size=(3, 3)) * np.array([0.75, 0.45, 0.2])[:, None]
    return size * np.sum(strengths * np.sin(2 * np.pi * rates * times[:, None, None] + phases), axis=1)


class _HandPlanner:
    """Turns strokes of one hand into a path, for one person."""

    def __init__(self, physique: Physique, side: str, times: np.ndarray) -> None:
        self.physique, self.side, self.times = physique, side, times
        self.hand = physique.skeleton.hands[side]
        self.out = 1.0 if side == "left" else -1.0
        self.mirror = np.array([self.out, 1.0, 1.0])
        self._shapes: dict[str, tuple[np.ndarray, dict[str, np.ndarray]]] = {}

    def shape(self, name: str) -> tuple[np.ndarray, dict[str, np.ndarray]]:
        """Return finger rotations (15, 3) and points of contact (3,) from the wrist, in the world's axes at rest."""
        if name not in self._shapes:
            matrices = hand_rotations(self.hand, HANDSHAPES[name])
            local = self.hand.basis.T @ matrices @ self.hand.basis
            chains = self.hand.chains
            tips = []
            for finger in range(5):
                turn, point = np.eye(3), chains[finger, 0]
                for bone in range(3):
                    turn = turn @ local[3 * finger + bone]
                    point = point + turn @ (chains[finger, bone + 1] - chains[finger, bone])
                tips.append(point)
            palm = chains[1, 0] * 0.8 + np.array([0.0, 0.0, 1.2 * self.hand.thickness])
            contacts = {
                "palm": palm,
                "index": tips[0],
                "middle": tips[1],
                "thumb": tips[4],
                "tips": (tips[0] + tips[1]) / 2,
                "knuckles": chains[1, 0],
                "wrist": np.zeros(3),
            }
            rotvecs = Rotation.from_matrix(matrices).as_rotvec()
            self._shapes[name] = rotvecs, {k: self.hand.basis @ v for k, v in contacts.items()}
        return self._shapes[name]

    def stroke(self, stroke: Stroke, torso: tuple, head: tuple) -> _Path:
        """Evaluate one stroke at all times; before and after it, the hand stands at its start and its end."""
        posture, movement = stroke.posture, stroke.movement
        linear = np.clip((self.times - stroke.start) / max(stroke.end - stroke.start, 1e-6), 0, 1)
        course = minimum_jerk(linear)
        cycles = movement.repeats * (0.5 * course + 0.5 * linear) if movement.repeats > 1 else course
        there = (1 - np.cos(2 * np.pi * cycles)) / 2 if movement.repeats > 1 else course
        shift = 0.5 if stroke.alternate else 0.0
        if stroke.alternate:
            there = 1 - there
        offset = self._offset(posture, movement, there, cycles + shift)
        frame_orientation, frame_origin = torso if posture.place in ("space", "torso") else head
        place = self.physique.place(posture.place, self.out) + offset * self.physique.arm * self.mirror
        orientation = frame_orientation @ self._orientation(posture, movement, there)
        fingers, contacts = self.shape(posture.shape)
        contact = contacts[posture.contact]
        if movement.shape:
            late_fingers, _ = self.shape(movement.shape)
            fingers = fingers + there[:, None, None] * (late_fingers - fingers)
            # The place of the hand is kept, not that of the finger that closes.
        else:
            fingers = np.repeat(fingers[None], len(self.times), axis=0)
        if movement.flutter:
            fingers = fingers + self._flutter(movement, linear)
        goal = frame_origin + np.einsum("tij,tj->ti", frame_orientation, np.broadcast_to(place, frame_origin.shape))
        wrist = goal - orientation @ contact
        return _Path(wrist, orientation, fingers, np.repeat(contact[None], len(self.times), axis=0))

    def _offset(self, posture: Posture, movement: Movement, there: np.ndarray, cycles: np.ndarray) -> np.ndarray:
        offset = np.array(posture.offset) + there[:, None] * np.array(movement.path)
        offset = offset + (4 * there * (1 - there))[:, None] * np.array(movement.arc)
        axis = np.array(movement.circle)
        radius = np.linalg.norm(axis)
        if radius:
            up = np.array([0.0, 1.0, 0.0])
            across = unit(np.cross(up, axis))
            angle = 2 * np.pi * cycles[:, None]
            offset = offset + radius * ((1 - np.cos(angle)) * up + np.sin(angle) * across)
        return offset

    def _orientation(self, posture: Posture, movement: Movement, there: np.ndarray) -> np.ndarray:
        fingers = unit(np.array(posture.fingers))
        palm = np.array(posture.palm)
        palm = unit(palm - fingers * (palm @ fingers))
        axes = np.stack([fingers, np.cross(palm, fingers), palm], axis=1)
        turn = Rotation.from_rotvec(np.deg2rad(-movement.turn * there)[:, None] * ALONG_AXIS)
        nod = Rotation.from_rotvec(np.deg2rad(movement.nod * there)[:, None] * -SIDE_AXIS)
        return (self.mirror[:, None] * (axes @ (turn * nod).as_matrix())) @ self.hand.basis.T

    def _flutter(self, movement: Movement, linear: np.ndarray) -> np.ndarray:
        axis = np.linalg.det(self.hand.basis) * self.hand.basis @ -SIDE_AXIS
        wiggle = np.zeros((len(self.times), 15, 3))
        window = np.sin(np.pi * linear) ** 0.5
        for order, finger in enumerate((0, 1, 3, 2)):
            swing = 0.5 - 0.5 * np.cos(2 * np.pi * (movement.repeats * linear - 0.17 * order))
            wiggle[:, 3 * finger] = np.deg2rad(movement.flutter) * (window * swing)[:, None] * axis
        return wiggle

    def path(self, todo: list[Stroke], torso: tuple, head: tuple) -> _Path:
        """Join strokes by minimum-jerk transitions that swing a little forward."""
        now = self.stroke(todo[0], torso, head)
        for before, after in pairwise(todo):
            aim = self.stroke(after, torso, head)
            share = (self.times - before.end) / max(after.start - before.end, 1e-6)
            weight = minimum_jerk(share)
            distance = np.linalg.norm(aim.wrist - now.wrist, axis=1)
            swing = (4 * weight * (1 - weight) * 0.12 * np.minimum(distance, 0.4))[:, None] * np.array([0.0, 0.0, 1.0])
            # Fingers are there a little before the arm is.
            early = minimum_jerk(share * 1.2)[:, None, None]
            now = _Path(
                now.wrist + weight[:, None] * (aim.wrist - now.wrist) + swing,
                _between(now.orientation, aim.orientation, weight),
                now.fingers + early * (aim.fingers - now.fingers),
                now.contact + weight[:, None] * (aim.contact - now.contact),
            )
        return now

    def points(self, path: _Path) -> np.ndarray:
        """Return points (T, P, 3) that fill the hand: knuckles, finger joints, tips and the palm."""
        matrices = Rotation.from_rotvec(path.fingers.reshape(-1, 3)).as_matrix().reshape(-1, 5, 3, 3, 3)
        points = [path.wrist]
        chains = np.einsum("ij,fpj->fpi", self.hand.basis, self.hand.chains)
        for finger in range(5):
            turn, point = path.orientation, path.wrist + path.orientation @ chains[finger, 0]
            points += [point, (point + path.wrist) / 2]
            for bone in range(3):
                turn = turn @ matrices[:, finger, bone]
                point = point + turn @ (chains[finger, bone + 1] - chains[finger, bone])
                points.append(point)
        return np.stack(points, axis=1)


def _between(a: np.ndarray, b: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Turn orientations ``a`` (T, 3, 3) by the share ``weight`` (T,) of the way to ``b``."""
    start = Rotation.from_matrix(a)
    way = (start.inv() * Rotation.from_matrix(b)).as_rotvec()
    return (start * Rotation.from_rotvec(way * weight[:, None])).as_matrix()


def _keep_out(
    points: np.ndarray, radius: float, solids: list[tuple[Column, np.ndarray]], fps: float, clearance: float
) -> np.ndarray:
    """Return how far (T,) metres forward a hand must go so that its points stay out of the solids."""
    steps = np.arange(0.0, 0.30, 0.004)
    need = np.zeros(len(points))
    for column, ahead in solids:
        for frame in range(len(points)):
            here = column.at(slice(frame, frame + 1))
            moved = points[frame] + steps[:, None, None] * ahead[frame]
            gap = here.distance(moved.reshape(1, -1, 3)).reshape(len(steps), -1).min(axis=1) - radius - clearance
            free = np.flatnonzero(gap >= 0)
            need[frame] = max(need[frame], steps[free[0]] if len(free) else steps[-1])
    wide = maximum_filter1d(need, max(3, int(0.1 * fps) | 1))
    return np.maximum(gaussian_filter1d(wide, 0.05 * fps, mode="nearest"), need)


def _keep_apart(left: np.ndarray, right: np.ndarray, radius: float, fps: float) -> np.ndarray:
    """Return how far (T,) metres each hand must go outward so that the hands don't meet."""
    steps = np.arange(0.0, 0.12, 0.004)
    out = np.array([1.0, 0.0, 0.0])
    need = np.zeros(len(left))
    for frame in range(len(left)):
        for step in steps:
            gap = np.linalg.norm((left[frame] + step * out)[:, None] - (right[frame] - step * out), axis=-1).min()
            need[frame] = step
            if gap >= 2 * radius:
                break
    wide = maximum_filter1d(need, max(3, int(0.1 * fps) | 1))
    return np.maximum(gaussian_filter1d(wide, 0.05 * fps, mode="nearest"), need)


def choreograph(
    physique: Physique,
    phrase: list[Placed],
    times: np.ndarray,
    fps: float,
    jaw: np.ndarray,
    left_handed: bool,
    rng: np.random.Generator,
    style: Style = Style(),
) -> np.ndarray:
    """Return the rotations (T, 55, 3) of SMPL-X's joints, axis-angle in radians, that perform a phrase.

    Args:
        physique: the person.
        phrase: what is signed.
        times: (T,) seconds.
        fps: frames per second.
        jaw: (T,) degrees, opening of the jaw.
        left_handed: which hand is the dominant one.
        rng: where small involuntary movements come from.
        style: how it is signed; decides where hands rest, and whether they may touch.
    """
    rotvecs = _move_trunk(phrase, times, jaw, rng)
    positions, orientations = physique.skeleton.forward(rotvec_to_rotmat(rotvecs))
    torso, head = (_Part(orientations[:, joint], positions[:, joint]) for joint in (SPINE3, HEAD))
    solids = [(physique.torso.placed(*torso), torso.ahead), (physique.head.placed(*head), head.ahead)]
    clearance = TOUCHING if style.touches else CLEARANCE
    sides = SIDES if left_handed else SIDES[::-1]
    planners = {side: _HandPlanner(physique, side, times) for side in sides}
    paths = {}
    for side, todo in zip(sides, strokes(phrase, style.rest), strict=True):
        planner = planners[side]
        path = planner.path(todo, torso, head)
        wrist = path.wrist + drift(rng, times, 0.003, 0.4)
        path = replace(path, wrist=wrist)
        forward = _keep_out(planner.points(path), planner.hand.thickness, solids, fps, clearance)
        paths[side] = replace(path, wrist=wrist + forward[:, None] * torso.ahead)
    first, second = (planners[side].points(paths[side]) for side in SIDES)
    apart = _keep_apart(first, second, planners["left"].hand.thickness, fps)
    for side, path in paths.items():
        outward = planners[side].out * apart[:, None] * np.array([1.0, 0.0, 0.0])
        moved = replace(path, wrist=path.wrist + outward)
        _bring_hand(physique, side, moved, rotvecs, positions, torso, solids[0][0], fps)
    return rotvecs


class _Part(NamedTuple):
    """A part of the body over the frames: orientations (T, 3, 3) and positions (T, 3) of its joint."""

    orientation: np.ndarray
    position: np.ndarray

    @property
    def ahead(self) -> np.ndarray:
        """(T, 3) where it faces."""
        return self.orientation[:, :, 2]


def _move_trunk(phrase: list[Placed], times: np.ndarray, jaw: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return rotations (T, 55, 3) of trunk, head, jaw and eyes; the arms hang at rest."""
    rotvecs = np.zeros((len(times), len(JOINTS), 3))
    for joint, size in ((SPINE1, 0.5), (SPINE2, 0.7), (SPINE3, 0.7), (NECK, 1.0), (HEAD, 1.3)):
        rotvecs[:, joint] = np.deg2rad(drift(rng, times, size))
    for p in phrase:
        middle, width = (p.start + p.end) / 2, max(p.end - p.start, 0.2) / 2.2
        bell = np.exp(-0.5 * ((times - middle) / width) ** 2)[:, None]
        rotvecs[:, HEAD] += np.deg2rad(bell * np.array(p.sign.head))
    rotvecs[:, JAW, 0] = np.deg2rad(jaw)
    for eye in EYES:
        rotvecs[:, eye] = -0.8 * rotvecs[:, HEAD] - 0.8 * rotvecs[:, NECK]
    return rotvecs


def _bring_hand(
    physique: Physique,
    side: str,
    path: _Path,
    rotvecs: np.ndarray,
    positions: np.ndarray,
    torso: _Part,
    torso_solid: Column,
    fps: float,
) -> None:
    """Write the rotations of one arm and hand that follow a path into ``rotvecs`` (T, 55, 3)."""
    skeleton, out = physique.skeleton, 1.0 if side == "left" else -1.0
    raised = (path.wrist[:, 1] - positions[:, SHOULDER[side], 1]) / physique.arm
    rotvecs[:, COLLAR[side], 2] = out * np.deg2rad(14.0) * np.clip(raised + 0.35, 0, 1)
    collar = torso.orientation @ rotvec_to_rotmat(rotvecs[:, COLLAR[side]])
    bone = skeleton.joints[SHOULDER[side]] - skeleton.joints[COLLAR[side]]
    shoulder = positions[:, COLLAR[side]] + collar @ bone
    arm = reach(skeleton, side, collar, shoulder, path.wrist, path.orientation, torso_solid, fps)
    for _ in range(2):
        # Where a limit turned the hand, the wrist moves so that the point of contact stays in its place.
        kept = collar @ arm.shoulder @ arm.elbow @ arm.wrist
        moved = np.einsum("tij,tj->ti", path.orientation - kept, path.contact)
        arm = reach(skeleton, side, collar, shoulder, path.wrist + moved, path.orientation, torso_solid, fps)
    for joint, rotation in ((SHOULDER, arm.shoulder), (ELBOW, arm.elbow), (WRIST, arm.wrist)):
        rotvecs[:, joint[side]] = rotmat_to_rotvec(rotation)
    rotvecs[:, FINGERS[side] : FINGERS[side] + 15] = path.fingers
