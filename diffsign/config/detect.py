"""Settings of ``diffsign detect``."""

from typing import Literal

from pydantic import Field

from diffsign.config.settings import Settings


class DetectSettings(Settings):
    """Which detector finds the keypoints, and how sure it must be."""

    detector: Literal["mediapipe", "openpose"] = Field(
        default="mediapipe", description="mediapipe runs MediaPipe Holistic; openpose reads a folder of OpenPose JSON."
    )
    model_complexity: Literal[0, 1, 2] = Field(default=1, description="Size of MediaPipe's body network.")
    min_detection_confidence: float = Field(
        default=0.5, ge=0, le=1, description="Below this MediaPipe looks for the person anew."
    )
    min_tracking_confidence: float = Field(
        default=0.5, ge=0, le=1, description="Below this MediaPipe gives up a track."
    )
    require_person: bool = Field(
        default=True,
        description="Stop when nobody is found at all; on a generated clip that is a finding, not a mistake.",
    )
