"""Build a skinned, animated avatar in Blender and write it: ``python export_rig.py -- JOB OUT.glb|OUT.blend``.

``JOB/rig.json`` and the arrays that it names are written by ``diffsign/export/rig.py``. The bones have the axes of
SMPL-X's world at rest (x left, y up, z forward), so that SMPL-X's rotations are theirs.
"""

from __future__ import annotations

import json
import sys
import traceback
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parent))
from render_scene import Y_UP_TO_Z_UP, bpy, leave, make_material

#: Length of a bone in metres; bones show where joints are and which way is up, not where the next joint is.
BONE = 0.04


def upright(points: np.ndarray) -> np.ndarray:
    """Return points (..., 3) of a world with y up in Blender's, with z up."""
    return (points @ np.array(Y_UP_TO_Z_UP.to_3x3()).T).astype(np.float32)


def make_armature(rig: dict, arrays: dict) -> bpy.types.Object:
    """Build the joints as bones that stand upright, whatever way the next joint lies."""
    data = bpy.data.armatures.new("signer")
    armature = bpy.data.objects.new("signer", data)
    bpy.context.scene.collection.objects.link(armature)
    bpy.context.view_layer.objects.active = armature
    bpy.ops.object.mode_set(mode="EDIT")
    bones = []
    for name, parent, joint in zip(rig["joints"], rig["parents"], upright(arrays["rest"]).tolist(), strict=True):
        bone = data.edit_bones.new(name)
        bone.head = joint
        bone.tail = (joint[0], joint[1], joint[2] + BONE)
        bone.align_roll((0.0, -1.0, 0.0))
        if parent >= 0:
            bone.parent = bones[parent]
        bones.append(bone)
    bpy.ops.object.mode_set(mode="OBJECT")
    return armature


def make_mesh(spec: dict, arrays: dict, materials: list, armature: bpy.types.Object) -> bpy.types.Object:
    """Build one mesh in the resting pose, with weights for the bones and a shape key for every expression."""
    name = spec["name"]
    faces = arrays[f"{name} faces"].astype(np.int32)
    vertices = upright(arrays[f"{name} vertices"])
    mesh = bpy.data.meshes.new(name)
    mesh.vertices.add(len(vertices))
    mesh.vertices.foreach_set("co", vertices.ravel())
    mesh.loops.add(faces.size)
    mesh.loops.foreach_set("vertex_index", faces.ravel())
    mesh.polygons.add(len(faces))
    mesh.polygons.foreach_set("loop_start", np.arange(0, faces.size, 3, dtype=np.int32))
    mesh.polygons.foreach_set("material_index", arrays[f"{name} material"].astype(np.int32))
    mesh.polygons.foreach_set("use_smooth", np.full(len(faces), True))
    for material in materials:
        mesh.materials.append(material)
    if f"{name} uv" in arrays:
        mesh.uv_layers.new(name="uv").data.foreach_set("uv", arrays[f"{name} uv"].astype(np.float32).ravel())
    mesh.update(calc_edges=True)
    made = bpy.data.objects.new(name, mesh)
    bpy.context.scene.collection.objects.link(made)
    made.parent = armature
    joints, weights = arrays[f"{name} joints"], arrays[f"{name} weights"]
    for joint in np.unique(joints[weights > 0]):
        group = made.vertex_groups.new(name=armature.data.bones[int(joint)].name)
        vertex, slot = np.nonzero((joints == joint) & (weights > 0))
        for index, weight in zip(vertex.tolist(), weights[vertex, slot].tolist(), strict=True):
            group.add([index], weight, "REPLACE")
    made.modifiers.new("skin", "ARMATURE").object = armature
    if f"{name} shapes" in arrays:
        made.shape_key_add(name="rest")
        for key, offsets in zip(spec["shapes"], arrays[f"{name} shapes"], strict=True):
            block = made.shape_key_add(name=key)
            block.slider_min, block.slider_max = -10.0, 10.0
            block.data.foreach_set("co", (vertices + upright(offsets)).ravel())
    return made


def animate(owner: bpy.types.ID, name: str, curves: dict[tuple[str, int], np.ndarray]) -> None:
    """Give ``owner`` an action with one linear curve for every (path, index): a value a frame, from frame 1 on."""
    action = bpy.data.actions.new(name)
    for (path, index), values in curves.items():
        curve = action.fcurves.new(path, index=index)
        curve.keyframe_points.add(len(values))
        points = np.stack([np.arange(1, len(values) + 1), values], axis=1)
        curve.keyframe_points.foreach_set("co", points.astype(np.float32).ravel())
        linear = bpy.types.Keyframe.bl_rna.properties["interpolation"].enum_items["LINEAR"].value
        curve.keyframe_points.foreach_set("interpolation", np.full(len(values), linear, np.int32))
        curve.update()
    animation = owner.animation_data_create()
    animation.action = action
    if hasattr(action, "slots"):  # since Blender 4.4
        animation.action_slot = action.slots[0]


def build(rig: dict, arrays: dict, folder: Path) -> None:
    """Build everything that the job describes."""
    bpy.ops.wm.read_factory_settings(use_empty=True)
    scene = bpy.context.scene
    frames = len(arrays["rotations"])
    scene.frame_start, scene.frame_end = 1, frames
    scene.render.fps = max(1, round(rig["fps"]))
    scene.render.fps_base = scene.render.fps / rig["fps"]
    materials = [make_material(spec, folder) for spec in rig["materials"]]
    armature = make_armature(rig, arrays)
    curves = {}
    for index, name in enumerate(rig["joints"]):
        bone = armature.pose.bones[name]
        bone.rotation_mode = "QUATERNION"
        for axis in range(4):
            curves[f'pose.bones["{name}"].rotation_quaternion', axis] = arrays["rotations"][:, index, axis]
    for axis in range(3):
        curves[f'pose.bones["{rig["joints"][0]}"].location', axis] = arrays["location"][:, axis]
    animate(armature, "signing", curves)
    for spec in rig["objects"]:
        made = make_mesh(spec, arrays, [materials[i] for i in spec["materials"]], armature)
        if spec["shapes"]:
            values = arrays["expression"]
            animate(
                made.data.shape_keys,
                "face",
                {(f'key_blocks["{key}"].value', 0): values[:, i] for i, key in enumerate(spec["shapes"])},
            )


def main(folder: Path, out: Path) -> None:
    """Build the job in ``folder`` and write it to ``out``."""
    rig = json.loads((folder / "rig.json").read_text(encoding="utf-8"))
    with np.load(folder / "rig.npz", allow_pickle=False) as archive:
        arrays = {name: archive[name] for name in archive.files}
    build(rig, arrays, folder)
    if out.suffix == ".blend":
        bpy.ops.wm.save_as_mainfile(filepath=str(out), compress=True)
        return
    bpy.ops.preferences.addon_enable(module="io_scene_gltf2")
    bpy.ops.export_scene.gltf(filepath=str(out), export_format="GLB", export_morph_normal=False)


if __name__ == "__main__":
    try:
        job_folder, out_file = sys.argv[sys.argv.index("--") + 1 :]
        main(Path(job_folder), Path(out_file))
    except Exception as error:
        traceback.print_exc()
        print(f"problem {type(error).__name__}: {error}", flush=True)
        leave(1)
    leave(0)
