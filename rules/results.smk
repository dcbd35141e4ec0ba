"""From the synthetic signers to metrics one can judge them by.

In: the results, and what they were made from. Out: ``metrics.json`` for each clip, ``tables/*.csv``, ``figures/*`` and
``report.html``.
"""

#: What a run makes of its videos, and of its signers: files, or in place of them the shards that make them.
OF_VIDEOS = expand(
    (
        f"{RESULTS}/shards/{{shard}}/videos.json"
        if PROJECT.shards
        else f"{RESULTS}/videos/{{video}}/{{file}}"
    ),
    shard=PROJECT.shards,
    video=VIDEOS,
    file=[
        "clip.mp4",
        "avatar/overlay.mp4",
        "avatar/keypoints.npz",
        *[f"control/{control}.mp4" for control in PROJECT.controls],
    ],
)
OF_SIGNERS = expand(
    (
        f"{RESULTS}/shards/{{shard}}/signers.json"
        if PROJECT.shards
        else f"{RESULTS}/signers/{{signer}}/{{video}}/{{file}}"
    ),
    shard=PROJECT.shards,
    signer=SIGNERS,
    video=VIDEOS,
    file=["metrics.json", "clip.mp4"],
)
TABLES = ["clips", "metrics", "breaks", "signers", "paper", "failed"]
PLOTS = ["legibility", "ssim", "detection"]


rule evaluate:
    """Measure a result: is the signing still there, the picture steady, the signer the one asked for?"""
    input:
        result=f"{RESULTS}/signers/{{signer}}/{{video}}/clip.mkv",
        result_keypoints=f"{RESULTS}/signers/{{signer}}/{{video}}/keypoints.npz",
        source=f"{RESULTS}/videos/{{video}}/clip.mkv",
        source_keypoints=lambda wildcards: video(wildcards).compared,
        avatar=f"{RESULTS}/videos/{{video}}/avatar/color.mkv",
        avatar_keypoints=f"{RESULTS}/videos/{{video}}/avatar/keypoints.npz",
        mask=f"{RESULTS}/videos/{{video}}/avatar/mask.mkv",
        family=lambda wildcards: signer(wildcards).parts.manifest,
    output:
        metrics=f"{RESULTS}/signers/{{signer}}/{{video}}/metrics.json",
        moments=f"{RESULTS}/signers/{{signer}}/{{video}}/moments.jpg",
    log:
        f"{LOGS}/signers/{{signer}}/{{video}}/evaluate.log",
    benchmark:
        f"{BENCHMARKS}/signers/{{signer}}/{{video}}/evaluate.tsv"
    conda:
        "../envs/results.yaml"
    threads: OF_ONE_RESULT
    resources:
        mem_mb=growing(3000),
        runtime=lasting(60),
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
        results=OF_SIGNERS,
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
        mem_mb=growing(2000),
        runtime=growing(20),
    params:
        folder=lambda wildcards, output: Path(output.tables[0]).parents[1],
        videos=CONFIG.videos,
        signers=repeated("--signer", SIGNERS),
    shell:
        "python -m diffsign aggregate {params.folder:q} --videos {params.videos:q} {params.signers:q}"
        " > {log:q} 2>&1"


rule compare:
    """Compare the signers (or runs, by `diffsign compare`): means, intervals over clips, significance."""
    input:
        results=OF_SIGNERS,
    output:
        table=report(
            f"{RESULTS}/compare/compare.html",
            caption="report/compare.rst",
            category="Tables",
        ),
        others=expand(
            f"{RESULTS}/compare/compare.{{suffix}}",
            suffix=["csv", "md", "tex", "png", "svg", "pdf"],
        ),
    log:
        f"{LOGS}/compare.log",
    benchmark:
        f"{BENCHMARKS}/compare.tsv"
    conda:
        "../envs/results.yaml"
    threads: 1
    resources:
        mem_mb=growing(2000),
        runtime=growing(20),
    params:
        results=lambda wildcards, output: Path(output.table).parents[1],
        folder=subpath(output.table, parent=True),
        settings=to_flags(CONFIG.compare),
    shell:
        "python -m diffsign compare {params.results:q} --out {params.folder:q} {params.settings:q} > {log:q} 2>&1"


rule report:
    """Make one page of all results: videos side by side, metrics and what they mean."""
    input:
        results=[*OF_VIDEOS, *OF_SIGNERS],
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
        mem_mb=growing(2000),
        runtime=growing(20),
    params:
        results=subpath(output.page, parent=True),
        videos=CONFIG.videos,
        signers=repeated("--signer", SIGNERS),
        settings=to_flags(CONFIG.report),
    shell:
        "python -m diffsign report {output.page:q} --results {params.results:q} --videos {params.videos:q}"
        " {params.signers:q} {params.settings:q} > {log:q} 2>&1"
