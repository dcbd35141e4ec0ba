"""From motion to the avatar.

In: the motion, the body and the clip. Out: ``avatar/{color,depth,normal,mask}.mkv``, the keypoints found
again on it, and the avatar over the source in ``avatar/overlay.mp4``.
"""


rule render:
    """Render the avatar with the fitted camera: colour, depth, normals and mask."""
    input:
        motion=f"{RESULTS}/videos/{{video}}/motion.npz",
        body=BODY,
    output:
        color=f"{RESULTS}/videos/{{video}}/avatar/color.mkv",
        preview=f"{RESULTS}/videos/{{video}}/avatar/color.mp4",
        depth=f"{RESULTS}/videos/{{video}}/avatar/depth.mkv",
        normal=f"{RESULTS}/videos/{{video}}/avatar/normal.mkv",
        mask=f"{RESULTS}/videos/{{video}}/avatar/mask.mkv",
        scene=(
            f"{RESULTS}/videos/{{video}}/avatar/scene.blend"
            if CONFIG.render.keep_scene
            else []
        ),
    log:
        f"{LOGS}/{{video}}/render.log",
    benchmark:
        f"{BENCHMARKS}/{{video}}/render.tsv"
    conda:
        "../envs/blender.yaml"
    threads: OF_ONE_VIDEO
    resources:
        mem_mb=growing(4000),
        runtime=lasting(60),
    params:
        folder=subpath(output.color, parent=True),
        settings=to_flags(CONFIG.render),
    shell:
        "python -m diffsign render {input.motion:q} {params.folder:q} --body {input.body:q}"
        " --threads {threads} {params.settings:q} > {log:q} 2>&1"


rule overlay:
    """Lay the avatar over the source, to look at."""
    input:
        clip=f"{RESULTS}/videos/{{video}}/clip.mkv",
        color=f"{RESULTS}/videos/{{video}}/avatar/color.mkv",
        mask=f"{RESULTS}/videos/{{video}}/avatar/mask.mkv",
    output:
        overlay=f"{RESULTS}/videos/{{video}}/avatar/overlay.mp4",
    log:
        f"{LOGS}/{{video}}/overlay.log",
    benchmark:
        f"{BENCHMARKS}/{{video}}/overlay.tsv"
    conda:
        "../envs/video.yaml"
    threads: 1
    resources:
        mem_mb=growing(1000),
        runtime=lasting(20),
    shell:
        "python -m diffsign overlay {input.clip:q} {input.color:q} {input.mask:q} {output.overlay:q} > {log:q} 2>&1"


use rule detect as detect_avatar with:
    input:
        clip=f"{RESULTS}/videos/{{video}}/avatar/color.mkv",
        openpose=[],
    output:
        keypoints=f"{RESULTS}/videos/{{video}}/avatar/keypoints.npz",
        preview=f"{RESULTS}/videos/{{video}}/avatar/keypoints.mp4",
    log:
        f"{LOGS}/{{video}}/detect_avatar.log",
    benchmark:
        f"{BENCHMARKS}/{{video}}/detect_avatar.tsv"
    params:
        settings=to_flags(
            CONFIG.detect.model_copy(
                update={"detector": "mediapipe", "require_person": False}
            )
        ),
