"""Entry point for ``python -m diffsign``."""

import sys


def run() -> None:
    """Run a command: by a process that is warm, if there is one, or in this one."""
    from diffsign import warm

    if (status := warm.ask(sys.argv[1:])) is not None:
        warm.end_as(status)
    from diffsign.cli import main

    if sys.argv[1:2] != [warm.SERVE]:
        main()
        return
    tell = warm.serve(sys.argv[2])
    try:
        main()
    finally:
        tell()


if __name__ == "__main__":
    run()
