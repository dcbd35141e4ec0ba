"""For other tools: motions and keypoints of every video, as the config's section `export` lists them.

In: the motion, the cleaned keypoints. Out: ``export/motion.{npz,bvh,glb,blend}``, ``export/keypoints.pose`` and the folder
``export/openpose`` of each video.
"""


rule export_motion:
    """Write the motion for other tools: SMPL-X parameters, a skeleton, or an avatar with its animation."""
    input:
        motion=f"{RESULTS}/videos/{{video}}/motion.npz",
        body=BODY,
    output:
        file=f"{RESULTS}/videos/{{video}}/export/motion.{{format}}",
    log:
        f"{LOGS}/{{video}}/export_motion-{{format}}.log",
    benchmark:
        f"{BENCHMARKS}/{{video}}/export_motion-{{format}}.tsv"
    wildcard_constraints:
        format="npz|bvh|glb|blend",
    conda:
        "../envs/blender.yaml"
    threads: 1
    resources:
        mem_mb=growing(3000),
        runtime=growing(30),
    params:
        settings=to_flags(CONFIG.render),
    shell:
        "python -m diffsign export motion {input.motion:q} {output.file:q} --body {input.body:q}"
        " {params.settings:q} > {log:q} 2>&1"


rule export_keypoints:
    """Write the cleaned keypoints as a .pose file."""
    input:
        keypoints=f"{RESULTS}/videos/{{video}}/keypoints.clean.npz",
    output:
        file=f"{RESULTS}/videos/{{video}}/export/keypoints.pose",
    log:
        f"{LOGS}/{{video}}/export_keypoints.log",
    benchmark:
        f"{BENCHMARKS}/{{video}}/export_keypoints.tsv"
    conda:
        "../envs/video.yaml"
    threads: 1
    resources:
        mem_mb=growing(1000),
        runtime=growing(10),
    shell:
        "python -m diffsign export keypoints {input.keypoints:q} {output.file:q} > {log:q} 2>&1"


use rule export_keypoints as export_openpose with:
    output:
        file=directory(f"{RESULTS}/videos/{{video}}/export/openpose"),
    log:
        f"{LOGS}/{{video}}/export_openpose.log",
    benchmark:
        f"{BENCHMARKS}/{{video}}/export_openpose.tsv"


rule export:
    """Everything that the config's section `export` lists, of every video."""
    input:
        expand(
            f"{RESULTS}/videos/{{video}}/export/motion.{{format}}",
            video=VIDEOS,
            format=CONFIG.export.motion,
        ),
        expand(
            f"{RESULTS}/videos/{{video}}/export/{{file}}",
            video=VIDEOS,
            file=[
                {"pose": "keypoints.pose", "openpose": "openpose"}[kind]
                for kind in CONFIG.export.keypoints
            ],
        ),
