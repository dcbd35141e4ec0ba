"""Render a job folder: run by ``python render_scene.py -- JOB`` (with bpy) or ``blender --background --python``.

Imports only what Blender ships (bpy, mathutils, numpy) and the standard library, so that both ways work.
``JOB/job.json`` says what to render; ``diffsign/avatar/blender.py`` writes it and reads the frames back.

The script prints one line for every frame written, ``frame <layer> <number> <path>``. A frame is an uncompressed
multilayer EXR in scene-linear light, from which the caller takes colour, coverage, depth and normals.
"""

from __future__ import annotations

import json
import os
import sys
import traceback
from pathlib import Path

import numpy as np

try:
    import bpy
    from mathutils import Matrix
except ImportError as error:
    print(f"problem Blender's Python module cannot be imported: {error}")
    sys.exit(3)

#: Blender's world has z up; the job's has y up.
Y_UP_TO_Z_UP = Matrix(((1, 0, 0, 0), (0, 0, -1, 0), (0, 1, 0, 0), (0, 0, 0, 1)))

#: A computer vision camera looks along +z with y down; Blender's looks along −z with y up.
FLIP_Y_AND_Z = Matrix.Diagonal((1, -1, -1, 1))

ENGINES = {"workbench": ("BLENDER_WORKBENCH",), "eevee": ("BLENDER_EEVEE_NEXT", "BLENDER_EEVEE"), "cycles": ("CYCLES",)}

#: Frames that may be written before the first of them is taken.
AHEAD = 3

#: Name of the colour attribute that carries camera-space normals in Workbench, which has no normal pass.
NORMAL_ATTRIBUTE = "camera_normal"


def linear(srgb: list[float]) -> list[float]:
    """Return scene-linear RGB for sRGB values in [0, 1]."""
    return [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in srgb]


def make_material(spec: dict, folder: Path) -> bpy.types.Material:
    """Build a material: plain values for Workbench, a Principled shader for EEVEE and Cycles."""
    material = bpy.data.materials.new(spec["name"])
    colour = [*linear(spec["rgb"]), 1.0]
    material.diffuse_color = colour
    material.roughness = spec["roughness"]
    material.metallic = spec["metallic"]
    material.use_nodes = True
    shader = material.node_tree.nodes["Principled BSDF"]
    shader.inputs["Base Color"].default_value = colour
    shader.inputs["Roughness"].default_value = spec["roughness"]
    shader.inputs["Metallic"].default_value = spec["metallic"]
    if spec["subsurface"]:
        shader.inputs["Subsurface Weight"].default_value = spec["subsurface"]
        shader.inputs["Subsurface Radius"].default_value = (0.01, 0.004, 0.002)
    if spec["texture"]:
        texture = material.node_tree.nodes.new("ShaderNodeTexImage")
        texture.image = bpy.data.images.load(str(folder / spec["texture"]))
        texture.image.pack()
        texture.extension = "EXTEND"
        material.node_tree.links.new(texture.outputs["Color"], shader.inputs["Base Color"])
        material.node_tree.nodes.active = texture
    return material


def make_object(spec: dict, folder: Path, materials: list[bpy.types.Material]) -> bpy.types.Object:
    """Build one mesh that follows its point cache."""
    name = spec["name"]
    faces = np.load(folder / spec["faces"], allow_pickle=False).astype(np.int32)
    rest = np.load(folder / spec["vertices"], allow_pickle=False).astype(np.float32)
    mesh = bpy.data.meshes.new(name)
    mesh.vertices.add(len(rest))
    mesh.vertices.foreach_set("co", rest.ravel())
    mesh.loops.add(faces.size)
    mesh.loops.foreach_set("vertex_index", faces.ravel())
    mesh.polygons.add(len(faces))
    mesh.polygons.foreach_set("loop_start", np.arange(0, faces.size, 3, dtype=np.int32))
    mesh.polygons.foreach_set("material_index", np.load(folder / spec["material"], allow_pickle=False).astype(np.int32))
    mesh.polygons.foreach_set("use_smooth", np.full(len(faces), spec["smooth"]))
    for material in materials:
        mesh.materials.append(material)
    if spec["uv"]:
        uv = np.load(folder / spec["uv"], allow_pickle=False).astype(np.float32)
        mesh.uv_layers.new(name="uv").data.foreach_set("uv", uv.ravel())
    mesh.update(calc_edges=True)

    made = bpy.data.objects.new(name, mesh)
    made.matrix_world = Y_UP_TO_Z_UP
    cache = made.modifiers.new("frames", "MESH_CACHE")
    cache.cache_format = "PC2"
    cache.filepath = str(folder / spec["cache"])
    cache.interpolation = "NONE"
    cache.frame_start = 1
    return made


