"""Every stage has one shape: Inputs, Outputs, run; rule, command and module share a name."""

import ast
import dataclasses
import importlib
import inspect
import re
from pathlib import Path

import pytest
import typer

from diffsign.cli import app

ROOT = Path(__file__).parents[1]

#: Rules that make nothing by a command of their own, or run the workflow itself.
NO_STAGE = {"all", "videos", "signers", "experiments_source", "experiment", "body"}

#: Rules that run another rule's command on other files.
BORROWED = {"experiments": "compare", "skeleton": "control_pose", "ingest_backdrop": "ingest"}

#: Modules of stages that have another name than their rule.
MODULES = {"shard_videos": "diffsign.workflow.shards", "shard_signers": "diffsign.workflow.shards"}


def stage_modules() -> list[str]:
    """Return the modules that say what they read and write."""
    found = []
    for path in sorted((ROOT / "diffsign").glob("*/*.py")):
        names = {node.name for node in ast.parse(path.read_text()).body if isinstance(node, ast.ClassDef)}
        if {"Inputs", "Outputs"} <= names:
            found.append(f"diffsign.{path.parent.name}.{path.stem}")
    return found


def rules() -> dict[str, str]:
    """Return the command of every rule that is written out."""
    text = "\n".join(path.read_text() for path in sorted((ROOT / "rules").glob("*.smk")))
    blocks = re.split(r"^(?=(?:use )?rule )", text, flags=re.M)
    named = {found[1]: block for block in blocks if (found := re.match(r"rule (\w+):", block))}
    return {
        name: command[1]
        for name, block in named.items()
        if name not in NO_STAGE and (command := re.search(r"python -m diffsign ((?:[a-z-]+ ?)+)", block))
    }


def module_of(rule: str) -> str:
    """Return the module of a rule's stage: a folder of its name, or a module of its name in the folder of its group."""
    group, _, name = rule.rpartition("_")
    names = [MODULES.get(rule), f"diffsign.{rule}.stage", f"diffsign.{group}.{name}"]
    names += [module for module in stage_modules() if module.rpartition(".")[2] == rule]
    found = [name for name in names if name in stage_modules()]
    assert found, f"rule {rule} has no module: none of {names}"
    return found[0]


@pytest.mark.parametrize("name", stage_modules())
def test_a_stage_has_inputs_outputs_and_run(name):
    module = importlib.import_module(name)
    for kind in (module.Inputs, module.Outputs):
        assert dataclasses.is_dataclass(kind) and kind.__dataclass_params__.frozen
        assert kind.__doc__
    parameters = [*inspect.signature(module.run).parameters]
    assert parameters[:2] == ["inputs", "outputs"]
    assert inspect.signature(module.run).return_annotation in ("str", str)


@pytest.mark.parametrize(("rule", "command"), rules().items())
def test_rule_command_and_module_share_a_name(rule, command):
    rule = BORROWED.get(rule, rule)
    module_of(rule)
    words = command.split()
    found = typer.main.get_command(app)
    path = []
    for word in words:
        if word not in getattr(found, "commands", {}):
            break
        found = found.commands[word]
        path.append(word)
    assert not hasattr(found, "commands"), f"rule {rule} calls '{command}', which is no command"
    last = rule.rpartition("_")[2] if rule.startswith(("control_", "shard_", "export_")) else rule
    assert "_".join(path).replace("-", "_") in (rule, rule.partition("_")[0], last)


def test_every_rule_is_looked_at():
    assert len(rules()) >= 20
