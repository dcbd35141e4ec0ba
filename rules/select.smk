"""Some frames of a clip in place of all: the column ``frames`` of the sheet of videos, or ``frames`` of the config.

In: everything that was made from the whole clip, which has an id of its own (``{video}_whole``) or is another run's
(``videos_from`` of the config). Out: the same files for the frames that are selected. What follows takes them as any other
video.
"""


# What is selected is made from the whole clip and not anew.
ruleorder: select > import_motion
ruleorder: select > skeleton
ruleorder: select > import_pose
ruleorder: select > ingest
ruleorder: select > detect
ruleorder: select > smooth
ruleorder: select > render
ruleorder: select > detect_avatar
ruleorder: select > control_pose
ruleorder: select > control_canny
ruleorder: select > control_depth


rule select:
    """Select frames of a video's results."""
    input:
        clip=f"{PROJECT.whole}/clip.mkv",
        audio=f"{PROJECT.whole}/audio.mka",
        keypoints=f"{PROJECT.whole}/keypoints.npz",
        motion=f"{PROJECT.whole}/motion.npz",
        color=f"{PROJECT.whole}/avatar/color.mkv",
        mask=f"{PROJECT.whole}/avatar/mask.mkv",
        avatar_keypoints=f"{PROJECT.whole}/avatar/keypoints.npz",
        controls=expand(
            f"{PROJECT.whole}/control/{{control}}.mkv",
            control=PROJECT.controls,
            allow_missing=True,
        ),
    output:
        clip=f"{RESULTS}/videos/{{video}}/clip.mkv",
        preview=f"{RESULTS}/videos/{{video}}/clip.mp4",
        audio=f"{RESULTS}/videos/{{video}}/audio.mka",
        subtitles=f"{RESULTS}/videos/{{video}}/subtitles.mks",
        keypoints=f"{RESULTS}/videos/{{video}}/keypoints.npz",
        motion=f"{RESULTS}/videos/{{video}}/motion.npz",
        color=f"{RESULTS}/videos/{{video}}/avatar/color.mkv",
        mask=f"{RESULTS}/videos/{{video}}/avatar/mask.mkv",
        avatar_keypoints=f"{RESULTS}/videos/{{video}}/avatar/keypoints.npz",
        controls=expand(
            f"{RESULTS}/videos/{{{{video}}}}/control/{{control}}.{{suffix}}",
            control=PROJECT.controls,
            suffix=["mkv", "mp4"],
        ),
    log:
        f"{LOGS}/{{video}}/select.log",
    benchmark:
        f"{BENCHMARKS}/{{video}}/select.tsv"
    wildcard_constraints:
        video="|".join(re.escape(name) for name in PROJECT.selected) or "none",
    conda:
        "../envs/video.yaml"
    threads: 1
    resources:
        mem_mb=growing(1000),
        runtime=growing(10),
    params:
        whole=subpath(input.clip, parent=True),
        folder=subpath(output.clip, parent=True),
        frames=lambda wildcards: video(wildcards).select_flags(),
    shell:
        "python -m diffsign select {params.whole:q} {params.folder:q} {params.frames:q} > {log:q} 2>&1"
