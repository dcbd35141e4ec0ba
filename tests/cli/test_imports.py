"""What commands import: a command starts no later for what it does not use."""

import json
import subprocess
import sys

import pytest
import torch

from diffsign import cli
from diffsign.records.conditioning import Conditioning, Description, load_description, save_conditioning

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


def test_a_command_imports_no_other():
    call = "sys.argv[1:] = ['clean', '--help']\ntry: cli.main()\nexcept SystemExit: pass"
    code = f"import sys, json\nfrom diffsign import cli\n{call}\nprint(json.dumps(sorted(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    modules = set(json.loads(done.stdout.splitlines()[-1]))
    assert not SLOW & modules
    assert {name for name in cli.MODULES if f"diffsign.cli.{name}" in modules} == {"clean"}


def test_every_command_is_found_by_its_name():
    added: dict[str, list[str]] = {}
    for command in cli.app.registered_commands:
        names = added.setdefault(command.callback.__module__.rpartition(".")[2], [])
        names.append(command.name or command.callback.__name__.replace("_", "-"))
    for group in cli.app.registered_groups:
        module = group.typer_instance.registered_commands[0].callback.__module__
        added.setdefault(module.rpartition(".")[2], []).append(group.name or group.typer_instance.info.name)
    assert {module: tuple(names) for module, names in added.items()} == cli.MODULES


def test_help_and_light_stages_import_little():
    stages = "; ".join(f"import diffsign.{stage}" for stage in LIGHT)
    assert slow_imports("import diffsign.cli", stages) == [set(), {"numpy", "cv2"}]


@pytest.mark.parametrize(("stage", "needed"), OTHERS.items())
def test_a_stage_imports_what_it_uses(stage, needed):
    (brought,) = slow_imports(f"import diffsign.{stage}")
    assert needed <= brought <= needed | {"numpy", "cv2"}


def test_what_a_conditioning_says_is_read_without_torch(tmp_path):
    embeds = torch.zeros(1, 2, 3)
    signer = Conditioning("demo", "a woman", "", True, ("a.png",), embeds, embeds + 1)
    save_conditioning(tmp_path / "c.safetensors", signer)
    read = "from diffsign.records.conditioning import load_description"
    (brought,) = slow_imports(f"{read}; load_description({str(tmp_path / 'c.safetensors')!r})")
    assert brought == {"numpy"}
    assert load_description(tmp_path / "c.safetensors") == Description("a woman", ("a.png",))


def test_networks_come_without_a_compiler_until_it_is_asked_for():
    start = "from diffsign.models.quick_start import start_quickly; start_quickly()"
    networks = "import torch, diffusers, diffsign.evaluate.stage; diffusers.StableDiffusionControlNetPipeline"
    networks += "; assert not diffusers.utils.torch_utils.is_compiled_module(torch.nn.Linear(1, 1))"
    brought, compiling = slow_imports(f"{start}; {networks}", "torch._dynamo.config")
    assert {"torch", "diffusers", "transformers"} <= brought and "sympy" not in brought
    assert "sympy" in compiling
