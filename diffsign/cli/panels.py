"""The order in which `diffsign --help` lists commands: what a newcomer needs, then the steps, then the rest."""

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
