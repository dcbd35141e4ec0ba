"""Evaluation: how steady, how like, and above all how legible a result is."""

from diffsign.evaluate.stage import Inputs, evaluate

__all__ = ["Inputs", "evaluate"]