def make_camera(scene: bpy.types.Scene, spec: dict) -> bpy.types.Object:
    """Set the scene's camera and picture to the pinhole of the job.

    Blender measures the principal point in picture widths from the middle and has one focal length, so
    that unequal ones become the shape of a pixel.
    """
    (fx, _, cx), (_, fy, cy), _ = spec["K"]
    width, height = spec["width"], spec["height"]
    stretch = fx / fy
    data = bpy.data.cameras.new("camera")
    data.sensor_fit = "HORIZONTAL"
    data.sensor_width = 36.0
    data.lens = fx * data.sensor_width / width
    data.shift_x = 0.5 - cx / width
    data.shift_y = (cy - height / 2) * stretch / width
    data.clip_start, data.clip_end = spec["near"], spec["far"]
    rotation, translation = Matrix(spec["R"]), Matrix.Translation(spec["t"])
    camera = bpy.data.objects.new("camera", data)
    camera.matrix_world = Y_UP_TO_Z_UP @ (translation @ rotation.to_4x4()).inverted() @ FLIP_Y_AND_Z
    scene.collection.objects.link(camera)
    scene.camera = camera
    scene.render.resolution_x, scene.render.resolution_y = width, height
    scene.render.resolution_percentage = 100
    scene.render.pixel_aspect_x, scene.render.pixel_aspect_y = max(1.0, 1 / stretch), max(1.0, stretch)
    return camera


def set_output(scene: bpy.types.Scene, job: dict) -> None:
    """Settings that every engine shares: time, colour management, file format, threads."""
    render = scene.render
    scene.frame_start, scene.frame_end = 1, job["frames"]
    render.fps = max(1, round(job["fps"]))
    render.fps_base = render.fps / job["fps"]
    render.film_transparent = True
    render.use_compositing = render.use_sequencer = False
    render.use_persistent_data = True
    render.threads_mode, render.threads = "FIXED", job["threads"]
    scene.view_settings.view_transform = "Standard"
    scene.view_settings.look = "None"
    settings = render.image_settings
    settings.file_format = "OPEN_EXR_MULTILAYER"
    settings.color_depth = "32"  # half floats take longer to write and to read
    settings.exr_codec = "NONE"


def add_lights(scene: bpy.types.Scene, camera: bpy.types.Object, middle: list[float]) -> None:
    """Light the scene for EEVEE and Cycles: key, fill and rim around the middle of the body, soft sky."""
    world = bpy.data.worlds.new("world")
    world.use_nodes = True
    world.node_tree.nodes["Background"].inputs["Color"].default_value = (0.55, 0.58, 0.62, 1)
    world.node_tree.nodes["Background"].inputs["Strength"].default_value = 0.6
    scene.world = world
    target = Y_UP_TO_Z_UP @ Matrix.Translation(middle)
    frame = camera.matrix_world.to_3x3()
    for name, offset, energy, size in (
        ("key", (-1.0, 1.1, 1.6), 55, 0.8),
        ("fill", (1.5, 0.3, 1.2), 18, 1.5),
        ("rim", (0.9, 1.2, -1.4), 40, 0.6),
    ):
        data = bpy.data.lights.new(name, "AREA")
        data.energy, data.size = energy, size
        light = bpy.data.objects.new(name, data)
        position = target.translation + frame @ Matrix.Translation(offset).translation
        towards = (target.translation - position).to_track_quat("-Z", "Y")
        light.matrix_world = Matrix.Translation(position) @ towards.to_matrix().to_4x4()
        scene.collection.objects.link(light)


def set_workbench(scene: bpy.types.Scene, scale: int) -> None:
    """Shade as a studio does: soft lights, shadows, dark creases between fingers.

    Rendering larger and scaling down costs half of what Workbench's own anti-aliasing does.
    """
    display = scene.display
    display.render_aa = "OFF"
    scene.render.resolution_percentage = 100 * scale
    display.light_direction = (-0.35, 0.45, 0.82)
    display.shadow_shift = 0.12
    display.shadow_focus = 0.6
    display.matcap_ssao_distance = 0.06
    display.matcap_ssao_attenuation = 1.0
    display.matcap_ssao_samples = 16 if scale == 1 else 8
    shading = display.shading
    shading.light = "STUDIO"
    shading.studio_light = "Default"
    set_studio_lights()
    shading.color_type = "TEXTURE"
    shading.show_shadows = False
    shading.show_cavity, shading.cavity_type = True, "BOTH"
    shading.cavity_ridge_factor, shading.cavity_valley_factor = 0.0, 1.2
    shading.curvature_ridge_factor, shading.curvature_valley_factor = 0.2, 0.7
    shading.show_specular_highlight = True


