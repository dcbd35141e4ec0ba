"""What several parts of the tests need: a body file, written once however many workers there are."""

from __future__ import annotations

import fcntl
from pathlib import Path

import pytest

from diffsign.body.model import Body, load_body
from diffsign.body.shipped import copy_shipped

pytest_plugins = ["tests.model_fixtures"]


def pytest_addoption(parser: pytest.Parser) -> None:
    """Name the interpreter that has the original ``ip-adapter`` package (tests/models/original.txt)."""
    parser.addoption("--original", metavar="PYTHON", help="an environment that has tests/models/original.txt")


@pytest.fixture(scope="session")
def body_path(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Path:
    """Path of a body file for this run of the tests, shared by its workers."""
    folder = tmp_path_factory.getbasetemp()
    folder = folder if worker_id == "master" else folder.parent
    path = folder / "body.npz"
    with (folder / "body.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not path.exists():
            copy_shipped(path)
    return path


@pytest.fixture(scope="session")
def body(body_path: Path) -> Body:
    """The body of :func:`body_path`, loaded."""
    return load_body(body_path)
