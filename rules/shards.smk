"""From a large sheet to results, in shards.

In: the sources of a shard's videos, and what all share. Out: ``shards/{shard}/{videos,signers}.json``, which say that its
avatars and its signers are there. Each job runs this workflow on its clips alone.
"""


rule shard_videos:
    """Make the avatars of a shard's videos, and everything before them."""
    input:
        sources=lambda wildcards: shard(wildcards).sources,
        body=BODY,
    output:
        status=f"{RESULTS}/shards/{{shard}}/videos.json",
    log:
        f"{LOGS}/shards/{{shard}}/videos.log",
    benchmark:
        f"{BENCHMARKS}/shards/{{shard}}/videos.tsv"
    conda:
        "../envs/workflow.yaml"
    threads: 4
    resources:
        mem_mb=growing(8000),
        runtime=lambda wildcards, attempt: attempt * minutes(shard(wildcards), 60),
    params:
        config=lambda wildcards: repeated("--config", shard(wildcards).changes),
        rows=lambda wildcards: shard(wildcards).rows,
        version=VERSION,
        snakefile=SNAKEFILE,
    shell:
        "python -m diffsign shard videos {output.status:q} --snakefile {params.snakefile:q} {params.config:q}"
        " --threads {threads} --memory {resources.mem_mb} > {log:q} 2>&1"


rule shard_signers:
    """Generate every signer for a shard's videos, and measure the results."""
    input:
        videos=f"{RESULTS}/shards/{{shard}}/videos.json",
        sources=lambda wildcards: shard(wildcards).sources,
        body=BODY,
        manifests=sorted({PROJECT.signer(name).parts.manifest for name in SIGNERS}),
        conditioning=expand(
            f"{RESULTS}/signers/{{signer}}/conditioning.safetensors", signer=SIGNERS
        ),
    output:
        status=f"{RESULTS}/shards/{{shard}}/signers.json",
    log:
        f"{LOGS}/shards/{{shard}}/signers.log",
    benchmark:
        f"{BENCHMARKS}/shards/{{shard}}/signers.tsv"
    conda:
        "../envs/workflow.yaml"
    threads: 4
    resources:
        mem_mb=growing(16000),
        runtime=lambda wildcards, attempt: attempt
        * minutes(shard(wildcards), 240 * len(SIGNERS)),
        gpu=GPUS,
    params:
        config=lambda wildcards: repeated("--config", shard(wildcards).changes),
        rows=lambda wildcards: shard(wildcards).rows,
        repairs=lambda wildcards: shard(wildcards).repairs(),
        version=VERSION,
        snakefile=SNAKEFILE,
    shell:
        "python -m diffsign shard signers {output.status:q} --snakefile {params.snakefile:q} {params.config:q}"
        " --repairs {params.repairs} --threads {threads} --memory {resources.mem_mb} --gpus {resources.gpu}"
        " > {log:q} 2>&1"
