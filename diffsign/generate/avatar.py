"""The fitted avatar: where the signer's surface and points are in every frame."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from diffsign.body.model import Body, load_body
from diffsign.errors import DiffSignError
from diffsign.geometry.camera import Camera
from diffsign.records.clip import ClipInfo
from diffsign.records.motion import Motion, load_motion


@dataclass(frozen=True)
class Avatar:
    """A body in motion."""

    motion: Motion
    body: Body

    @property
    def faces(self) -> np.ndarray:
        """(F, 3) triangles."""
        return self.body.faces

    @property
    def camera(self) -> Camera:
        """The clip's camera."""
        return self.motion.camera

    def vertices(self, frame: int) -> np.ndarray:
        """Return (V, 3) float32 metres in the world."""
        return self.body.vertices(self.motion.rows([frame]))[0]

    def keypoints(self) -> np.ndarray:
        """Return the 137 points of every frame in pixels of the clip: (T, 137, 2), NaN behind the camera."""
        return self.camera.project(self.body.keypoints(self.motion))


def load_avatar(motion: str | Path, body: str | Path, clip: ClipInfo) -> Avatar:
    """Read a motion and its body, and see that they belong to each other and to a clip.

    Raises:
        DiffSignError: if they do not, or a file is missing or of another kind.
    """
    loaded, model = load_motion(motion), load_body(body)
    loaded.require_body(model.sha256)
    if len(loaded) != clip.frames:
        raise DiffSignError(
            f"motion '{motion}' has {len(loaded)} frames, the control clips have {clip.frames}; "
            "give the motion that they were made from."
        )
    camera = loaded.camera
    if camera.width * clip.height != camera.height * clip.width:
        raise DiffSignError(
            f"motion '{motion}' was filmed at {camera.width}×{camera.height}, the control clips are "
            f"{clip.width}×{clip.height}, of another shape; give the motion that they were made from."
        )
    return Avatar(loaded, model)
