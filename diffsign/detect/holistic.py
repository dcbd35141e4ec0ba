"""MediaPipe Holistic over a clip."""

from __future__ import annotations

import logging
from collections.abc import Callable, Container, Iterable
from pathlib import Path
from typing import Any

import numpy as np

from diffsign.config.detect import DetectSettings
from diffsign.detect.hand_network import HandNetwork
from diffsign.detect.hands import SHOULDERS, HandTracker
from diffsign.detect.landmarks import HEAD, inside, to_openpose
from diffsign.detect.second_look import Detection, look_again
from diffsign.errors import DiffSignError
from diffsign.progress import track
from diffsign.records.clip import ClipInfo
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
        self.network = HandNetwork()
        self._hands = HandTracker(self.network)
        self._faces = mediapipe.solutions.face_detection.FaceDetection(  # type: ignore[attr-defined]
            model_selection=1, min_detection_confidence=0.6
        )
        self._frame, self._anew = 0, False
        self.looks, self.crowds = 0, 0

    def __call__(self, image: np.ndarray) -> tuple[Detection, np.ndarray, np.ndarray]:
        """Return what is found in a picture, its points (137, 3) in pixels and their 3D (137, 4), without the hands."""
        height, width = image.shape[:2]
        image = np.ascontiguousarray(image)
        if self._anew:
            # On a black picture the networks lose what they track. Starting them again costs 12 MB every time.
            self._holistic.process(np.zeros_like(image))
        result = self._holistic.process(image)
        body = _pixels(result.pose_landmarks, width, height, visibility=True)
        points = to_openpose(body, _pixels(result.face_landmarks, width, height), width, height)
        world = np.zeros((COUNT, 4))
        detection = Detection(body, [(None, 0.0), (None, 0.0)], starts=self._anew)
        if body is not None:
            metric = [(p.x, p.y, p.z, p.visibility) for p in result.pose_world_landmarks.landmark]
            world[BODY] = to_body25(np.array(metric))
            world[BODY, 3] = points[BODY, 2]
            hands = (
                _pixels(landmarks, width, height)
                for landmarks in (result.left_hand_landmarks, result.right_hand_landmarks)
            )
            left, right = (None if hand is None else hand[:, :2] for hand in hands)
            detection.hands[:] = self._hands.update(image, body, (left, right))
        if self._frame % CROWD_EVERY == 0:
            self._count_people(image, body)
        self._frame += 1
        self._anew = False
        return detection, points, world

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
        self._anew = self._frame > 0
        self._hands = HandTracker(self.network)

    def close(self) -> None:
        """Free the networks."""
        self._holistic.close()
        self.network.close()
        self._faces.close()


def add_hands(detection: Detection, points: np.ndarray, world: np.ndarray, width: int, height: int) -> None:
    """Write a picture's hands into its points (137, 3) and 3D (137, 4); joints outside the picture are missing."""
    for part, (hand, confidence) in zip((LEFT_HAND, RIGHT_HAND), detection.hands, strict=True):
        if hand is not None:
            confidences = confidence * inside(hand.xy, width, height)
            points[part] = np.column_stack([hand.xy, confidences])
            world[part] = np.column_stack([hand.world, confidences])


def detect_pictures(
    clip: Callable[[], Iterable[np.ndarray]],
    info: ClipInfo,
    settings: DetectSettings,
    name: str,
    cuts: Container[int] = (),
) -> tuple[np.ndarray, np.ndarray]:
    """Return points (T, 137, 3) and 3D (T, 137, 4) of a clip, float32; warn, by ``name``, of a second person.

    Args:
        clip: starts reading the clip's pictures; asked twice, the second time for hands that were lost.
        info: size, rate and length of the clip.
        settings: size of the networks and their thresholds.
        name: what a warning calls the clip.
        cuts: frames at which the signer is looked for anew, since what was tracked belongs to another shot.
    """
    detector = HolisticDetector(settings)
    detections, points, worlds = [], [], []
    try:
        for number, image in enumerate(track(clip(), "detect", info.frames)):
            if number in cuts:
                detector.forget()
            detection, flat, world = detector(image)
            detections.append(detection)
            points.append(flat.astype(np.float32))
            worlds.append(world.astype(np.float32))
        found = look_again(clip(), detections, info.fps, detector.network)
    finally:
        detector.close()
    log.debug("%d lost hands were found by a second look.", found)
    if detector.crowds > 0.25 * detector.looks:
        log.warning(
            "'%s' seems to show more than one person; the one that MediaPipe found first is followed. "
            "Crop the video to the signer if that is someone else.",
            name,
        )
    for detection, flat, world in zip(detections, points, worlds, strict=True):
        add_hands(detection, flat, world, info.width, info.height)
    return np.array(points).reshape(-1, COUNT, 3), np.array(worlds).reshape(-1, COUNT, 4)
