"""DiffSign: a video of a person signing in, the same signing by a synthetic signer out."""

__version__ = "0.1.0"
