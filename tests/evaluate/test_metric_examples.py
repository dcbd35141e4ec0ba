"""The examples in the docstrings of metrics, tables and statistics."""

import doctest
import importlib

import pytest

MODULES = [
    "diffsign.evaluate.distribution",
    "diffsign.evaluate.dynamic_time_warping",
    "diffsign.evaluate.legibility",
    "diffsign.evaluate.seconds",
    "diffsign.evaluate.ssim",
    "diffsign.records.metric_definitions",
    "diffsign.records.metrics",
    "diffsign.report.agreement",
    "diffsign.report.page",
    "diffsign.report.statistics",
    "diffsign.report.tables",
]


@pytest.mark.parametrize("name", MODULES)
def test_examples_run(name: str) -> None:
    result = doctest.testmod(importlib.import_module(name))
    assert result.attempted and not result.failed
