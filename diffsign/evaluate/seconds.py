"""Second by second: which parameters of the signing hold, and which break."""

from __future__ import annotations

import itertools
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from diffsign.evaluate import sign_errors
from diffsign.evaluate.parameters import delay, peak_speed_ratio
from diffsign.evaluate.sign_errors import SIDES, Seen, look
from diffsign.records.keypoints import Keypoints
from diffsign.records.metric_definitions import SIGN_PARAMETERS
from diffsign.records.metrics import Break

#: Largest error that still counts as the same, by parameter, in its unit; docs/metrics.md says where they come from.
TOLERANCES = {
    "presence": 0.25,
    "handshape": 20.0,
    "orientation": 35.0,
    "location": 0.6,
    "movement": 0.5,
    "contact": 0.5,
    "mouth": 0.08,
    "brows": 0.06,
    "head": 0.08,
}
#: A hand that is slower than this in the mean, in palms a second, is at rest: there is no movement to compare.
AT_REST = 2.5
#: Peaks of speed below this, in palms a second, are no strokes: about 0.4 m/s.
STROKE = 4.5
#: Fewest frames of a second that must show a parameter for it to be judged.
FEWEST = 3


@dataclass(frozen=True)
class Judgement:
    """Which parameters hold in which second.

    Attributes:
        seconds: first frame and one past the last of each.
        holds: by parameter, (S,) 1 where it holds, 0 where it breaks, NaN where it cannot be judged.
        breaks: every second and parameter that breaks.
    """

    seconds: list[tuple[int, int]]
    holds: dict[str, np.ndarray]
    breaks: list[Break]

    def all_hold(self) -> np.ndarray:
        """(S,) 1 where every parameter that can be judged holds, 0 where one breaks, NaN where none can be judged."""
        stacked = np.stack(list(self.holds.values()))
        judged = np.isfinite(stacked).any(0)
        return np.where(judged, (np.where(np.isfinite(stacked), stacked, 1.0) > 0).all(0).astype(float), np.nan)


def seconds_of(frames: int, fps: float) -> list[tuple[int, int]]:
    """Return the seconds of a clip as frames (first, one past last); a rest of less than half a second joins the last.

    >>> seconds_of(60, 24)
    [(0, 24), (24, 48), (48, 60)]
    """
    count = max(1, int(np.floor(frames / fps + 0.5)))
    edges = [min(frames, round(second * fps)) for second in range(count)] + [frames]
    return [(start, end) for start, end in itertools.pairwise(edges) if end > start]


@dataclass(frozen=True)
class _Finding:
    """The error of one second: its value, the frame that is worst, and words for it."""

    value: float
    worst: int
    what: str


def _median(errors: np.ndarray, start: int, end: int, what: str) -> _Finding | None:
    part = errors[start:end]
    shown = np.isfinite(part)
    if shown.sum() < min(FEWEST, end - start):
        return None
    value = float(np.median(part[shown]))
    return _Finding(value, start + int(np.nanargmax(part)), what.format(value))


