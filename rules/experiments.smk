"""The paper's experiments, each a workflow of its own, and their comparison.

In: ``config/experiments/*.yaml`` with their sheets. Out: ``results/experiments/{experiment}/…`` as of any run, and
``results/experiments/compare/``. ``experiments_overlay`` of the config names a config that is laid over each.
"""

EXPERIMENTS = sorted(
    path.stem
    for path in Path(workflow.basedir, "config", "experiments").glob("[ES]*.yaml")
)


rule experiment:
    """Run one experiment with its own config."""
    input:
        config="config/experiments/{experiment}.yaml",
        overlay=CONFIG.experiments_overlay or [],
    output:
        clips="results/experiments/{experiment}/tables/clips.csv",
    log:
        "results/experiments/logs/{experiment}.log",
    benchmark:
        "results/experiments/logs/{experiment}.tsv"
    wildcard_constraints:
        experiment="|".join(EXPERIMENTS) or "none",
    conda:
        "../envs/results.yaml"
    threads: workflow.cores or 1
    resources:
        mem_mb=12000,
        runtime=1440,
    params:
        snakefile=workflow.main_snakefile,
    shell:
        "python -m snakemake --snakefile {params.snakefile:q} --configfile {input.config:q} {input.overlay:q}"
        " --cores {threads} --nolock --rerun-incomplete > {log:q} 2>&1"


rule experiments:
    """Run all experiments and compare their signers."""
    input:
        clips=expand(
            "results/experiments/{experiment}/tables/clips.csv", experiment=EXPERIMENTS
        ),
    output:
        table="results/experiments/compare/compare.csv",
        others=expand(
            "results/experiments/compare/compare.{suffix}", suffix=["md", "html"]
        ),
    log:
        "results/experiments/logs/compare.log",
    benchmark:
        "results/experiments/logs/compare.tsv"
    conda:
        "../envs/results.yaml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=20,
    params:
        runs=[f"{name}=results/experiments/{name}" for name in EXPERIMENTS],
        folder=subpath(output.table, parent=True),
    shell:
        "python -m diffsign compare {params.runs:q} --by signer --out {params.folder:q} > {log:q} 2>&1"
