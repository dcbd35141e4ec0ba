"""Cameras, rotations and SMPL-X's joint tree."""
