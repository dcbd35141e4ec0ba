"""Tables over all results, by pandas."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import pandas as pd

from diffsign.errors import DiffSignError
from diffsign.files import atomic
from diffsign.records.metric_definitions import DEFINITIONS
from diffsign.records.metrics import Metrics, load_metrics

#: Columns of the paper's table (DiffSign, section on results), and the released code's beside them.
PAPER = {
    "ssim_successive": "SSIM",
    "fid": "FID",
    "directional_similarity": "directional similarity",
    "ssim_first_frame": "SSIM (released)",
    "fid_released": "FID (released)",
}
LONG = "signer video kind family stand_in figure title value unit better frames network settings reason".split()
KINDS = ("image", "text", "multimodal", "unknown")


def load_all(paths: Iterable[str | Path]) -> list[Metrics]:
    """Read the metrics of all results, sorted by signer and video.

    Raises:
        DiffSignError: if there is none, one cannot be read, or two are of the same video and signer.
    """
    results: dict[tuple[str, str], tuple[Path, Metrics]] = {}
    for path in map(Path, paths):
        metrics = load_metrics(path)
        key = (metrics.signer, metrics.video)
        if key in results:
            raise DiffSignError(
                f"'{results[key][0]}' and '{path}' are both of the video '{metrics.video}' by the signer "
                f"'{metrics.signer}'; give each once (the names come from --video and --signer of `diffsign evaluate`)."
            )
        results[key] = (path, metrics)
    if not results:
        raise DiffSignError("no metrics were given; name the JSON files that `diffsign evaluate` wrote.")
    return [results[key][1] for key in sorted(results)]


def long_table(results: Sequence[Metrics]) -> pd.DataFrame:
    """One row for every figure of every result, with its network, the frames it rests on and its settings."""
    rows = []
    for metrics in results:
        for name, figure in metrics.figures.items():
            definition = DEFINITIONS.get(name)
            rows.append(
                {
                    "signer": metrics.signer,
                    "video": metrics.video,
                    "kind": metrics.kind,
                    "family": metrics.family,
                    "stand_in": metrics.stand_in,
                    "figure": name,
                    "title": definition.title if definition else name,
                    "value": figure.value,
                    "unit": definition.unit if definition else "",
                    "better": definition.better if definition else "",
                    "frames": figure.frames,
                    "network": figure.network or "",
                    "settings": "; ".join(f"{key}={value}" for key, value in figure.settings.items()),
                    "reason": figure.reason or "",
                }
            )
    return pd.DataFrame(rows, columns=pd.Index(LONG)).astype({"value": "float64"})


def clip_table(results: Sequence[Metrics]) -> pd.DataFrame:
    """One row for every result, one column for every figure, and the networks behind them."""
    rows = []
    for metrics in results:
        networks = {
            f"network_{short}": (metrics.figures[name].network or "") if name in metrics.figures else ""
            for short, name in {
                "keypoints": "hands_redetected_source",
                "fid": "fid",
                "clip": "directional_similarity",
            }.items()
        }
        about = metrics.model_dump(include={"signer", "video", "kind", "family", "stand_in", "frames"})
        head = {key: about[key] for key in ("signer", "video", "kind", "family", "stand_in", "frames")}
        rows.append(head | networks | {name: metrics.value(name) for name in DEFINITIONS})
    return pd.DataFrame(rows)


def signer_table(results: Sequence[Metrics]) -> pd.DataFrame:
    """Mean and standard deviation over the clips of each signer; figures of different networks stay apart."""
    table = long_table(results)
    keys = ["signer", "kind", "family", "figure", "title", "unit", "better", "network"]
    grouped = table.dropna(subset=["value"]).groupby(keys, sort=False)["value"]
    return grouped.agg(mean="mean", sd="std", clips="count").reset_index()


def paper_table(results: Sequence[Metrics]) -> pd.DataFrame:
    """The paper's table: figures by kind of prompt, one row for each pair of networks behind them."""
    table = clip_table(results)
    rows = []
    for kind in KINDS:
        chosen = table[table["kind"] == kind]
        pairs = sorted(set(zip(chosen["network_fid"], chosen["network_clip"], strict=True)))
        for fid, clip in pairs:
            group = chosen[(chosen["network_fid"] == fid) & (chosen["network_clip"] == clip)]
            row: dict[str, object] = {"prompt": kind, "clips": len(group), "FID network": fid, "CLIP network": clip}
            for name, title in PAPER.items():
                row[title] = group[name].astype(float).mean()
                row[f"{title} sd"] = group[name].astype(float).std()
            rows.append(row)
    return pd.DataFrame(rows)


def write_tables(folder: Path, results: Sequence[Metrics]) -> list[Path]:
    """Write ``clips.csv``, ``figures.csv``, ``signers.csv`` and ``paper.csv`` to ``folder``; return their paths."""
    tables = {
        "clips": clip_table(results),
        "figures": long_table(results),
        "signers": signer_table(results),
        "paper": paper_table(results),
    }
    written = []
    for name, table in tables.items():
        path = folder / f"{name}.csv"
        with atomic(path) as temporary:
            table.to_csv(temporary, index=False, float_format="%.6g", lineterminator="\n")
        written.append(path)
    return written