def set_studio_lights() -> None:
    """Set Workbench's lights (directions in view space): a large key, a fill, a rim and ambient light."""
    system = bpy.context.preferences.system
    system.use_studio_light_edit = True
    system.light_ambient = (0.14, 0.14, 0.15)
    lights = (
        ((-0.45, 0.55, 0.70), 0.78, 0.22, 0.30),
        ((0.75, 0.15, 0.65), 0.30, 0.06, 0.50),
        ((0.30, 0.60, -0.75), 0.35, 0.10, 0.30),
    )
    for index, light in enumerate(system.solid_lights):
        light.use = index < len(lights)
        if light.use:
            direction, diffuse, specular, smooth = lights[index]
            light.direction = direction
            light.diffuse_color = (diffuse, diffuse, diffuse)
            light.specular_color = (specular, specular, specular)
            light.smooth = smooth


def add_normal_attribute(made: bpy.types.Object, rotation: list[list[float]]) -> None:
    """Store the camera-space normal of every vertex, mapped to [0, 1], as the mesh's active colour.

    Axes of the picture: x right, y up, z towards the camera.
    """
    mesh = made.data
    mesh.color_attributes.new(NORMAL_ATTRIBUTE, "FLOAT_COLOR", "POINT")
    mesh.attributes.active_color_name = NORMAL_ATTRIBUTE
    tree = bpy.data.node_groups.new("normals", "GeometryNodeTree")
    tree.interface.new_socket("Geometry", in_out="INPUT", socket_type="NodeSocketGeometry")
    tree.interface.new_socket("Geometry", in_out="OUTPUT", socket_type="NodeSocketGeometry")
    source, sink = tree.nodes.new("NodeGroupInput"), tree.nodes.new("NodeGroupOutput")
    normal, combined = tree.nodes.new("GeometryNodeInputNormal"), tree.nodes.new("ShaderNodeCombineXYZ")
    for axis, sign in enumerate((1, -1, -1)):
        dot = tree.nodes.new("ShaderNodeVectorMath")
        dot.operation = "DOT_PRODUCT"
        dot.inputs[1].default_value = [sign * v for v in rotation[axis]]
        tree.links.new(normal.outputs["Normal"], dot.inputs[0])
        tree.links.new(dot.outputs["Value"], combined.inputs[axis])
    half = tree.nodes.new("ShaderNodeVectorMath")
    half.operation = "MULTIPLY_ADD"
    half.inputs[1].default_value = half.inputs[2].default_value = (0.5, 0.5, 0.5)
    store = tree.nodes.new("GeometryNodeStoreNamedAttribute")
    store.data_type, store.domain = "FLOAT_COLOR", "POINT"
    store.inputs["Name"].default_value = NORMAL_ATTRIBUTE
    tree.links.new(combined.outputs["Vector"], half.inputs[0])
    tree.links.new(half.outputs["Vector"], store.inputs["Value"])
    tree.links.new(source.outputs["Geometry"], store.inputs["Geometry"])
    tree.links.new(store.outputs["Geometry"], sink.inputs["Geometry"])
    made.modifiers.new("camera normals", "NODES").node_group = tree


def geometry_scene(scene: bpy.types.Scene, depth: bool) -> bpy.types.Scene:
    """Return a copy of the scene, sharing its objects, in which Workbench paints normals instead of light."""
    twin = scene.copy()
    twin.render.resolution_percentage = 100
    twin.view_layers[0].use_pass_z = depth
    shading = twin.display.shading
    shading.light = "FLAT"
    shading.color_type = "VERTEX"
    shading.show_shadows = shading.show_cavity = shading.show_specular_highlight = False
    return twin


def show_normals(objects: list[bpy.types.Object], show: bool) -> None:
    """Compute the normals' colours, or save the time."""
    for made in objects:
        for modifier in made.modifiers:
            if modifier.type == "NODES":
                modifier.show_render = show


def choose_engine(scene: bpy.types.Scene, name: str) -> None:
    """Set the render engine; EEVEE's identifier differs between the versions of Blender."""
    for identifier in ENGINES[name]:
        try:
            scene.render.engine = identifier
        except TypeError:
            continue
        return
    print(f"problem this Blender ({bpy.app.version_string}) has no engine '{name}'")
    sys.exit(3)


