"""Families of diffusion weights: finding, checking, loading, LoRA."""
