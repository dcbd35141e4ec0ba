"""Small runs of the workflow, in folders of their own."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]


def jobs(said: str) -> dict[str, int]:
    """Return the counts of Snakemake's table of jobs."""
    return {name: int(count) for name, count in re.findall(r"^(\w+) +(\d+)$", said, flags=re.M)}


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

    def snakemake(
        self, *arguments: str, cores: int | None = 2, environment: dict[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run Snakemake in the folder; its status and both streams as ``stdout`` come back."""
        command = [sys.executable, "-m", "snakemake", "--snakefile", str(ROOT / "Snakefile")]
        command += [] if cores is None else ["--cores", str(cores)]
        return subprocess.run(
            [*command, *arguments],
            cwd=self.folder,
            env=os.environ | {"COLUMNS": "500"} | (environment or {}),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )

    def planned(self, *arguments: str, environment: dict[str, str] | None = None) -> dict[str, int]:
        """Return the jobs that a dry run would do."""
        said = self.snakemake("--dry-run", *arguments, environment=environment)
        assert said.returncode == 0, said.stdout
        return jobs(said.stdout)


@pytest.fixture(scope="session")
def root() -> Path:
    """The repository."""
    return ROOT


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path)
