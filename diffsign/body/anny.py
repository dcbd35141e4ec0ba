"""Anny, the free body that the default body file is built from, posed like SMPL-X.

Anny (NAVER, Apache-2.0; its mesh and targets are MakeHuman's, CC0) stands in an A-pose, z up, facing
−y, with 104 bones. Here it is turned to the axes of SMPL-X (y up, facing +z), brought to SMPL-X's zero
pose (arms straight to the sides, palms down, fingers straight) for any phenotype, and driven by the
rotations of SMPL-X's 55 joints. Skinning is Anny's own.
"""

from __future__ import annotations

import functools
import logging
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components
from scipy.spatial import KDTree
from scipy.spatial.transform import Rotation

from diffsign.errors import DiffSignError, nearest
from diffsign.geometry import kinematics
from diffsign.geometry.alignment import best_rotation
from diffsign.geometry.skeleton import JOINTS

#: Anny's axes to SMPL-X's: (x, y, z) becomes (x, z, −y).
AXES = np.array([[1.0, 0.0, 0.0], [0.0, 0.0, 1.0], [0.0, -1.0, 0.0]])

#: Bone that carries each joint's rotation; bones without a joint of their own move with the nearest above.
JOINT_BONES: dict[str, str] = {
    "pelvis": "root",
    "spine1": "spine04",
    "spine2": "spine02",
    "spine3": "spine01",
    "neck": "neck01",
    "head": "head",
    "left_eye_smplhf": "eye.L",
    "right_eye_smplhf": "eye.R",
    **{
        f"{side}_{joint}": f"{bone}.{side[0].upper()}"
        for side in ("left", "right")
        for joint, bone in {
            "hip": "upperleg01",
            "knee": "lowerleg01",
            "ankle": "foot",
            "foot": "toe1-1",
            "collar": "clavicle",
            "shoulder": "upperarm01",
            "elbow": "lowerarm01",
            "wrist": "wrist",
            **{
                f"{finger}{i}": f"finger{number}-{i}"
                for number, finger in enumerate(("thumb", "index", "middle", "ring", "pinky"), start=1)
                for i in (1, 2, 3)
            },
        }.items()
    },
}

#: What opening the jaw by its blend shape amounts to, as a rotation about :meth:`AnnyBody.jaw`: radians.
JAW_OPEN = np.radians(22.6)
JAW_SIDE = np.radians(6.0)

CHUNK = 32


