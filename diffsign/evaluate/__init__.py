"""Evaluation: how steady, how like, and above all how legible a result is."""
