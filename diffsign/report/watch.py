"""What the page of a comparison lets one watch: any two results of a clip, of one run or of two."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path

from diffsign.report.methods import Run
from diffsign.report.results import find_results
from diffsign.report.sections import ESCAPED, index_row
from diffsign.report.videos import Videos


def watched(runs: Sequence[Run], page: Path) -> Iterator[str]:
    """Yield every result of the runs as a piece of a JSON list: what the player needs of it."""
    comma = ""
    for run in runs:
        if run.folder is None:
            continue
        videos = Videos(run.folder, page, 0)
        for result in find_results(run.paths).without_series(f"finding the videos of {run.name}"):
            row = index_row(result, "", videos.of(result), page, carried=False)
            name = f"{run.name}, {result.signer}" if len(runs) > 1 else result.signer
            kept = {key: row[key] for key in ("signer", "video", "fps", "frames", "videos", "breaks")}
            told = kept | {"run": run.name, "name": name}
            yield comma + json.dumps(told, ensure_ascii=False, allow_nan=False).translate(ESCAPED)
            comma = ",\n"
