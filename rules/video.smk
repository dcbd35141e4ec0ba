"""From a source video to clean keypoints.

In: the files of the sheet of videos. Out, for each: ``clip.mkv`` (lossless, constant rate and size),
``audio.mka``, ``keypoints.npz`` as detected and ``keypoints.clean.npz`` as filtered.
"""


rule ingest:
    """Bring a source video to constant rate and size, without loss."""
    input:
        source=lambda wildcards: video(wildcards).row.path,
    output:
        clip=ensure(f"{RESULTS}/videos/{{video}}/clip.mkv", non_empty=True),
        preview=f"{RESULTS}/videos/{{video}}/clip.mp4",
        audio=f"{RESULTS}/videos/{{video}}/audio.mka",
    log:
        f"{LOGS}/{{video}}/ingest.log",
    benchmark:
        f"{BENCHMARKS}/{{video}}/ingest.tsv"
    conda:
        "../envs/video.yaml"
    threads: 2
    resources:
        mem_mb=2000,
        runtime=20,
    params:
        settings=lambda wildcards: video(wildcards).ingest_flags(),
    shell:
        "python -m diffsign ingest {input.source:q} {output.clip:q} --audio {output.audio:q}"
        " --preview {output.preview:q} {params.settings:q} > {log:q} 2>&1"


rule detect:
    """Find body, hands and face in every frame of a clip."""
    input:
        clip=f"{RESULTS}/videos/{{video}}/clip.mkv",
        openpose=lambda wildcards: video(wildcards).row.openpose or [],
    output:
        keypoints=f"{RESULTS}/videos/{{video}}/keypoints.npz",
        preview=f"{RESULTS}/videos/{{video}}/keypoints.mp4",
    log:
        f"{LOGS}/{{video}}/detect.log",
    benchmark:
        f"{BENCHMARKS}/{{video}}/detect.tsv"
    conda:
        "../envs/video.yaml"
    threads: 2
    resources:
        mem_mb=3000,
        runtime=120,
    params:
        settings=lambda wildcards: video(wildcards).detect_flags(),
    shell:
        "python -m diffsign detect {input.clip:q} {output.keypoints:q} --preview {output.preview:q}"
        " --threads {threads} {params.settings:q} > {log:q} 2>&1"


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
        mem_mb=1000,
        runtime=10,
    params:
        settings=to_flags(CONFIG.clean),
    shell:
        "python -m diffsign clean {input.keypoints:q} {output.keypoints:q} {params.settings:q} > {log:q} 2>&1"
