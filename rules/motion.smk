"""From keypoints to motion.

In: clean keypoints and the body. Out: ``motion.fit.npz`` (SMPL-X parameters and the camera, as fitted)
and ``motion.npz`` (temporally filtered, bad frames flagged and bridged).
"""


rule body:
    """Build the SMPL-X-format body from Anny."""
    output:
        body=ensure(f"{RESOURCES}/body/body.npz", non_empty=True),
    log:
        f"{LOGS}/body.log",
    benchmark:
        f"{BENCHMARKS}/body.tsv"
    conda:
        "../envs/body.yaml"
    threads: 2
    resources:
        mem_mb=6000,
        runtime=30,
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
        mem_mb=lambda wildcards, attempt: 4000 * attempt,
        runtime=lambda wildcards, attempt: attempt * minutes(video(wildcards), 60),
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
        mem_mb=2000,
        runtime=20,
    params:
        settings=to_flags(CONFIG.smooth),
    shell:
        "python -m diffsign smooth {input.motion:q} {output.motion:q} --body {input.body:q}"
        " {params.settings:q} > {log:q} 2>&1"
