"""The benchmark of generating, where only torch, diffusers and transformers are installed."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[2]
#: What the project needs beyond those three and what they bring.
OTHERS = ["pydantic", "cv2", "smplx", "typer", "ffmpeg", "imageio_ffmpeg", "mediapipe", "anny", "bpy", "snakemake"]

WITHOUT_OTHERS = f"""
import runpy, sys

class Missing:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {OTHERS}:
            raise ModuleNotFoundError(name)

sys.meta_path.insert(0, Missing())
runpy.run_path(sys.argv[0], run_name="__main__")
"""


def test_both_ways_give_the_same_pixels_and_need_nothing_else(tmp_path):
    frames = {}
    for way in ("released", "ours"):
        out = tmp_path / way
        out.mkdir()
        script = f"import sys; sys.argv = sys.argv[1:]\n{WITHOUT_OTHERS}"
        options = ["--way", way, "--out", str(out), "--job", "0", "1", "--weights", "diffsign/weights/demo"]
        options += ["--frames", "3", "--size", "64", "--threads", "1", "--device", "cpu"]
        done = subprocess.run(
            [sys.executable, "-c", script, "benchmarks/generate.py", *options],
            cwd=ROOT,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stderr[-2000:]
        frames[way] = np.load(out / "frames.npy")
        figures = json.loads((out / "figures.json").read_text())
        assert figures["stop"] > figures["start"] and figures["peak_bytes"] > 1e6
    assert frames["ours"].shape == (3, 64, 64, 3) and frames["ours"].std() > 0
    assert np.abs(frames["ours"] - frames["released"]).max() <= 2
    assert (frames["ours"][0] != frames["ours"][2]).any()
