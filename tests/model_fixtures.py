"""Fixtures of tiny model families, their pictures and control clips."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image


def _write(tmp_path_factory, name, xl):
    from tests.tiny_family import Tiny, write_tiny_family

    return Tiny(write_tiny_family(tmp_path_factory.mktemp(name), xl=xl), xl=xl)


@pytest.fixture(scope="session")
def sd(tmp_path_factory):
    """A family like SD 1.5."""
    return _write(tmp_path_factory, "sd", xl=False)


@pytest.fixture(scope="session")
def sdxl(tmp_path_factory):
    """A family like SDXL."""
    return _write(tmp_path_factory, "sdxl", xl=True)


@pytest.fixture(params=["sd", "sdxl"])
def tiny(request):
    """Either family."""
    return request.getfixturevalue(request.param)


@pytest.fixture
def own(sd, tmp_path):
    """A copy of the SD-like family that a test may damage."""
    return sd.copy(tmp_path / "own")


@pytest.fixture(scope="session")
def board():
    """Make an avatar that is a square board; see :class:`tests.tiny_family.Board`."""
    from tests.tiny_family import Board

    return Board


@pytest.fixture(scope="session")
def picture(tmp_path_factory):
    """A reference picture, 40×40."""
    path = tmp_path_factory.mktemp("pictures") / "signer.png"
    Image.fromarray(np.random.default_rng(1).integers(0, 255, (40, 40, 3), dtype=np.uint8)).save(path)
    return path


@pytest.fixture(scope="session")
def clips(tmp_path_factory):
    """Control clips of 5 frames, 24×16."""
    from diffsign.records.clip import write_clip

    folder = tmp_path_factory.mktemp("clips")
    random = np.random.default_rng(2)
    for name in ("pose", "canny"):
        write_clip(folder / f"{name}.mkv", random.integers(0, 255, (5, 16, 24, 3), dtype=np.uint8), 24)
    return folder


@pytest.fixture
def manifest_file(sd, tmp_path):
    """The manifest of the SD-like family."""
    from diffsign.records.manifest import save_manifest

    path = tmp_path / "tiny.json"
    save_manifest(path, sd.fetch())
    return path


@pytest.fixture
def diffsign():
    """Run a command of ``diffsign`` in this process; errors come through, and it must succeed otherwise."""
    from typer.testing import CliRunner

    from diffsign.cli import app

    def run(*arguments):
        result = CliRunner().invoke(app, [str(argument) for argument in arguments], catch_exceptions=False)
        assert result.exit_code == 0, result.output
        return result

    return run
