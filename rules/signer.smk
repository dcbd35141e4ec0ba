"""From the controls to the synthetic signer.

In: the sheet of signers, the controls of each video. Out: the manifest of a model family's weights, the LoRAs of
subjects that signers name, and for each signer what it is conditioned on and, for each video, ``clip.mkv`` with the
keypoints found again on it.
"""


rule fetch:
    """Find or download the parts of a model family that some signers need, and check that they fit together."""
    output:
        manifest=f"{RESOURCES}/families/{{parts}}.json",
    log:
        f"{LOGS}/fetch_{{parts}}.log",
    benchmark:
        f"{BENCHMARKS}/fetch_{{parts}}.tsv"
    # Before anything that takes long: a missing weight is said at once.
    priority: 100
    conda:
        "../envs/diffusion.yaml"
    threads: 1
    resources:
        mem_mb=lambda wildcards, attempt: attempt
        * PROJECT.parts[wildcards.parts].fetch_memory,
        runtime=growing(240),
    params:
        family=lambda wildcards: PROJECT.parts[wildcards.parts].family,
        settings=lambda wildcards: PROJECT.parts[wildcards.parts].fetch_flags(),
    shell:
        "python -m diffsign fetch {params.family:q} {output.manifest:q} {params.settings:q} > {log:q} 2>&1"


rule personalize:
    """Fine-tune a family on one subject from a few pictures (DreamBooth); goes on where it was interrupted."""
    input:
        manifest=lambda wildcards: subject(wildcards).parts.manifest,
        pictures=lambda wildcards: subject(wildcards).pictures,
    output:
        lora=f"{RESOURCES}/subjects/{{subject}}.safetensors",
    log:
        f"{LOGS}/personalize_{{subject}}.log",
    benchmark:
        f"{BENCHMARKS}/personalize_{{subject}}.tsv"
    conda:
        "../envs/diffusion.yaml"
    threads: 2
    resources:
        mem_mb=growing(12000),
        runtime=growing(240),
        gpu=GPUS,
    params:
        settings=lambda wildcards: subject(wildcards).personalize_flags(),
    shell:
        "python -m diffsign personalize {input.manifest:q} {output.lora:q} {params.settings:q}"
        " --threads {threads} > {log:q} 2>&1"


rule encode:
    """Encode who signs: prompts and reference pictures, once a signer."""
    input:
        manifest=lambda wildcards: signer(wildcards).parts.manifest,
        images=lambda wildcards: signer(wildcards).row.image,
        loras=lambda wildcards: signer(wildcards).loras,
    output:
        conditioning=f"{RESULTS}/signers/{{signer}}/conditioning.safetensors",
    log:
        f"{LOGS}/signers/{{signer}}/encode.log",
    benchmark:
        f"{BENCHMARKS}/signers/{{signer}}/encode.tsv"
    conda:
        "../envs/diffusion.yaml"
    threads: OF_ONE_SIGNER
    resources:
        mem_mb=growing(8000),
        runtime=growing(30),
        gpu=GPUS,
    params:
        signer=lambda wildcards: signer(wildcards).encode_flags(),
        device=CONFIG.generate.device,
    shell:
        "python -m diffsign encode {input.manifest:q} {output.conditioning:q} {params.signer:q}"
        " --device {params.device} --threads {threads} > {log:q} 2>&1"


rule generate:
    """Generate one chunk of a clip: the signing of a video by a synthetic signer."""
    input:
        controls=lambda wildcards: signer(wildcards)
        .control_clips(wildcards.video)
        .values(),
        manifest=lambda wildcards: signer(wildcards).parts.manifest,
        conditioning=lambda wildcards: signer(wildcards).conditioning,
        motion=f"{RESULTS}/videos/{{video}}/motion.npz",
        body=BODY,
        mask=f"{RESULTS}/videos/{{video}}/avatar/mask.mkv",
        background=lambda wildcards: signer(wildcards).background,
    output:
        chunk=temp(f"{RESULTS}/signers/{{signer}}/{{video}}/chunks/{{scatteritem}}.mkv"),
    log:
        f"{LOGS}/signers/{{signer}}/{{video}}/generate-{{scatteritem}}.log",
    benchmark:
        f"{BENCHMARKS}/signers/{{signer}}/{{video}}/generate-{{scatteritem}}.tsv"
    conda:
        "../envs/diffusion.yaml"
    threads: OF_ONE_CHUNK
    resources:
        mem_mb=growing(12000),
        runtime=lasting(240),
        gpu=GPUS,
    params:
        settings=lambda wildcards: signer(wildcards).generate_flags(wildcards.video),
    shell:
        "python -m diffsign generate {input.manifest:q} {input.conditioning:q} {output.chunk:q}"
        " --motion {input.motion:q} --body {input.body:q} --mask {input.mask:q} --chunk {wildcards.scatteritem}"
        " --threads {threads} {params.settings:q} > {log:q} 2>&1"


