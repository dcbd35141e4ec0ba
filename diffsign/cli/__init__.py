"""The command line: one command a stage, paths in, paths out.

Each command imports its stage when it runs, so that ``--help`` is quick and a stage's packages are
needed only by that stage. A command that is called by its name is the only one whose module is imported.
"""

from __future__ import annotations

import importlib
import logging
import os
import sys
import traceback
from collections.abc import Iterable
from typing import Annotated, Any, NoReturn

import typer
from rich.console import Console
from rich.logging import RichHandler
from rich.text import Text

from diffsign.cli.renamed import Commands, Group
from diffsign.errors import DiffSignError, TryAgainError, missing_library
from diffsign.files import is_disk_full
from diffsign.processes import end_cleanly_on_signals

#: Modules that add commands, and the commands or groups that each of them adds.
MODULES = {
    "aggregate": ("aggregate",),
    "body": ("body",),
    "clean": ("clean",),
    "compare": ("compare",),
    "config": ("config",),
    "control": ("control",),
    "credentials": ("mark", "inspect", "certificate"),
    "detect": ("detect",),
    "encode": ("encode",),
    "evaluate": ("evaluate",),
    "export": ("export",),
    "fetch": ("fetch",),
    "fit": ("fit",),
    "generate": ("generate",),
    "import_motion": ("import-motion",),
    "ingest": ("ingest",),
    "join": ("join",),
    "new": ("new",),
    "personalize": ("personalize",),
    "report": ("report",),
    "run": ("run",),
    "scene": ("render", "overlay"),
    "select": ("select",),
    "shard": ("shard",),
    "smooth": ("smooth",),
    "study": ("study",),
    "synthetic": ("synthetic-signer",),
    "text": ("say", "import-pose"),
    "training": ("train-demo",),
}


class _Root(Commands):
    """All commands; their modules are imported when the list of commands is first looked at."""

    #: Modules that are imported, or None before the first.
    modules: Iterable[str] | None = None

    @property
    def registered_commands(self) -> Any:
        """The commands, in the order of :data:`MODULES`."""
        if self.modules is None:
            self.use(MODULES)
        return self._commands

    @registered_commands.setter
    def registered_commands(self, commands: Any) -> None:
        self._commands = commands

    def use(self, modules: Iterable[str]) -> None:
        """Import modules of commands, and no others."""
        self.modules = modules
        for module in modules:
            importlib.import_module(f"{__name__}.{module}")


app = _Root(
    name="diffsign",
    cls=Group,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
    help="Turn a video of a person signing into the same signing by a synthetic signer. "
    "The workflow (`snakemake --cores N`) runs these commands; each can be run by hand on the same files.",
)


#: Commands that import diffusers or transformers.
WITH_NETWORKS = {"encode", "evaluate", "generate", "personalize"}

_NO_MEMORY = b"Failed: there is not enough memory; give the job more, or make batches smaller.\n"


@app.callback()
def logging_options(verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Say more.")] = False) -> None:
    """Set up logging on stderr."""
    handler = RichHandler(console=Console(stderr=True), show_path=False, show_time=False)
    logging.basicConfig(level=logging.DEBUG if verbose else logging.INFO, format="%(message)s", handlers=[handler])
    for noisy in ("matplotlib", "fontTools", "PIL", "numba", "jax", "absl", "httpx", "urllib3", "filelock"):
        logging.getLogger(noisy).setLevel(logging.WARNING)


def _complain(message: str, status: int = 1) -> NoReturn:
    # "Error:" is a mistake of the user's, and what the workflow does not try again.
    begin = "Error: " if status == 1 else "Failed: "
    Console(stderr=True, soft_wrap=True).print(Text.assemble((begin, "bold red"), message))
    sys.exit(status)


def main() -> None:
    """Run the command line; an error of ours ends in one line on stderr.

    Exit status: 1 for a user's mistake, 75 for what may pass the next time (a full disk or memory), 130 if interrupted;
    an error in the program itself ends in a traceback and 70.
    """
    end_cleanly_on_signals()
    os.environ["MPLBACKEND"] = "agg"  # a notebook's own, which commands started from it inherit, is not installed here
    app.use([module for module, commands in MODULES.items() if set(sys.argv[1:2]) & {*commands}] or MODULES)
    if set(sys.argv[1:2]) & WITH_NETWORKS and "--compile" not in sys.argv:
        from diffsign.models.quick_start import start_quickly

        start_quickly()
    try:
        app()
    except TryAgainError as error:
        _complain(str(error), os.EX_TEMPFAIL)
    except DiffSignError as error:
        _complain(str(error))
    except MemoryError:
        os.write(2, _NO_MEMORY)  # a console takes memory
        sys.exit(os.EX_TEMPFAIL)
    except KeyboardInterrupt:
        sys.exit(130)
    except Exception as error:
        if isinstance(error, ImportError | OSError) and (advice := missing_library(str(error))):
            _complain(f"{advice}.")
        if is_disk_full(error):
            _complain(f"the disk is full: {error}; make room and run the command again.", os.EX_TEMPFAIL)
        traceback.print_exc()
        sys.exit(os.EX_SOFTWARE)
