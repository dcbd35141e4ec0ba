"""Small runs of the workflow, in folders of their own."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]


@dataclass
class Project:
    """A folder with a config and sheets, as a user would have it."""

    folder: Path

    def write(self, *, videos: str, signers: str, **config: object) -> None:
        """Write the sheets and the config that names them."""
        (self.folder / "config").mkdir(exist_ok=True)
        (self.folder / "config/videos.tsv").write_text(videos)
        (self.folder / "config/signers.tsv").write_text(signers)
        (self.folder / "config/config.yaml").write_text(yaml.safe_dump(config))

    def snakemake(self, *arguments: str, cores: int = 2) -> subprocess.CompletedProcess[str]:
        """Run Snakemake in the folder; its output and status come back."""
        command = [sys.executable, "-m", "snakemake", "--snakefile", str(ROOT / "Snakefile"), "--cores", str(cores)]
        environment = os.environ | {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}", "COLUMNS": "500"}
        return subprocess.run(
            [*command, *arguments], cwd=self.folder, env=environment, capture_output=True, text=True, check=False
        )


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path)