if not CONFIG.together:

    rule join:
        """Join the chunks of a clip."""
        input:
            chunks=gather.chunks(
                f"{RESULTS}/signers/{{{{signer}}}}/{{{{video}}}}/chunks/{{scatteritem}}.mkv"
            ),
            source=f"{RESULTS}/videos/{{video}}/clip.mkv",
        output:
            clip=ensure(
                f"{RESULTS}/signers/{{signer}}/{{video}}/clip.mkv", non_empty=True
            ),
        log:
            f"{LOGS}/signers/{{signer}}/{{video}}/join.log",
        benchmark:
            f"{BENCHMARKS}/signers/{{signer}}/{{video}}/join.tsv"
        conda:
            "../envs/diffusion.yaml"
        threads: 1
        resources:
            mem_mb=growing(2000),
            runtime=lasting(20),
        shell:
            "python -m diffsign join {input.chunks:q} {output.clip:q} --source {input.source:q} > {log:q} 2>&1"

else:

    for use in PROJECT.families.values():

        rule:
            name:
                f"generate_{re.sub('[^A-Za-z0-9_]', '_', use.name)}"
            input:
                controls=lambda wildcards, use=use: [
                    path
                    for one in use.signers
                    for path in one.control_clips(wildcards.video).values()
                ],
                manifest=use.parts.manifest,
                conditionings=[one.conditioning for one in use.signers],
                backgrounds=[path for one in use.signers for path in one.background],
                motion=f"{RESULTS}/videos/{{video}}/motion.npz",
                body=BODY,
                mask=f"{RESULTS}/videos/{{video}}/avatar/mask.mkv",
            output:
                clips=[one.clip("{video}") for one in use.signers],
            log:
                f"{LOGS}/{{video}}/generate-{use.name}.log",
            benchmark:
                f"{BENCHMARKS}/{{video}}/generate-{use.name}.tsv"
            conda:
                "../envs/diffusion.yaml"
            threads: OF_ONE_VIDEO
            resources:
                mem_mb=growing(12000),
                runtime=lambda wildcards, attempt, use=use: attempt
                * minutes(video(wildcards), 240 * len(use.signers)),
                gpu=GPUS,
            params:
                settings=lambda wildcards, use=use: use.together_flags(wildcards.video),
            shell:
                "python -m diffsign generate {input.manifest:q} {input.conditionings[0]:q} {output.clips[0]:q}"
                " --motion {input.motion:q} --body {input.body:q} --mask {input.mask:q} --threads {threads}"
                " {params.settings:q} > {log:q} 2>&1"


rule certificate:
    """Make the project's own certificate, where the config names none."""
    output:
        certificate=f"{SHARED}/credentials/certificate.pem",
        key=f"{SHARED}/credentials/key.pem",
    log:
        f"{LOGS}/certificate.log",
    benchmark:
        f"{BENCHMARKS}/certificate.tsv"
    conda:
        "../envs/video.yaml"
    threads: 1
    resources:
        mem_mb=growing(1000),
        runtime=growing(5),
    shell:
        "python -m diffsign certificate {output.certificate:q} {output.key:q} > {log:q} 2>&1"


#: What the films of a result are marked with, beside their pictures.
MARKED = {
    "audio": f"{RESULTS}/videos/{{video}}/audio.mka",
    "subtitles": f"{RESULTS}/videos/{{video}}/subtitles.mks",
    "motion": f"{RESULTS}/videos/{{video}}/motion.npz",
    "manifest": lambda wildcards: signer(wildcards).parts.manifest,
    "conditioning": lambda wildcards: signer(wildcards).conditioning,
    "certificate": PROJECT.certificate,
}


rule mark:
    """Write the film of a result: sound, a notice that it is synthetic, signed content credentials."""
    input:
        **MARKED,
        clip=f"{RESULTS}/signers/{{signer}}/{{video}}/clip.mkv",
    output:
        film=report(
            f"{RESULTS}/signers/{{signer}}/{{video}}/clip.mp4",
            caption="report/film.rst",
            category="Videos",
            labels={"signer": "{signer}", "video": "{video}"},
        ),
    log:
        f"{LOGS}/signers/{{signer}}/{{video}}/mark.log",
    benchmark:
        f"{BENCHMARKS}/signers/{{signer}}/{{video}}/mark.tsv"
    conda:
        "../envs/diffusion.yaml"
    threads: 1
    resources:
        mem_mb=growing(2000),
        runtime=lasting(20),
    params:
        settings=lambda wildcards: signer(wildcards).mark_flags(),
    shell:
        "python -m diffsign mark {input.clip:q} {output.film:q} --audio {input.audio:q}"
        " --subtitles {input.subtitles:q} --motion {input.motion:q} --manifest {input.manifest:q}"
        " --conditioning {input.conditioning:q} --video {wildcards.video:q} --signer {wildcards.signer:q}"
        " {params.settings:q} > {log:q} 2>&1"


use rule detect_avatar as detect_signer with:
    input:
        clip=f"{RESULTS}/signers/{{signer}}/{{video}}/clip.mkv",
        openpose=[],
    output:
        keypoints=f"{RESULTS}/signers/{{signer}}/{{video}}/keypoints.npz",
        preview=f"{RESULTS}/signers/{{signer}}/{{video}}/keypoints.mp4",
    log:
        f"{LOGS}/signers/{{signer}}/{{video}}/detect.log",
    benchmark:
        f"{BENCHMARKS}/signers/{{signer}}/{{video}}/detect.tsv"
    threads: OF_ONE_RESULT
