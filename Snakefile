# DiffSign: a video of a person signing goes in, the same signing by a synthetic signer comes out.
#
# Paths:
#   resources/body/body.npz                        the body that is fitted and rendered
#   resources/families/{parts}.json                where those weights of a model family are that a signer needs
#   resources/subjects/{subject}.safetensors       the LoRA of a subject that a family is fine-tuned on
#   results/videos/{video}/…                       what is made from one source video: clip, keypoints,
#                                                  motion, avatar, controls
#   results/signers/{signer}/{video}/…             one video by one synthetic signer, and its figures
#   results/{tables,figures,report.html}           all of them together
#   results/shards/{shard}/…                       which clips of a large sheet are made, a hundred to a job
#
# `snakemake --cores 2` runs the demo; `snakemake --list` says what each rule is for.
from snakemake.utils import min_version

min_version("9.0")


configfile: "config/config.yaml"


include: "rules/common.smk"
include: "rules/video.smk"
include: "rules/motion.smk"
include: "rules/avatar.smk"
include: "rules/control.smk"
include: "rules/select.smk"
include: "rules/signer.smk"
include: "rules/export.smk"
include: "rules/results.smk"
include: "rules/experiments.smk"
include: "rules/shards.smk"


rule all:
    """The report and the tables."""
    default_target: True
    input:
        report=f"{RESULTS}/report.html",
        tables=rules.aggregate.output,


rule videos:
    """What is made of the videos alone, up to their avatars."""
    input:
        OF_VIDEOS,


rule signers:
    """The signers and their metrics."""
    input:
        OF_VIDEOS,
        OF_SIGNERS,


# One clip that fails leaves the others whole: tables and report come of what is there, and say what is not.
onerror:
    summarise_failed_run(workflow, PROJECT)
