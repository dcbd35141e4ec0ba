"""From a source video to clean keypoints.

In: the sources of the sheet of videos. Out, for each: ``clip.mkv`` (lossless, constant rate and size), ``audio.mka``,
``subtitles.mks``, ``keypoints.npz`` as detected and ``keypoints.clean.npz`` as filtered. A ``.pose`` file or a text has its keypoints from
the beginning, and a clip of the skeleton.
"""


# A source that is no film is imported; the other two rules would make the same files.
ruleorder: import_pose > ingest
ruleorder: import_pose > detect


rule ingest:
    """Bring a source video to constant rate and size, without loss."""
    input:
        source=lambda wildcards: video(wildcards).source,
    output:
        clip=ensure(f"{RESULTS}/videos/{{video}}/clip.mkv", non_empty=True),
        preview=f"{RESULTS}/videos/{{video}}/clip.mp4",
        audio=f"{RESULTS}/videos/{{video}}/audio.mka",
        subtitles=f"{RESULTS}/videos/{{video}}/subtitles.mks",
        placement=f"{RESULTS}/videos/{{video}}/placement.json",
        detail=temp(f"{RESULTS}/videos/{{video}}/detail.mp4"),
    log:
        f"{LOGS}/{{video}}/ingest.log",
    benchmark:
        f"{BENCHMARKS}/{{video}}/ingest.tsv"
    conda:
        "../envs/video.yaml"
    threads: OF_ONE_VIDEO
    resources:
        mem_mb=growing(2000),
        runtime=lasting(20),
    params:
        source=lambda wildcards: video(wildcards).row.path,
        stamp=lambda wildcards: video(wildcards).stamp,
        settings=lambda wildcards: video(wildcards).ingest_flags(),
    shell:
        "python -m diffsign ingest {params.source:q} {output.clip:q} --audio {output.audio:q}"
        " --subtitles {output.subtitles:q} --preview {output.preview:q}"
        " --placement {output.placement:q} --detail {output.detail:q}"
        " --threads {threads} {params.settings:q} > {log:q} 2>&1"


rule detect:
    """Find body, hands and face in every frame of a clip."""
    input:
        clip=f"{RESULTS}/videos/{{video}}/clip.mkv",
        detail=f"{RESULTS}/videos/{{video}}/detail.mp4",
        openpose=lambda wildcards: video(wildcards).row.openpose or [],
        placement=lambda wildcards: video(wildcards).placement,
    output:
        keypoints=f"{RESULTS}/videos/{{video}}/keypoints.npz",
        preview=f"{RESULTS}/videos/{{video}}/keypoints.mp4",
    log:
        f"{LOGS}/{{video}}/detect.log",
    benchmark:
        f"{BENCHMARKS}/{{video}}/detect.tsv"
    conda:
        "../envs/video.yaml"
    threads: OF_ONE_VIDEO
    resources:
        mem_mb=growing(3000),
        runtime=lasting(30),
    params:
        detail=lambda wildcards, input: (
            ["--detail", input.detail] if input.get("detail") else []
        ),
        settings=lambda wildcards: video(wildcards).detect_flags(),
    shell:
        "python -m diffsign detect {input.clip:q} {output.keypoints:q} {params.detail:q}"
        " --preview {output.preview:q} --threads {threads} {params.settings:q} > {log:q} 2>&1"


rule say:
    """Turn a text into signing: signs of a lexicon, fingerspelling for the rest."""
    input:
        lexicon=lambda wildcards: video(wildcards).row.lexicon or [],
    output:
        pose=f"{RESULTS}/videos/{{video}}/said.pose",
    log:
        f"{LOGS}/{{video}}/say.log",
    benchmark:
        f"{BENCHMARKS}/{{video}}/say.tsv"
    conda:
        "../envs/video.yaml"
    threads: 1
    resources:
        mem_mb=growing(1000),
        runtime=growing(10),
    params:
        text=lambda wildcards: video(wildcards).row.say,
        settings=lambda wildcards: video(wildcards).say_flags(),
    shell:
        "python -m diffsign say {params.settings:q} -- {params.text:q} {output.pose:q} > {log:q} 2>&1"


rule import_pose:
    """Read keypoints from a .pose file in place of a video; its clip shows the skeleton and has no sound."""
    input:
        pose=lambda wildcards: video(wildcards).pose,
    output:
        keypoints=f"{RESULTS}/videos/{{video}}/keypoints.npz",
        clip=ensure(f"{RESULTS}/videos/{{video}}/clip.mkv", non_empty=True),
        preview=f"{RESULTS}/videos/{{video}}/clip.mp4",
        audio=touch(f"{RESULTS}/videos/{{video}}/audio.mka"),
        subtitles=touch(f"{RESULTS}/videos/{{video}}/subtitles.mks"),
    log:
        f"{LOGS}/{{video}}/import_pose.log",
    benchmark:
        f"{BENCHMARKS}/{{video}}/import_pose.tsv"
    wildcard_constraints:
        video=POSED or "none",
    conda:
        "../envs/video.yaml"
    threads: 1
    resources:
        mem_mb=growing(2000),
        runtime=lasting(20),
    params:
        settings=lambda wildcards: video(wildcards).import_pose_flags(),
    shell:
        "python -m diffsign import-pose {input.pose:q} {output.keypoints:q} --clip {output.clip:q}"
        " --preview {output.preview:q} {params.settings:q} > {log:q} 2>&1"


rule clean:
    """Take outliers and swaps out of the keypoints, fill short gaps, smooth."""
    input:
        keypoints=f"{RESULTS}/videos/{{video}}/keypoints.npz",
    output:
        keypoints=f"{RESULTS}/videos/{{video}}/keypoints.clean.npz",
    log:
        f"{LOGS}/{{video}}/clean.log",
    benchmark:
        f"{BENCHMARKS}/{{video}}/clean.tsv"
    conda:
        "../envs/video.yaml"
    threads: 1
    resources:
        mem_mb=growing(1000),
        runtime=growing(10),
    params:
        settings=to_flags(CONFIG.clean),
    shell:
        "python -m diffsign clean {input.keypoints:q} {output.keypoints:q} {params.settings:q} > {log:q} 2>&1"
