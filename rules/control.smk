"""From the avatar to the pictures that condition the diffusion model.

In: the motion and the avatar's passes. Out: ``control/{pose,canny,depth}.mkv``.
"""


rule control_pose:
    """Draw the OpenPose skeleton of body, hands and face."""
    input:
        source=(
            f"{RESULTS}/videos/{{video}}/motion.npz"
            if CONFIG.control.pose.source == "fit"
            else f"{RESULTS}/videos/{{video}}/avatar/keypoints.npz"
        ),
        body=BODY,
    output:
        clip=f"{RESULTS}/videos/{{video}}/control/pose.mkv",
        preview=f"{RESULTS}/videos/{{video}}/control/pose.mp4",
    log:
        f"{LOGS}/{{video}}/control_pose.log",
    benchmark:
        f"{BENCHMARKS}/{{video}}/control_pose.tsv"
    conda:
        "../envs/body.yaml"
    threads: 1
    resources:
        mem_mb=growing(2000),
        runtime=lasting(30),
    params:
        settings=to_flags(CONFIG.control.pose),
    shell:
        "python -m diffsign control pose {input.source:q} {output.clip:q} --preview {output.preview:q}"
        " --body {input.body:q} {params.settings:q} > {log:q} 2>&1"


rule control_canny:
    """Find the edges of the colour pass."""
    input:
        color=f"{RESULTS}/videos/{{video}}/avatar/color.mkv",
    output:
        clip=f"{RESULTS}/videos/{{video}}/control/canny.mkv",
        preview=f"{RESULTS}/videos/{{video}}/control/canny.mp4",
    log:
        f"{LOGS}/{{video}}/control_canny.log",
    benchmark:
        f"{BENCHMARKS}/{{video}}/control_canny.tsv"
    conda:
        "../envs/video.yaml"
    threads: 1
    resources:
        mem_mb=growing(1000),
        runtime=lasting(20),
    params:
        settings=to_flags(CONFIG.control.canny),
    shell:
        "python -m diffsign control canny {input.color:q} {output.clip:q} --preview {output.preview:q}"
        " {params.settings:q} > {log:q} 2>&1"


rule control_depth:
    """Turn the depth pass into inverse depth, near white, one range for the clip."""
    input:
        source=(
            f"{RESULTS}/videos/{{video}}/avatar/depth.mkv"
            if CONFIG.control.depth.source == "render"
            else f"{RESULTS}/videos/{{video}}/avatar/color.mkv"
        ),
    output:
        clip=f"{RESULTS}/videos/{{video}}/control/depth.mkv",
        preview=f"{RESULTS}/videos/{{video}}/control/depth.mp4",
    log:
        f"{LOGS}/{{video}}/control_depth.log",
    benchmark:
        f"{BENCHMARKS}/{{video}}/control_depth.tsv"
    conda:
        "../envs/diffusion.yaml"
    threads: OF_ONE_VIDEO if CONFIG.control.depth.source == "dpt" else 1
    resources:
        mem_mb=growing(3000),
        runtime=lasting(60),
    params:
        settings=to_flags(CONFIG.control.depth),
    shell:
        "python -m diffsign control depth {input.source:q} {output.clip:q} --preview {output.preview:q}"
        " {params.settings:q} > {log:q} 2>&1"
