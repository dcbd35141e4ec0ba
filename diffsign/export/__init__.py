"""Motions, keypoints and films for other tools."""
