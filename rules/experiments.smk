"""The paper's experiments, each a workflow of its own, and their comparison.

In: ``config/experiments/*.yaml`` with their sheets. Out: ``results/experiments/{experiment}/…`` as of any run, and
``results/experiments/compare/``. ``experiments_overlay`` of the config names a config that is laid over each, ``experiments``
those that run. What is made from the videos alone is made once (``results/experiments/source/``).
"""

try:
    EXPERIMENTS = chosen_experiments(
        CONFIG,
        sorted(
            path.stem
            for path in Path(workflow.basedir, "config/experiments").glob("[ES]*.yaml")
        ),
    )
except DiffSignError as error:
    raise WorkflowError(str(error)) from None


rule experiments_source:
    """Make what the experiments share: clips, motions, avatars and controls of their videos."""
    input:
        config="config/experiments/source.yaml",
        overlay=CONFIG.experiments_overlay or [],
    output:
        made=touch(f"{RESULTS}/experiments/source/made"),
    log:
        f"{RESULTS}/experiments/logs/source.log",
    benchmark:
        f"{RESULTS}/experiments/logs/source.tsv"
    conda:
        "../envs/results.yaml"
    threads: CORES or 4
    resources:
        mem_mb=growing(12000),
        runtime=growing(1440),
    params:
        snakefile=workflow.main_snakefile,
        told=lambda wildcards: overrides(CONFIG, "source"),
    shell:
        "python -m snakemake videos --snakefile {params.snakefile:q} --configfile {input.config:q} {input.overlay:q}"
        " --config {params.told:q} --cores {threads} --nolock --rerun-incomplete > {log:q} 2>&1"


rule experiment:
    """Run one experiment with its own config."""
    input:
        config="config/experiments/{experiment}.yaml",
        overlay=CONFIG.experiments_overlay or [],
        source=rules.experiments_source.output.made,
    output:
        clips=f"{RESULTS}/experiments/{{experiment}}/tables/clips.csv",
    log:
        f"{RESULTS}/experiments/logs/{{experiment}}.log",
    benchmark:
        f"{RESULTS}/experiments/logs/{{experiment}}.tsv"
    wildcard_constraints:
        experiment="|".join(EXPERIMENTS),
    conda:
        "../envs/results.yaml"
    threads: CORES or 4
    resources:
        mem_mb=growing(12000),
        runtime=growing(1440),
    params:
        snakefile=workflow.main_snakefile,
        told=lambda wildcards: overrides(CONFIG, wildcards.experiment),
    shell:
        "python -m snakemake --snakefile {params.snakefile:q} --configfile {input.config:q} {input.overlay:q}"
        " --config {params.told:q} --cores {threads} --nolock --rerun-incomplete > {log:q} 2>&1"


rule experiments:
    """Run all experiments and compare their signers."""
    input:
        clips=expand(
            f"{RESULTS}/experiments/{{experiment}}/tables/clips.csv",
            experiment=EXPERIMENTS,
        ),
    output:
        table=report(
            f"{RESULTS}/experiments/compare/compare.csv",
            caption="report/compare.rst",
            category="Tables",
        ),
        plot=report(
            f"{RESULTS}/experiments/compare/compare.png",
            caption="report/compare.rst",
            category="Figures",
        ),
        others=expand(
            f"{RESULTS}/experiments/compare/compare.{{suffix}}",
            suffix=["md", "tex", "html", "svg", "pdf"],
        ),
    log:
        f"{RESULTS}/experiments/logs/compare.log",
    benchmark:
        f"{RESULTS}/experiments/logs/compare.tsv"
    conda:
        "../envs/results.yaml"
    threads: 1
    resources:
        mem_mb=growing(2000),
        runtime=growing(20),
    params:
        runs=[f"{name}={RESULTS}/experiments/{name}" for name in EXPERIMENTS],
        folder=subpath(output.table, parent=True),
        settings=to_flags(comparison(CONFIG)),
    shell:
        "python -m diffsign compare {params.runs:q} --out {params.folder:q} {params.settings:q} > {log:q} 2>&1"