def build(job: dict, folder: Path) -> tuple[dict[str, bpy.types.Scene], list[bpy.types.Object]]:
    """Build everything the job describes; return the scenes to render, by the name of their layer, and the objects."""
    bpy.ops.wm.read_factory_settings(use_empty=True)
    scene = bpy.context.scene
    choose_engine(scene, job["engine"])
    camera = make_camera(scene, job["camera"])
    set_output(scene, job)
    materials = [make_material(spec, folder) for spec in job["materials"]]
    objects = []
    for spec in job["objects"]:
        made = make_object(spec, folder, [materials[i] for i in spec["materials"]])
        scene.collection.objects.link(made)
        objects.append(made)
    layer = scene.view_layers[0]
    layer.use_pass_z = False
    passes = set(job["passes"])
    if job["engine"] == "workbench":
        set_workbench(scene, job["scale"])
        scenes = {"beauty": scene} if passes & {"color", "mask"} else {}
        if passes & {"depth", "normal"}:
            for made in objects if "normal" in passes else []:
                add_normal_attribute(made, job["camera"]["R"])
            scenes["geometry"] = geometry_scene(scene, "depth" in passes)
        return scenes, objects
    layer.use_pass_z = "depth" in passes
    layer.use_pass_normal = "normal" in passes
    add_lights(scene, camera, job["middle"])
    if job["engine"] == "cycles":
        scene.cycles.device = "CPU"
        scene.cycles.samples = job["samples"]
        scene.cycles.use_denoising = True
        scene.cycles.seed = 0
    else:
        scene.eevee.taa_render_samples = job["samples"]
    return {"beauty": scene}, objects


def save_blend(folder: Path, caches: str) -> None:
    """Save ``scene.blend`` in the job folder; its point caches are looked for in the folder ``caches`` beside it."""
    for made in bpy.data.objects:
        for modifier in made.modifiers:
            if modifier.type == "MESH_CACHE":
                modifier.filepath = f"//{caches}/{Path(modifier.filepath).name}"
    for scene in bpy.data.scenes:
        scene.render.filepath = "//frames/"
        scene.frame_start = scene.frame_step = 1
        if scene.render.engine == "BLENDER_WORKBENCH":
            scene.render.resolution_percentage = 100
            scene.display.render_aa = "8"
    bpy.ops.wm.save_as_mainfile(filepath=str(folder / "scene.blend"), relative_remap=False, compress=True)


class Pace:
    """Reports frames, and waits while too many of them have not been taken."""

    def __init__(self) -> None:
        self.ahead = 0

    def report(self, layer: str, number: int, path: str) -> None:
        """Say that a frame is written; return when the next may be."""
        print(f"frame {layer} {number} {path}", flush=True)
        self.ahead += 1
        if self.ahead >= AHEAD:
            self._wait()

    def finish(self) -> None:
        """Wait until every frame is taken."""
        while self.ahead:
            self._wait()

    def _wait(self) -> None:
        if not sys.stdin.readline():
            leave(4)
        self.ahead -= 1


def leave(status: int) -> None:
    """End without bpy's own clean-up, which can hang or crash; everything is on disk by now."""
    sys.stderr.flush()
    sys.stdout.flush()
    os._exit(status)


def main(folder: Path, first: int, step: int) -> None:
    """Render every ``step``-th frame, from ``first`` (1 is the first) on, of every scene of the job in ``folder``."""
    job = json.loads((folder / "job.json").read_text(encoding="utf-8"))
    scenes, objects = build(job, folder)
    pace = Pace()
    for layer, scene in scenes.items():
        output = folder / "frames" / layer
        output.mkdir(parents=True, exist_ok=True)
        show_normals(objects, layer == "geometry")
        scene.frame_start, scene.frame_step = first, step

        def report(rendered: bpy.types.Scene, *_: object, layer: str = layer) -> None:
            number = rendered.frame_current
            pace.report(layer, number, rendered.render.frame_path(frame=number))

        scene.render.filepath = f"{output}/"
        bpy.app.handlers.render_write[:] = [report]
        bpy.ops.render.render(animation=True, scene=scene.name)
    if job["blend"] and first == 1:
        save_blend(folder, job["blend"])
    pace.finish()


if __name__ == "__main__":
    try:
        job_folder, first_frame, frame_step = sys.argv[sys.argv.index("--") + 1 :]
        main(Path(job_folder), int(first_frame), int(frame_step))
    except Exception as error:
        traceback.print_exc()
        print(f"problem {type(error).__name__}: {error}", flush=True)
        leave(1)
    leave(0)
