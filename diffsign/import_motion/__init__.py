"""SMPL-X parameters of other tools as motions: formats, axes, retargeting onto our body, and a camera."""
