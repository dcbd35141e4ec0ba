"""From keypoints to motion.

In: clean keypoints and the body. Out: ``motion.fit.npz`` (SMPL-X parameters and the camera, as fitted)
and ``motion.npz`` (temporally filtered, bad frames flagged and interpolated). SMPL-X parameters of another tool have their
motion from the beginning, and a clip of the skeleton.
"""


# A source that is a motion is imported; the other rules would make the same files.
ruleorder: import_motion > smooth
ruleorder: import_motion > import_pose > detect
ruleorder: skeleton > import_pose > ingest


rule import_motion:
    """Take SMPL-X parameters of another tool as the motion; its points are what the camera sees of it."""
    input:
        source=lambda wildcards: video(wildcards).row.motion,
        body=BODY,
    output:
        motion=f"{RESULTS}/videos/{{video}}/motion.npz",
        keypoints=f"{RESULTS}/videos/{{video}}/keypoints.npz",
    log:
        f"{LOGS}/{{video}}/import_motion.log",
    benchmark:
        f"{BENCHMARKS}/{{video}}/import_motion.tsv"
    wildcard_constraints:
        video=PARAMETERS or "none",
    conda:
        "../envs/body.yaml"
    threads: 1
    resources:
        mem_mb=growing(2000),
        runtime=lasting(20),
    params:
        settings=lambda wildcards: video(wildcards).import_motion_flags(),
    shell:
        "python -m diffsign import-motion {input.source:q} {output.motion:q} --body {input.body:q}"
        " --keypoints {output.keypoints:q} {params.settings:q} > {log:q} 2>&1"


rule skeleton:
    """Draw the skeleton of an imported motion as its clip, which has no sound."""
    input:
        motion=f"{RESULTS}/videos/{{video}}/motion.npz",
        body=BODY,
    output:
        clip=ensure(f"{RESULTS}/videos/{{video}}/clip.mkv", non_empty=True),
        preview=f"{RESULTS}/videos/{{video}}/clip.mp4",
        audio=touch(f"{RESULTS}/videos/{{video}}/audio.mka"),
        subtitles=touch(f"{RESULTS}/videos/{{video}}/subtitles.mks"),
    log:
        f"{LOGS}/{{video}}/skeleton.log",
    benchmark:
        f"{BENCHMARKS}/{{video}}/skeleton.tsv"
    wildcard_constraints:
        video=PARAMETERS or "none",
    conda:
        "../envs/body.yaml"
    threads: 1
    resources:
        mem_mb=growing(2000),
        runtime=lasting(20),
    shell:
        "python -m diffsign control pose {input.motion:q} {output.clip:q} --preview {output.preview:q}"
        " --body {input.body:q} > {log:q} 2>&1"


rule body:
    """Build the SMPL-X-format body from Anny."""
    output:
        body=ensure(f"{SHARED}/body/body.npz", non_empty=True),
    log:
        f"{LOGS}/body.log",
    benchmark:
        f"{BENCHMARKS}/body.tsv"
    conda:
        "../envs/body.yaml"
    threads: 1
    resources:
        mem_mb=growing(6000),
        runtime=growing(30),
    shell:
        "python -m diffsign body build {output.body:q} > {log:q} 2>&1"


rule fit:
    """Fit SMPL-X to the keypoints of a clip: one shape, one camera, a pose for every frame."""
    input:
        keypoints=f"{RESULTS}/videos/{{video}}/keypoints.clean.npz",
        body=BODY,
    output:
        motion=f"{RESULTS}/videos/{{video}}/motion.fit.npz",
    log:
        f"{LOGS}/{{video}}/fit.log",
    benchmark:
        f"{BENCHMARKS}/{{video}}/fit.tsv"
    conda:
        "../envs/body.yaml"
    # One: small matrices are slower with more.
    threads: 1
    resources:
        mem_mb=growing(4000),
        runtime=lasting(60),
    params:
        settings=to_flags(CONFIG.fit),
    shell:
        "python -m diffsign fit {input.keypoints:q} {output.motion:q} --body {input.body:q}"
        " --threads {threads} {params.settings:q} > {log:q} 2>&1"


rule smooth:
    """Filter the fitted motion in time; flag and bridge the frames whose fit is bad."""
    input:
        motion=f"{RESULTS}/videos/{{video}}/motion.fit.npz",
        body=BODY,
    output:
        motion=f"{RESULTS}/videos/{{video}}/motion.npz",
    log:
        f"{LOGS}/{{video}}/smooth.log",
    benchmark:
        f"{BENCHMARKS}/{{video}}/smooth.tsv"
    conda:
        "../envs/body.yaml"
    threads: 1
    resources:
        mem_mb=growing(2000),
        runtime=lasting(20),
    params:
        settings=to_flags(CONFIG.smooth),
    shell:
        "python -m diffsign smooth {input.motion:q} {output.motion:q} --body {input.body:q}"
        " {params.settings:q} > {log:q} 2>&1"
