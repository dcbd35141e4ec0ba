"""What commands import: a command starts no later for what it does not use."""

import json
import subprocess
import sys

import pytest

#: Packages that take long to import.
SLOW = {"torch", "transformers", "diffusers", "accelerate", "torchmetrics", "pandas", "matplotlib", "mediapipe", "bpy"}
SLOW |= {"scipy.signal", "scipy.stats", "sympy", "smplx", "anny", "snakemake", "jax", "trimesh", "cv2", "numpy"}

#: Stages that need none of them but numpy and cv2.
LIGHT = ["ingest.stage", "detect.stage", "detect.import_pose", "clean.stage", "smooth.stage", "say.stage"]
LIGHT += ["render.overlay", "control.pose", "control.canny", "control.depth", "fetch.stage", "generate.join"]
LIGHT += ["credentials.mark", "report.report", "export.keypoints", "select.stage", "workflow.shards"]

#: What the others need of them beside.
OTHERS = {
    "fit.stage": {"torch"},
    "render.render": {"trimesh"},
    "report.aggregate": {"matplotlib", "scipy.stats"},
    "generate.encode": {"torch"},
}


def slow_imports(*statements: str) -> list[set[str]]:
    """Return which of the slow packages a fresh Python has after each statement."""
    told = [f"{statement}; print(json.dumps(sorted(sys.modules)))" for statement in statements]
    command = [sys.executable, "-c", "\n".join(["import sys, json", *told])]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return [SLOW & set(json.loads(line)) for line in done.stdout.splitlines() if line.startswith("[")]


def test_help_and_light_stages_import_little():
    stages = "; ".join(f"import diffsign.{stage}" for stage in LIGHT)
    assert slow_imports("import diffsign.cli", stages) == [set(), {"numpy", "cv2"}]


@pytest.mark.parametrize(("stage", "needed"), OTHERS.items())
def test_a_stage_imports_what_it_uses(stage, needed):
    (brought,) = slow_imports(f"import diffsign.{stage}")
    assert needed <= brought <= needed | {"numpy", "cv2"}


def test_networks_come_without_a_compiler_until_it_is_asked_for():
    start = "from diffsign.models.quick_start import start_quickly; start_quickly()"
    networks = "import torch, diffusers, diffsign.evaluate.stage; diffusers.UNet2DConditionModel"
    brought, compiling = slow_imports(f"{start}; {networks}", "torch._dynamo.config")
    assert {"torch", "diffusers", "transformers"} <= brought and "sympy" not in brought
    assert "sympy" in compiling
