"""For other tools: motions, keypoints and films, as the config's section `export` lists them.

In: the motion, the cleaned keypoints, the avatar, the results. Out, of each video: ``export/motion.{npz,bvh,glb,blend}``,
``export/keypoints.pose``, the folder ``export/openpose`` and ``export/avatar.{webm,mov}``; of each result:
``export/cutout.{webm,mov}`` and ``export/inset.mp4``.
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


rule export_cutout:
    """Cut a signer out with the avatar's mask, at the source's rate."""
    input:
        clip=f"{RESULTS}/signers/{{signer}}/{{video}}/clip.mkv",
        mask=f"{RESULTS}/videos/{{video}}/avatar/mask.mkv",
        placement=lambda wildcards: video(wildcards).rate,
    output:
        film=temp(f"{RESULTS}/signers/{{signer}}/{{video}}/export/cutout.mkv"),
    log:
        f"{LOGS}/signers/{{signer}}/{{video}}/export_cutout.log",
    benchmark:
        f"{BENCHMARKS}/signers/{{signer}}/{{video}}/export_cutout.tsv"
    conda:
        "../envs/video.yaml"
    threads: 1
    resources:
        mem_mb=growing(1000),
        runtime=lasting(30),
    params:
        beside=[],
        settings=lambda wildcards: video(wildcards).cutout_flags(),
    shell:
        "python -m diffsign export cutout {input.clip:q} {input.mask:q} {output.film:q} {params.beside:q}"
        " {params.settings:q} > {log:q} 2>&1"


use rule export_cutout as export_avatar with:
    input:
        clip=f"{RESULTS}/videos/{{video}}/avatar/color.mkv",
        mask=f"{RESULTS}/videos/{{video}}/avatar/mask.mkv",
        audio=f"{RESULTS}/videos/{{video}}/audio.mka",
        subtitles=f"{RESULTS}/videos/{{video}}/subtitles.mks",
        placement=lambda wildcards: video(wildcards).rate,
    output:
        film=f"{RESULTS}/videos/{{video}}/export/avatar.{{format}}",
    log:
        f"{LOGS}/{{video}}/export_avatar-{{format}}.log",
    benchmark:
        f"{BENCHMARKS}/{{video}}/export_avatar-{{format}}.tsv"
    wildcard_constraints:
        format="webm|mov",
    params:
        beside=lambda wildcards, input: [
            "--audio",
            input.audio,
            "--subtitles",
            input.subtitles,
        ],
        settings=lambda wildcards: video(wildcards).cutout_flags(),


use rule mark as mark_cutout with:
    input:
        **MARKED,
        clip=f"{RESULTS}/signers/{{signer}}/{{video}}/export/cutout.mkv",
    output:
        film=f"{RESULTS}/signers/{{signer}}/{{video}}/export/cutout.{{format}}",
    log:
        f"{LOGS}/signers/{{signer}}/{{video}}/mark_cutout-{{format}}.log",
    benchmark:
        f"{BENCHMARKS}/signers/{{signer}}/{{video}}/mark_cutout-{{format}}.tsv"
    wildcard_constraints:
        format="webm|mov",


rule ingest_backdrop:
    """Bring a source video to the size of the film in which the signer stands in a corner."""
    input:
        source=lambda wildcards: video(wildcards).source,
    output:
        clip=temp(f"{RESULTS}/videos/{{video}}/export/backdrop.mp4"),
    log:
        f"{LOGS}/{{video}}/ingest_backdrop.log",
    benchmark:
        f"{BENCHMARKS}/{{video}}/ingest_backdrop.tsv"
    conda:
        "../envs/video.yaml"
    threads: 2
    resources:
        mem_mb=growing(2000),
        runtime=lasting(30),
    params:
        source=lambda wildcards: video(wildcards).row.path,
        stamp=lambda wildcards: video(wildcards).stamp,
        settings=lambda wildcards: video(wildcards).backdrop_flags(),
    shell:
        "python -m diffsign ingest {params.source:q} {output.clip:q} --threads {threads} {params.settings:q}"
        " > {log:q} 2>&1"


rule export_inset:
    """Lay a signer over a corner of the source."""
    input:
        clip=f"{RESULTS}/signers/{{signer}}/{{video}}/clip.mkv",
        source=f"{RESULTS}/videos/{{video}}/export/backdrop.mp4",
        mask=f"{RESULTS}/videos/{{video}}/avatar/mask.mkv",
    output:
        clip=temp(f"{RESULTS}/signers/{{signer}}/{{video}}/export/inset.mkv"),
    log:
        f"{LOGS}/signers/{{signer}}/{{video}}/export_inset.log",
    benchmark:
        f"{BENCHMARKS}/signers/{{signer}}/{{video}}/export_inset.tsv"
    conda:
        "../envs/video.yaml"
    threads: 1
    resources:
        mem_mb=growing(1000),
        runtime=lasting(30),
    params:
        settings=to_flags(CONFIG.export.inset),
    shell:
        "python -m diffsign export inset {input.clip:q} {input.source:q} {input.mask:q} {output.clip:q}"
        " {params.settings:q} > {log:q} 2>&1"


use rule mark as mark_inset with:
    input:
        **MARKED,
        clip=f"{RESULTS}/signers/{{signer}}/{{video}}/export/inset.mkv",
    output:
        film=f"{RESULTS}/signers/{{signer}}/{{video}}/export/inset.mp4",
    log:
        f"{LOGS}/signers/{{signer}}/{{video}}/mark_inset.log",
    benchmark:
        f"{BENCHMARKS}/signers/{{signer}}/{{video}}/mark_inset.tsv"
    params:
        settings=lambda wildcards: [*signer(wildcards).mark_flags(), "--composite"],


rule export:
    """Everything that the config's section `export` lists, of every video and result."""
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
        expand(
            f"{RESULTS}/videos/{{video}}/export/avatar.{{format}}",
            video=VIDEOS,
            format=CONFIG.export.avatar,
        ),
        expand(
            f"{RESULTS}/signers/{{signer}}/{{video}}/export/cutout.{{format}}",
            signer=SIGNERS,
            video=VIDEOS,
            format=[kind for kind in CONFIG.export.films if kind != "inset"],
        ),
        expand(
            f"{RESULTS}/signers/{{signer}}/{{video}}/export/inset.mp4",
            signer=SIGNERS,
            video=PROJECT.whole_films if "inset" in CONFIG.export.films else [],
        ),