def shortest_rotation(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Return the smallest rotations (..., 3, 3) that turn directions ``a`` (..., 3) to ``b`` (..., 3)."""
    a = a / np.linalg.norm(a, axis=-1, keepdims=True)
    b = np.broadcast_to(b / np.linalg.norm(b, axis=-1, keepdims=True), a.shape)
    axis, cosine = np.cross(a, b), np.sum(a * b, axis=-1)[..., None, None]
    x, y, z = np.moveaxis(axis, -1, 0)
    zero = np.zeros_like(x)
    skew = np.stack([zero, -z, y, z, zero, -x, -y, x, zero], axis=-1).reshape(*x.shape, 3, 3)
    return np.eye(3) + skew + skew @ skew / (1.0 + cosine)


def basis(direction: np.ndarray, normal: np.ndarray) -> np.ndarray:
    """Return rotations (..., 3, 3) whose columns are ``direction``, ``normal`` made square to it, and their product."""
    first = direction / np.linalg.norm(direction, axis=-1, keepdims=True)
    second = normal - np.sum(normal * first, axis=-1, keepdims=True) * first
    second = second / np.linalg.norm(second, axis=-1, keepdims=True)
    return np.stack([first, second, np.cross(first, second)], axis=-1)


def world_rotations(rotvecs: np.ndarray) -> np.ndarray:
    """Return world rotations (T, 55, 3, 3) of joints rotated by ``rotvecs`` (T, 55, 3) relative to their parents."""
    local = Rotation.from_rotvec(rotvecs.reshape(-1, 3)).as_matrix().reshape(*rotvecs.shape, 3)
    return kinematics.world_rotations(local)


@dataclass(frozen=True)
class AnnyShape:
    """An Anny of one phenotype in its own A-pose, in SMPL-X axes and Anny's vertex order.

    Attributes:
        vertices: (V, 3) float64, metres.
        heads: (104, 3) float64, where the bones start.
        orientation: (104, 3, 3) float64, Anny's rest orientation of the bones, in Anny's axes.
        to_zero: (104, 3, 3) float64, world rotations that bring the bones to SMPL-X's zero pose.
    """

    vertices: np.ndarray
    heads: np.ndarray
    orientation: np.ndarray
    to_zero: np.ndarray


class AnnyBody:
    """Anny's model with the maps to SMPL-X. Get the one instance from :func:`load_anny`.

    Attributes:
        bones: names of the 104 bones.
        bone_joint: (104,) index of the SMPL-X joint that each bone moves with.
        actions: names of the 52 facial actions (ARKit's).
        phenotypes: names of the phenotype values, each in [0, 1], 0.5 by default.
        order: (V,) Anny's number of each vertex of the body file.
        mirror: (V,) number of each vertex's mirror image, in body-file order.
        faces: (F, 3) triangles in body-file order.
        landmarks: name in ``smplx.vertex_ids`` to vertex number in body-file order.
        action_shapes: (52, V, 3) offsets in metres of the facial actions, SMPL-X axes, Anny's vertex order.
        bone_weights: (V, 104) skinning weights, Anny's vertex order.
        jaw_vertices: the two vertices, in Anny's order, whose middle is the jaw's joint.
        tongue: the tongue's vertices, in Anny's order.
    """

    def __init__(self) -> None:
        import torch

        logging.getLogger("anny").setLevel(logging.WARNING)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            import anny

            # Plain torch skinning: Warp, the default, compiles kernels and talks about its devices.
            self.model: Any = anny.Anny(local_changes="default", facial_actions="all", skinning_method="lbs")
            self._coco: Any = anny.KeypointsRegressor.coco(self.model)
        self._torch = torch
        model = self.model
        self.bones: list[str] = list(model.bone_labels)
        self.actions: list[str] = list(model.facial_action_labels)
        self.phenotypes: list[str] = list(model.phenotype_labels)
        self.local_changes: list[str] = list(model.local_change_labels)
        self.bone_joint = self._fold_bones()
        count = len(model.template_vertices)
        first = [i for i, name in enumerate(model.blendshape_labels) if name.startswith("facial_action:")]
        self.action_shapes = model.blendshapes[first[0] : first[-1] + 1].numpy() @ AXES.T
        weights = np.zeros((count, len(self.bones)))
        indices = model.vertex_bone_indices.numpy().astype(int)
        np.add.at(weights, (np.arange(count)[:, None], indices), model.vertex_bone_weights.numpy())
        self.bone_weights = weights
        template = model.template_vertices.numpy()
        _, images = KDTree(template * [-1.0, 1.0, 1.0]).query(template)
        self._mirror = np.asarray(images)
        self.order = np.arange(count)
        self.landmarks = self._number_landmarks()
        self.jaw_vertices = self._find_jaw()
        self.tongue = self._find_tongue()
        place = np.argsort(self.order)
        self.mirror = place[self._mirror[self.order]]
        self.faces = place[model.faces.numpy()]

    def _fold_bones(self) -> np.ndarray:
        drivers = {bone: JOINTS.index(joint) for joint, bone in JOINT_BONES.items()}
        toes = {f"toe{i}-1.{side}": drivers[f"toe1-1.{side}"] for i in range(2, 6) for side in "LR"}
        drivers |= toes
        joint = np.empty(len(self.bones), dtype=np.int64)
        for bone, (name, parent) in enumerate(zip(self.bones, self.model.bone_parents, strict=True)):
            joint[bone] = drivers[name] if name in drivers else joint[parent]
        return joint

    def bone(self, name: str) -> int:
        """Return a bone's number."""
        return self.bones.index(name)

    def dominant(self, bone: str) -> np.ndarray:
        """Return Anny's numbers of the vertices that ``bone`` moves more than any other bone does."""
        return np.flatnonzero(self.bone_weights.argmax(axis=1) == self.bone(bone))

    def _number_landmarks(self) -> dict[str, int]:
        from smplx.vertex_ids import vertex_ids

        rest = self.rest_vertices({})
        points = dict(zip(self._coco.labels, self._coco.regression_weights.numpy() @ rest, strict=True))
        heads = self.model.template_bone_heads.numpy() @ AXES.T
        skin = KDTree(rest)

        def near(name: str) -> int:
            _, result = skin.query(points[name])
            return int(result)

        def farthest(bone: str) -> int:
            vertices = self.dominant(bone)
            return int(vertices[np.linalg.norm(rest[vertices] - heads[self.bone(bone)], axis=1).argmax()])

        middle = np.flatnonzero((np.abs(rest[:, 0]) < 1e-4) & (np.linalg.norm(rest - points["nose"], axis=1) < 0.03))
        eyeball = self.dominant("eye.L")
        result = {
            "nose": int(middle[rest[middle, 2].argmax()]),
            "leye": int(eyeball[rest[eyeball, 2].argmax()]),
            "lear": near("left_ear"),
            "LBigToe": near("left_big_toe"),
            "LSmallToe": near("left_small_toe"),
            "LHeel": near("left_heel"),
        }
        for number, finger in enumerate(("thumb", "index", "middle", "ring", "pinky"), start=1):
            result[f"l{finger}"] = farthest(f"finger{number}-3.L")
        for name in list(result):
            if name != "nose":
                result[("R" if name[0] == "L" else "r") + name[1:]] = int(self._mirror[result[name]])
        ids = vertex_ids["smplx"]
        for name, target in ids.items():
            here = int(np.flatnonzero(self.order == result[name])[0])
            self.order[[here, target]] = self.order[[target, here]]
        return dict(ids)

    def _find_jaw(self) -> np.ndarray:
        """Return the two vertices, mirror images, whose middle lies nearest to the axis that ``jawOpen`` turns about.

        The axis is that of the rotation, in the plane of symmetry, fitted to the vertices that the shape moves most.
        """
        rest = self.rest_vertices({})
        moved = self.action_shapes[self.actions.index("jawOpen")]
        length = np.linalg.norm(moved, axis=1)
        chin = length > 0.6 * length.max()
        before, after = rest[chin, 1:], (rest + moved)[chin, 1:]
        rotation = best_rotation(before, after)
        centre = np.linalg.solve(np.eye(2) - rotation, after.mean(0) - rotation @ before.mean(0))
        cheek = np.flatnonzero((rest[:, 0] > 0.045) & (length < 0.1 * length.max()))
        left = cheek[np.linalg.norm(rest[cheek, 1:] - centre, axis=1).argmin()]
        return np.array([left, self._mirror[left]])

    def _find_tongue(self) -> np.ndarray:
        """Return Anny's numbers of the tongue's vertices: the part of the mesh that is neither skin nor eye."""
        faces = self.model.faces.numpy()
        edges = np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]]])
        count = len(self.order)
        graph = coo_matrix((np.ones(len(edges)), edges.T), (count, count))
        part = connected_components(graph, directed=False)[1]
        eyes = part[np.concatenate([self.dominant("eye.L"), self.dominant("eye.R")])]
        return np.flatnonzero((part != np.bincount(part).argmax()) & ~np.isin(part, eyes))

    def coefficients(self, phenotype: Mapping[str, float], local_changes: Mapping[str, float] | None = None) -> Any:
        """Return Anny's blend-shape coefficients (1, K) of a phenotype.

        Raises:
            DiffSignError: for an unknown name, or a phenotype value outside [0, 1].
        """
        for given, known in ((phenotype, self.phenotypes), (local_changes or {}, self.local_changes)):
            for name, value in given.items():
                if name not in known:
                    raise DiffSignError(f"Anny has no phenotype '{name}'{nearest(name, known)}.")
                if known is self.phenotypes and not 0.0 <= float(value) <= 1.0:
                    raise DiffSignError(f"the phenotype '{name}' must lie in 0 to 1, not {value}.")
        _, phenotypes, changes, actions = self.model.get_tensor_inputs(None, dict(phenotype), local_changes, None)
        return self.model._get_phenotype_blendshape_coefficients(phenotypes, changes, actions)

    def rest_vertices(
        self, phenotype: Mapping[str, float], local_changes: Mapping[str, float] | None = None
    ) -> np.ndarray:
        """Return the A-posed vertices (V, 3) in SMPL-X axes and Anny's order."""
        with self._torch.no_grad():
            return self.model.get_rest_vertices(self.coefficients(phenotype, local_changes))[0].numpy() @ AXES.T

    def rest(self, phenotype: Mapping[str, float], local_changes: Mapping[str, float] | None = None) -> AnnyShape:
        """Return the body of a phenotype (names of :attr:`phenotypes` to values in [0, 1]) in Anny's A-pose."""
        with self._torch.no_grad():
            result = self.model.get_rest_model(self.coefficients(phenotype, local_changes))
        vertices = result["rest_vertices"][0].numpy() @ AXES.T
        heads = result["rest_bone_heads"][0].numpy() @ AXES.T
        return AnnyShape(
            vertices, heads, result["rest_bone_poses"][0, :, :3, :3].numpy(), self._to_zero(vertices, heads)
        )

    def _to_zero(self, vertices: np.ndarray, heads: np.ndarray) -> np.ndarray:
        """World rotations (104, 3, 3) from the A-pose to SMPL-X's zero pose; see the module's docstring."""
        rotations = np.broadcast_to(np.eye(3), (len(self.bones), 3, 3)).copy()
        down = np.array([0.0, -1.0, 0.0])
        for side, sign in (("L", 1.0), ("R", -1.0)):
            out = np.array([sign, 0.0, 0.0])

            def at(name: str, side: str = side) -> np.ndarray:
                return heads[self.bone(f"{name}.{side}")]

            upper = shortest_rotation(at("lowerarm01") - at("upperarm01"), out)
            fore = shortest_rotation(upper @ (at("wrist") - at("lowerarm01")), out) @ upper
            across = np.cross(at("finger5-1") - at("wrist"), at("finger2-1") - at("wrist")) * sign
            hand = basis(out, down) @ basis(at("finger3-1") - at("wrist"), across).T
            # What the hand is turned about the arm more than the forearm is, the forearm takes half of.
            x, _, _, w = Rotation.from_matrix(hand @ fore.T).as_quat()
            fore_low = Rotation.from_rotvec([np.arctan2(x, w), 0.0, 0.0]).as_matrix() @ fore
            for name in ("upperarm01", "upperarm02"):
                rotations[self.bone(f"{name}.{side}")] = upper
            rotations[self.bone(f"lowerarm01.{side}")] = fore
            rotations[self.bone(f"lowerarm02.{side}")] = fore_low
            for bone in ("wrist", *(f"metacarpal{i}" for i in range(1, 5)), *(f"finger1-{i}" for i in (1, 2, 3))):
                rotations[self.bone(f"{bone}.{side}")] = hand
            for finger in range(2, 6):
                tip = vertices[self.dominant(f"finger{finger}-3.{side}")].mean(axis=0)
                starts = [at(f"finger{finger}-{i}") for i in (1, 2, 3)]
                straight = hand @ (tip - starts[0])
                straight[1] = 0.0
                for i, (start, end) in enumerate(zip(starts, [*starts[1:], tip], strict=True), start=1):
                    rotations[self.bone(f"finger{finger}-{i}.{side}")] = (
                        shortest_rotation(hand @ (end - start), straight) @ hand
                    )
        return rotations

    def transforms(self, rest: AnnyShape, world: np.ndarray) -> np.ndarray:
        """Return the rigid transforms (T, 104, 4, 4), SMPL-X axes, that pose the bones by Anny's own kinematics.

        Args:
            rest: the body.
            world: (T, 55, 3, 3) world rotations of the joints from the zero pose. The pelvis goes to the origin.
        """
        poses = np.zeros((len(world), len(self.bones), 4, 4))
        poses[..., 3, 3] = 1.0
        poses[..., :3, :3] = AXES.T @ world[:, self.bone_joint] @ rest.to_zero @ AXES @ rest.orientation
        bones = np.tile(np.eye(4), (1, len(self.bones), 1, 1))
        bones[0, :, :3, :3] = rest.orientation
        bones[0, :, :3, 3] = rest.heads @ AXES
        with self._torch.no_grad():
            result, _ = self.model.get_bone_transforms(
                self._torch.from_numpy(poses), self._torch.from_numpy(bones), pose_parameterization="world-orient"
            )
        turned = np.eye(4)
        turned[:3, :3] = AXES
        return turned @ result.numpy() @ turned.T

    def skin(self, rest: AnnyShape, world: np.ndarray, vertices: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Pose ``vertices`` with Anny's own kinematics and skinning.

        Args:
            rest: the body.
            world: (T, 55, 3, 3) world rotations of the joints from the zero pose.
            vertices: (T, V, 3) A-posed vertices in Anny's order (those of ``rest`` or with facial actions).

        Returns:
            vertices (T, V, 3) in Anny's order and bone heads (T, 104, 3); the pelvis is at the origin.
        """
        moved = self.transforms(rest, world)
        with self._torch.no_grad():
            skinned = self.model.get_skinned_vertices(self._torch.from_numpy(vertices), self._torch.from_numpy(moved))
        heads = (moved[..., :3, :3] @ rest.heads[..., None])[..., 0] + moved[..., :3, 3]
        return skinned.numpy(), heads

    def joints(self, rest: AnnyShape, heads: np.ndarray, world: np.ndarray) -> np.ndarray:
        """Return the 55 joints (T, 55, 3) for posed bone heads (T, 104, 3); the jaw and the feet are made up."""
        joints = np.empty((len(heads), len(JOINTS), 3))
        for joint, bone in JOINT_BONES.items():
            joints[:, JOINTS.index(joint)] = heads[:, self.bone(bone)]
        for side in ("left", "right"):
            toes = [self.bone(f"toe{i}-1.{side[0].upper()}") for i in range(1, 6)]
            joints[:, JOINTS.index(f"{side}_foot")] = heads[:, toes].mean(axis=1)
        head = JOINTS.index("head")
        offset = self.jaw(rest) - rest.heads[self.bone("head")]
        joints[:, JOINTS.index("jaw")] = joints[:, head] + world[:, head] @ offset
        return joints

    def jaw(self, rest: AnnyShape) -> np.ndarray:
        """Return the jaw's joint (3,) of an A-posed body: midway between two mirrored vertices before the ears."""
        return rest.vertices[self.jaw_vertices].mean(axis=0)

    def shape_actions(self, rotvecs: np.ndarray, actions: np.ndarray) -> np.ndarray:
        """Return the facial actions (T, 52) with the jaw's turn, from ``rotvecs`` (T, 55, 3), added.

        Anny has no jaw bone; its blend shapes open the jaw and move it sideways.
        """
        actions = np.array(actions, dtype=np.float64)
        jaw = np.sin(rotvecs[:, JOINTS.index("jaw")])
        for name, amount in (
            ("jawOpen", jaw[:, 0] / np.sin(JAW_OPEN)),
            ("jawLeft", jaw[:, 1].clip(min=0) / np.sin(JAW_SIDE)),
            ("jawRight", -jaw[:, 1].clip(max=0) / np.sin(JAW_SIDE)),
        ):
            actions[:, self.actions.index(name)] += amount
        return actions

    def pose(
        self,
        phenotype: Mapping[str, float],
        rotvecs: np.ndarray,
        actions: np.ndarray | None = None,
        transl: np.ndarray | None = None,
        local_changes: Mapping[str, float] | None = None,
    ) -> tuple[np.ndarray, np.ndarray]:
        """Pose a body; see :func:`pose_anny`."""
        rotvecs = np.asarray(rotvecs, dtype=np.float64)
        frames = len(rotvecs)
        actions = np.zeros((frames, len(self.actions))) if actions is None else np.asarray(actions, dtype=np.float64)
        transl = np.zeros((frames, 3)) if transl is None else np.asarray(transl, dtype=np.float64)
        for name, given, shape in (
            ("rotations", rotvecs, (frames, len(JOINTS), 3)),
            ("facial actions", actions, (frames, len(self.actions))),
            ("translations", transl, (frames, 3)),
        ):
            if given.shape != shape:
                raise ValueError(f"{name} must have the shape {shape}, not {given.shape}")
        rest = self.rest(phenotype, local_changes)
        amounts = self.shape_actions(rotvecs, actions)
        world = world_rotations(rotvecs)
        vertices = np.empty((frames, len(self.order), 3), dtype=np.float32)
        joints = np.empty((frames, len(JOINTS), 3))
        for start in range(0, frames, CHUNK):
            part = slice(start, start + CHUNK)
            moved = rest.vertices + np.tensordot(amounts[part], self.action_shapes, axes=1)
            skinned, heads = self.skin(rest, world[part], moved)
            vertices[part] = skinned[:, self.order] + transl[part, None]
            joints[part] = self.joints(rest, heads, world[part]) + transl[part, None]
        return vertices, joints


@functools.cache
def load_anny() -> AnnyBody:
    """Return Anny, constructed once; the first time on a machine takes minutes (it writes a cache), later seconds."""
    return AnnyBody()


def pose_anny(
    phenotype: Mapping[str, float],
    rotvecs: np.ndarray,
    actions: np.ndarray | None = None,
    transl: np.ndarray | None = None,
    local_changes: Mapping[str, float] | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Pose an Anny as SMPL-X would be, with Anny's own bones and skinning.

    Args:
        phenotype: values in [0, 1] by name (gender, age, muscle, weight, height, proportions); 0.5 where not given.
        rotvecs: (T, 55, 3) axis-angle in radians, relative to the parent joint, in the order of SMPL-X. Zero is
            the T-pose with straight fingers. The jaw's rotation is played by Anny's jaw blend shapes.
        actions: (T, 52) facial actions in [0, 1], in the order of ``load_anny().actions``; none by default.
        transl: (T, 3) metres, where the pelvis is; the origin by default.
        local_changes: finer shape, by Anny's names, in [−1, 1].

    Returns:
        vertices (T, V, 3) float32 in the order of the body file, and joints (T, 55, 3) float64, metres, in the
        axes of SMPL-X (y up, facing +z).

    Raises:
        DiffSignError: for an unknown phenotype name or a value outside [0, 1].
        ValueError: if an array has another shape.
    """
    return load_anny().pose(phenotype, rotvecs, actions, transl, local_changes)
