"""What `diffsign --help` says beside the commands: their order, a newcomer's first, and an example of each step."""

#: Commands under the headings of the help.
PANELS = {
    "Start here": ("run", "new", "config", "inspect"),
    "Steps of the workflow, in their order": (
        "ingest",
        "say",
        "import-pose",
        "detect",
        "clean",
        "body",
        "fit",
        "smooth",
        "import-motion",
        "render",
        "overlay",
        "control",
        "select",
        "fetch",
        "personalize",
        "encode",
        "generate",
        "join",
        "certificate",
        "mark",
        "evaluate",
        "aggregate",
        "report",
        "export",
        "shard",
    ),
    "For studies and development": ("compare", "study", "synthetic-signer", "train-demo"),
}


def order(names: list[str]) -> list[str]:
    """Return commands as the help lists them; those that no heading names come last."""
    places = {name: place for place, name in enumerate(name for names in PANELS.values() for name in names)}
    return sorted(names, key=lambda name: places.get(name, len(places)))


def panel(name: str) -> str | None:
    """Return the heading of a command."""
    return next((heading for heading, names in PANELS.items() if name in names), None)


#: One use of each step, from a video to its result: what one writes the next one reads.
EXAMPLES = """\
diffsign ingest talk.mp4 clip.mkv --audio audio.mka --preview clip.mp4
diffsign say hello hello.pose
diffsign import-pose hello.pose keypoints.npz --clip clip.mkv
diffsign detect clip.mkv keypoints.npz --preview keypoints.mp4
diffsign clean keypoints.npz clean.npz
diffsign body build body.npz
diffsign fit clean.npz fit.npz --body body.npz
diffsign smooth fit.npz motion.npz --body body.npz
diffsign import-motion talk.npz motion.npz --body body.npz
diffsign render motion.npz avatar --body body.npz
diffsign overlay clip.mkv avatar/color.mkv avatar/mask.mkv overlay.mp4
diffsign control pose motion.npz pose.mkv --body body.npz
diffsign control canny avatar/color.mkv canny.mkv
diffsign control depth avatar/depth.mkv depth.mkv
diffsign fetch demo demo.json
diffsign encode demo.json ana.safetensors --text "a woman in a green shirt" --image ana.png
diffsign generate demo.json ana.safetensors all.mkv --pose pose.mkv --canny canny.mkv --depth depth.mkv
diffsign join all.mkv result.mkv --source clip.mkv --audio audio.mka
diffsign certificate certificate.pem key.pem
diffsign inspect out/results/signers/signer/talk/clip.mp4
diffsign export motion motion.npz motion.glb --body body.npz
diffsign export keypoints clean.npz talk.pose
diffsign new studio
""".splitlines()


def example(name: str, group: bool) -> str | None:
    """Return a use of a command, or of a command in a group."""
    line = next((line for line in EXAMPLES if line.split()[2 if group else 1] == name), None)
    return None if line is None else f"For example: `{line}`"
