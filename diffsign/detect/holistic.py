"""MediaPipe Holistic over a clip."""

from __future__ import annotations

import logging
from collections.abc import Container, Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from diffsign.config.detect import DetectSettings
from diffsign.detect.hands import SHOULDERS, HandNetwork, HandTracker
from diffsign.detect.landmarks import HEAD, inside, to_openpose
from diffsign.errors import DiffSignError
from diffsign.records.keypoints import BODY, COUNT, LEFT_HAND, RIGHT_HAND
from diffsign.records.landmarks import to_body25

log = logging.getLogger(__name__)

#: File of each size of the body network; MediaPipe's wheel carries the middle one.
BODY_NETWORKS = ("pose_landmark_lite.tflite", "pose_landmark_full.tflite", "pose_landmark_heavy.tflite")

#: Every so many frames it is counted how many faces there are.
CROWD_EVERY = 12
#: Another face this many shoulder widths away from the signer's is another person's.
CROWD_DISTANCE = 0.7


def require_network(complexity: int) -> None:
    """Raise a clear error if MediaPipe would have to download the body network that is asked for."""
    import mediapipe

    path = Path(mediapipe.__file__).parent / "modules" / "pose_landmark" / BODY_NETWORKS[complexity]
    if not path.is_file():
        raise DiffSignError(
            f"model_complexity {complexity} needs '{path.name}', which MediaPipe does not bring along; download it "
            f"from MediaPipe's model storage to '{path.parent}', or use model_complexity 1."
        )


def _pixels(landmarks: Any, width: int, height: int, visibility: bool = False) -> np.ndarray | None:
    """Return (N, 3) x and y in pixels and depth in pixels, and the visibility as a fourth column on request."""
    if landmarks is None:
        return None
    rows = [
        (p.x * width, p.y * height, p.z * width, *((p.visibility,) if visibility else ())) for p in landmarks.landmark
    ]
    return np.array(rows)


class HolisticDetector:
    """MediaPipe Holistic with a second look at the hands; call it with the pictures of one clip in order."""

    def __init__(self, settings: DetectSettings) -> None:
        require_network(settings.model_complexity)
        import mediapipe

        self._holistic = mediapipe.solutions.holistic.Holistic(  # type: ignore[attr-defined]
            static_image_mode=False,
            model_complexity=settings.model_complexity,
            # Smoothing here only looks back and lags behind; `diffsign clean` looks both ways.
            smooth_landmarks=False,
            refine_face_landmarks=True,
            min_detection_confidence=settings.min_detection_confidence,
            min_tracking_confidence=settings.min_tracking_confidence,
        )
        self._network = HandNetwork()
        self._hands = HandTracker(self._network)
        self._faces = mediapipe.solutions.face_detection.FaceDetection(  # type: ignore[attr-defined]
            model_selection=1, min_detection_confidence=0.6
        )
        self._frame = 0
        self.looks, self.crowds = 0, 0

    def __call__(self, image: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the points (137, 3) in pixels and their 3D (137, 4) in metres, each with confidence."""
        height, width = image.shape[:2]
        image = np.ascontiguousarray(image)
        result = self._holistic.process(image)
        body = _pixels(result.pose_landmarks, width, height, visibility=True)
        points = to_openpose(body, _pixels(result.face_landmarks, width, height), width, height)
        world = np.zeros((COUNT, 4))
        if body is not None:
            metric = [(p.x, p.y, p.z, p.visibility) for p in result.pose_world_landmarks.landmark]
            world[BODY] = to_body25(np.array(metric))
            world[BODY, 3] = points[BODY, 2]
            self._look_at_hands(image, body, result, points, world)
        if self._frame % CROWD_EVERY == 0:
            self._count_people(image, body)
        self._frame += 1
        return points, world

    def _look_at_hands(
        self, image: np.ndarray, body: np.ndarray, result: Any, points: np.ndarray, world: np.ndarray
    ) -> None:
        height, width = image.shape[:2]
        left, right = (
            _pixels(landmarks, width, height) for landmarks in (result.left_hand_landmarks, result.right_hand_landmarks)
        )
        hands = self._hands.update(
            image, body, (None if left is None else left[:, :2], None if right is None else right[:, :2])
        )
        for part, (hand, confidence) in zip((LEFT_HAND, RIGHT_HAND), hands, strict=True):
            if hand is not None:
                confidences = confidence * inside(hand.xy, width, height)
                points[part] = np.column_stack([hand.xy, confidences])
                world[part] = np.column_stack([hand.world, confidences])

    def _count_people(self, image: np.ndarray, body: np.ndarray | None) -> None:
        """Count pictures that show a face away from the signer's head."""
        detections = self._faces.process(image).detections or []
        self.looks += 1
        if body is None:
            self.crowds += len(detections) > 1
            return
        size = np.array(image.shape[1::-1])
        head, shoulders = body[HEAD, :2].mean(axis=0), np.linalg.norm(body[SHOULDERS[0], :2] - body[SHOULDERS[1], :2])
        boxes = [detection.location_data.relative_bounding_box for detection in detections]
        centres = [size * (box.xmin + box.width / 2, box.ymin + box.height / 2) for box in boxes]
        self.crowds += any(np.linalg.norm(centre - head) > CROWD_DISTANCE * shoulders for centre in centres)

    def forget(self) -> None:
        """Look for the signer anew in the next picture."""
        self._holistic.reset()
        self._hands = HandTracker(self._network)

    def close(self) -> None:
        """Free the networks."""
        self._holistic.close()
        self._network.close()
        self._faces.close()


def detect_frames(
    frames: Iterable[np.ndarray], settings: DetectSettings, name: str, cuts: Container[int] = ()
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield points (137, 3) and world (137, 4) of each picture of a clip; warn, by ``name``, of a second person.

    At the frames ``cuts`` the signer is looked for anew, since what was tracked belongs to another shot.
    """
    detector = HolisticDetector(settings)
    try:
        for number, frame in enumerate(frames):
            if number in cuts:
                detector.forget()
            yield detector(frame)
    finally:
        detector.close()
    if detector.crowds > 0.25 * detector.looks:
        log.warning(
            "'%s' seems to show more than one person; the one that MediaPipe found first is followed. "
            "Crop the video to the signer if that is someone else.",
            name,
        )
