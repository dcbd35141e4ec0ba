"""Bring a video of any kind to a clip: constant frame rate and size, upright, square pixels, lossless."""

from diffsign.ingest.convert import ingest_video
from diffsign.ingest.source import Source, probe_source
from diffsign.ingest.window import Crop, Trim, fit_inside, parse_crop, parse_time

__all__ = ["Crop", "Source", "Trim", "fit_inside", "ingest_video", "parse_crop", "parse_time", "probe_source"]