def _presence(reference: np.ndarray, result: np.ndarray, name: str, start: int, end: int) -> _Finding | None:
    before, after = reference[start:end], result[start:end]
    if not before.any() and not after.any():
        return None
    lost, invented = before & ~after, after & ~before
    wrong, word = (lost, "lost") if lost.sum() >= invented.sum() else (invented, "invented")
    count = int(wrong.sum())
    frames = np.flatnonzero(wrong)
    worst = start + int(frames[len(frames) // 2]) if count else start
    return _Finding(count / (end - start), worst, f"{name} {word} in {count} of {end - start} frames")


def _movement(
    velocities: tuple[np.ndarray, np.ndarray], name: str, fps: float, start: int, end: int
) -> _Finding | None:
    first, second = (velocity[start:end] for velocity in velocities)
    both = np.isfinite(first).all(1) & np.isfinite(second).all(1)
    if both.sum() < min(2 * FEWEST, end - start):
        return None
    first, second = first[both], second[both]
    speeds = [float(np.linalg.norm(velocity, axis=1).mean() * fps) for velocity in (first, second)]
    if max(speeds) < AT_REST:
        return None
    size = np.linalg.norm(first) * np.linalg.norm(second)
    alike = float((first * second).sum() / size) if size > 0 else 0.0
    frames = start + np.flatnonzero(both)
    worst = int(frames[np.linalg.norm(first - second, axis=1).argmax()])
    what = f"{name} moves at {speeds[1]:.1f} palms a second instead of {speeds[0]:.1f}, correlation {alike:.2f}"
    return _Finding(1 - alike, worst, what)


Look = Callable[[int, int], _Finding | None]


def _looks(reference: Seen, result: Seen, fps: float, min_confidence: float) -> Iterator[tuple[str, Look]]:
    """Yield every way of looking at a second, with the parameter that it judges."""

    def median(errors: np.ndarray, what: str) -> Look:
        return lambda start, end: _median(errors, start, end, what)

    for side in SIDES:
        name = f"{side} hand"
        shown = reference.hands[side], result.hands[side]
        yield "presence", lambda start, end, shown=shown, name=name: _presence(*shown, name, start, end)
        shapes = sign_errors.shapes(reference, result, side, min_confidence)
        yield "handshape", median(shapes, name + " {:.0f}° off in each finger joint")
        yield "orientation", median(sign_errors.orientations(reference, result, side), name + " turned by {:.0f}°")
        yield "location", median(sign_errors.locations(reference, result, side), name + " {:.1f} palms away")
        moves = sign_errors.movements(reference, result, side)
        yield "movement", lambda start, end, moves=moves, name=name: _movement(moves, name, fps, start, end)
        touches = sign_errors.contacts(reference, result, side)
        yield "contact", lambda start, end, t=touches, n=name: _contact(t, n, start, end)
    shown = reference.face, result.face
    yield "presence", lambda start, end, shown=shown: _presence(*shown, "face", start, end)
    yield "mouth", median(sign_errors.mouths(reference, result), "opening {:.2f} eye distances off")
    yield "brows", median(sign_errors.brows(reference, result), "{:.2f} eye distances off")
    yield "head", median(sign_errors.heads(reference, result), "{:.2f} eye distances off")


def _contact(touches: np.ndarray, name: str, start: int, end: int) -> _Finding | None:
    part = touches[start:end]
    count = int(np.isfinite(part).sum())
    if count < FEWEST:
        return None
    broken = int(np.nansum(part))
    worst = start + int(np.nanargmax(part))
    return _Finding(broken / count, worst, f"{name} keeps {count - broken} of {count} touching frames")


def late_by(reference: Seen, result: Seen, fps: float) -> int:
    """Return by how many whole frames the hands of a result come late; 0 where they do not agree on it."""
    delays = np.array([delay(result.place(side), reference.place(side), fps) for side in SIDES])
    delays = delays[np.isfinite(delays)]
    return round(float(delays.mean())) if len(delays) and np.ptp(delays) < 1.5 else 0


def _shifted(keypoints: Keypoints, frames: int) -> Keypoints:
    """Return keypoints so many frames earlier; the first or last frame is held."""
    order = np.clip(np.arange(len(keypoints)) + frames, 0, len(keypoints) - 1)
    world = None if keypoints.world is None else keypoints.world[order]
    return keypoints.with_points(keypoints.points[order], world=world)


def judge(
    reference: Keypoints, result: Keypoints, against: str, min_confidence: float = 0.0, tolerance: float = 1.0
) -> Judgement:
    """Judge every second of a result by every parameter of a sign.

    A result that is late as a whole is first brought back in time: that is one error, which :func:`timing` measures,
    and not one in every parameter.

    Args:
        reference: what should be seen.
        result: what is seen, as many frames in the same pixels.
        against: name of the reference, for the breaks.
        min_confidence: a point counts as found above it.
        tolerance: factor on :data:`TOLERANCES`.
    """
    spans = seconds_of(len(result), result.fps)
    holds = {name: np.full(len(spans), np.nan) for name in SIGN_PARAMETERS}
    breaks = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # means and medians over nothing are NaN, and mean it
        wanted, shown = look(reference, min_confidence), look(result, min_confidence)
        late = late_by(wanted, shown, result.fps)
        shown = look(_shifted(result, late), min_confidence) if late else shown
        looks = list(_looks(wanted, shown, result.fps, min_confidence))
        for number, (start, end) in enumerate(spans):
            for name in SIGN_PARAMETERS:
                findings = [finding for key, see in looks if key == name and (finding := see(start, end))]
                if not findings:
                    continue
                worst = max(findings, key=lambda finding: finding.value)
                holds[name][number] = float(worst.value <= tolerance * TOLERANCES[name])
                if not holds[name][number]:
                    breaks.append(
                        Break(parameter=name, against=against, start=start, end=end, worst=worst.worst, what=worst.what)  # type: ignore[arg-type]
                    )
    return Judgement(spans, holds, breaks)


def timing(reference: Keypoints, result: Keypoints, min_confidence: float = 0.0) -> dict[str, tuple[float, int]]:
    """Return the delay in milliseconds and the share of peak speed that is kept, with how many hands each rests on."""
    fps = result.fps
    first, second = look(reference, min_confidence), look(result, min_confidence)
    tracks = [(second.place(side), first.place(side)) for side in SIDES]
    delays = np.array([1000 / fps * delay(*pair, fps) for pair in tracks])
    speeds = np.array([peak_speed_ratio(*pair, fps, STROKE) for pair in tracks])

    def mean(values: np.ndarray) -> tuple[float, int]:
        defined = values[np.isfinite(values)]
        return (float(defined.mean()) if len(defined) else float("nan")), len(defined)

    return {"delay": mean(delays), "peak_speed": mean(speeds)}
