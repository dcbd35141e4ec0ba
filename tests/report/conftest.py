from pathlib import Path

import pytest
from made_up_results import make_metrics, write_videos

from diffsign.records.metrics import save_metrics


@pytest.fixture
def run(tmp_path: Path) -> tuple[Path, list[Path]]:
    """A folder of results with videos, and the paths of its metrics."""
    folder = tmp_path / "my results"
    paths = []
    for signer, video, shift in (("anna", "hello", 0.0), ("anna", "bye", 0.2), ("ben", "hello", -0.3)):
        metrics = make_metrics(signer, video, shift, kind="text" if signer == "anna" else "image")
        path = folder / "signers" / signer / video / "metrics.json"
        save_metrics(path, metrics)
        write_videos(folder, metrics)
        paths.append(path)
    return folder, paths
