"""The videos and pictures of a result: found under the folder of results and nowhere else, carried or linked."""

from __future__ import annotations

import base64
import logging
import os
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from diffsign.records.metrics import NO_FILM, Evaluation

log = logging.getLogger(__name__)

#: Captions of the source's clip: a film, and of a source that is none.
SOURCE, SKELETON = "Source", "Source: its skeleton"
#: Videos of a result under the folder of results, in the report's order: caption, path, place in the report.
VIDEOS = (
    (SOURCE, "videos/{video}/clip.mp4", "before"),
    ("Avatar over source", "videos/{video}/avatar/overlay.mp4", "before"),
    ("Pose", "videos/{video}/control/pose.mp4", "control"),
    ("Edges", "videos/{video}/control/canny.mp4", "control"),
    ("Depth", "videos/{video}/control/depth.mp4", "control"),
    ("Result", "signers/{signer}/{video}/clip.mp4", "result"),
)
#: The worst moments of a result, as one picture.
MOMENTS = "signers/{signer}/{video}/moments.jpg"


@dataclass(frozen=True)
class Video:
    """One video of the report.

    A file that the page carries already has no url but the number of the video that has it.

    Attributes:
        caption: what it shows.
        url: its bytes as a data URL, or a link relative to the page; None if the page has it already.
        place: ``before``, ``control`` or ``result``.
        number: of the video on the page; of the one that has the bytes if ``url`` is None.
        path: its file.
    """

    caption: str
    url: str | None
    place: str
    number: int
    path: Path


def inside(folder: Path, relative: str) -> Path | None:
    """Return a file of a folder, None if there is no such file or its path leads out of the folder."""
    path = folder / relative
    if not path.is_file() or not path.stat().st_size:
        return None
    if not path.resolve().is_relative_to(folder.resolve()):
        log.warning("'%s' lies outside the folder of results '%s' and is left out.", path, folder)
        return None
    return path


def link(path: Path, page: Path) -> str:
    """Return a link to a file relative to the page."""
    return quote(Path(os.path.relpath(path.resolve(), page.resolve().parent)).as_posix())


class Videos:
    """Finds the videos of results and puts them into a page until it weighs enough; a file is carried once.

    Args:
        folder: the folder of results.
        page: the page on which they stand.
        budget: bytes that the page carries; what is beyond is linked.
    """

    def __init__(self, folder: Path, page: Path, budget: float) -> None:
        self._folder, self._page, self._left = folder, page, budget
        self._carried: dict[Path, int] = {}
        self._count = 0
        self.linked = 0

    def _video(self, path: Path, caption: str, place: str) -> Video:
        if path in self._carried:
            return Video(caption, None, place, self._carried[path], path)
        self._count += 1
        size = path.stat().st_size * 4 / 3
        if size <= self._left:
            self._left -= size
            self._carried[path] = self._count
            url = "data:video/mp4;base64," + base64.b64encode(path.read_bytes()).decode("ascii")
        else:
            self.linked += 1
            url = link(path, self._page)
        return Video(caption, url, place, self._count, path)

    def of(self, result: Evaluation) -> list[Video]:
        """Return the videos of a result."""
        videos = []
        skeleton = any(metric.reason == NO_FILM for metric in result.metrics.values())
        for caption, template, place in VIDEOS:
            path = inside(self._folder, template.format(video=result.video, signer=result.signer))
            if path is not None:
                shown = SKELETON if skeleton and caption == SOURCE else caption
                videos.append(self._video(path, shown, place))
        return videos

    def moments(self, result: Evaluation) -> str | None:
        """Return the picture of a result's worst moments as a URL, None if there is none."""
        path = inside(self._folder, MOMENTS.format(video=result.video, signer=result.signer))
        if path is None:
            return None
        size = path.stat().st_size * 4 / 3
        if size > self._left:
            self.linked += 1
            return link(path, self._page)
        self._left -= size
        return "data:image/jpeg;base64," + base64.b64encode(path.read_bytes()).decode("ascii")
