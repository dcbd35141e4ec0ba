"""A fitted motion filtered in time, on rotations; frames that cannot be trusted are flagged and bridged."""

from diffsign.smooth.motion import SmoothReport, smooth_motion

__all__ = ["SmoothReport", "smooth_motion"]
