"""Bring a video of any kind to a clip: constant frame rate and size, upright, square pixels, lossless."""
