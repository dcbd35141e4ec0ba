"""From the synthetic signers to metrics one can judge them by.

In: the results, and what they were made from. Out: ``metrics.json`` for each clip, ``tables/*.csv``, ``figures/*`` and
``report.html``.
"""

METRICS = expand(
    f"{RESULTS}/signers/{{signer}}/{{video}}/metrics.json", signer=SIGNERS, video=VIDEOS
)
TABLES = ["clips", "metrics", "signers", "paper"]
PLOTS = ["legibility", "ssim", "detection"]


rule evaluate:
    """Measure a result: is the signing still there, the picture steady, the signer the one asked for?"""
    input:
        result=f"{RESULTS}/signers/{{signer}}/{{video}}/clip.mkv",
        result_keypoints=f"{RESULTS}/signers/{{signer}}/{{video}}/keypoints.npz",
        source=f"{RESULTS}/videos/{{video}}/clip.mkv",
        source_keypoints=f"{RESULTS}/videos/{{video}}/keypoints.npz",
        avatar=f"{RESULTS}/videos/{{video}}/avatar/color.mkv",
        avatar_keypoints=f"{RESULTS}/videos/{{video}}/avatar/keypoints.npz",
        mask=f"{RESULTS}/videos/{{video}}/avatar/mask.mkv",
        family=lambda wildcards: signer(wildcards).manifest,
    output:
        metrics=f"{RESULTS}/signers/{{signer}}/{{video}}/metrics.json",
        moments=f"{RESULTS}/signers/{{signer}}/{{video}}/moments.jpg",
    log:
        f"{LOGS}/signers/{{signer}}/{{video}}/evaluate.log",
    benchmark:
        f"{BENCHMARKS}/signers/{{signer}}/{{video}}/evaluate.tsv"
    conda:
        "../envs/results.yaml"
    threads: 2
    resources:
        mem_mb=lambda wildcards, attempt: 3000 * attempt,
        runtime=60,
    params:
        settings=lambda wildcards: signer(wildcards).evaluate_flags(wildcards.video),
    shell:
        "python -m diffsign evaluate {input.result:q} {output.metrics:q} --source {input.source:q}"
        " --avatar {input.avatar:q} --mask {input.mask:q} --source-keypoints {input.source_keypoints:q}"
        " --avatar-keypoints {input.avatar_keypoints:q} --result-keypoints {input.result_keypoints:q}"
        " --family {input.family:q} --video {wildcards.video:q} --signer {wildcards.signer:q}"
        " --moments {output.moments:q} --threads {threads} {params.settings:q} > {log:q} 2>&1"


rule aggregate:
    """Put the metrics of all results into tables and plots."""
    input:
        metrics=METRICS,
    output:
        tables=report(
            expand(f"{RESULTS}/tables/{{table}}.csv", table=TABLES),
            caption="report/tables.rst",
            category="Tables",
        ),
        plots=report(
            expand(f"{RESULTS}/figures/{{plot}}.png", plot=PLOTS),
            caption="report/figures.rst",
            category="Figures",
        ),
    log:
        f"{LOGS}/aggregate.log",
    benchmark:
        f"{BENCHMARKS}/aggregate.tsv"
    conda:
        "../envs/results.yaml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=20,
    params:
        folder=lambda wildcards, output: Path(output.tables[0]).parents[1],
    shell:
        "python -m diffsign aggregate {params.folder:q} {input.metrics:q} > {log:q} 2>&1"


rule report:
    """Make one page of all results: videos side by side, metrics and what they mean."""
    input:
        metrics=METRICS,
        clips=expand(f"{RESULTS}/videos/{{video}}/clip.mp4", video=VIDEOS),
        controls=expand(
            f"{RESULTS}/videos/{{video}}/control/{{control}}.mp4",
            video=VIDEOS,
            control=PROJECT.controls,
        ),
        overlays=expand(f"{RESULTS}/videos/{{video}}/avatar/overlay.mp4", video=VIDEOS),
        results=expand(
            f"{RESULTS}/signers/{{signer}}/{{video}}/clip.mp4",
            signer=SIGNERS,
            video=VIDEOS,
        ),
    output:
        page=report(
            f"{RESULTS}/report.html", caption="report/page.rst", category="Report"
        ),
    log:
        f"{LOGS}/report.log",
    benchmark:
        f"{BENCHMARKS}/report.tsv"
    conda:
        "../envs/results.yaml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=20,
    params:
        results=subpath(output.page, parent=True),
        settings=to_flags(CONFIG.report),
    shell:
        "python -m diffsign report {output.page:q} {input.metrics:q} --results {params.results:q}"
        " {params.settings:q} > {log:q} 2>&1"
