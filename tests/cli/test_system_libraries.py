"""A system library that is missing is named with the package that has it."""

import subprocess
import sys

import pytest

from diffsign.avatar.blender import BlenderProcess
from diffsign.config.render import RenderSettings
from diffsign.errors import DiffSignError, missing_library


def without(folder, module, library, monkeypatch):
    """Put a package in Python's way that the loader refuses as it does where a library is missing."""
    (folder / f"{module}.py").write_text(
        f"raise ImportError('{library}: cannot open shared object file: No such file or directory')\n"
    )
    monkeypatch.setenv("PYTHONPATH", str(folder), prepend=":")


@pytest.mark.parametrize(
    ("module", "command", "library", "package"),
    [
        ("cv2", ["control", "canny", "a.mkv", "b.mkv"], "libGL.so.1", "libgl1"),
        ("cv2", ["render", "a.npz", "b", "--body", "c.npz"], "libgthread-2.0.so.0", "libglib2.0-0"),
        ("mediapipe", ["detect", "clip.mkv", "out.npz"], "libEGL.so.1", "libegl1"),
    ],
)
def test_commands_say_what_to_install(tmp_path, monkeypatch, module, command, library, package):
    without(tmp_path, module, library, monkeypatch)
    if module == "mediapipe":
        make = "from diffsign.records.clip import write_clip; import numpy as np;"
        make += "write_clip('clip.mkv', [np.zeros((64, 64, 3), np.uint8)] * 2, 24.0)"
        subprocess.run([sys.executable, "-c", make], cwd=tmp_path, check=True)
    done = subprocess.run(
        [sys.executable, "-m", "diffsign", *command], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 1 and "Traceback" not in done.stderr
    assert library in done.stderr and f"apt-get install {package}" in done.stderr


def test_blender_says_what_to_install(tmp_path, monkeypatch):
    without(tmp_path, "bpy", "libXrender.so.1", monkeypatch)
    process = BlenderProcess(RenderSettings(), tmp_path)
    try:
        with pytest.raises(DiffSignError, match=r"libXrender\.so\.1.*libxrender1"):
            process.next_frame()
    finally:
        process.close()


def test_unknown_libraries_and_other_complaints():
    assert "apt-file search libfoo.so.3" in str(missing_library("libfoo.so.3: cannot open shared object file: No"))
    assert missing_library("cannot import name 'x' from 'y' (z.so)") is None
