"""Settings of ``diffsign compare``."""

from typing import Literal

from pydantic import Field

from diffsign.config.settings import Settings


class CompareSettings(Settings):
    """How runs are compared."""

    by: Literal["auto", "run", "signer"] = Field(
        default="auto",
        description="What is a method: a run (its signers are averaged clip by clip), or each signer of a run; auto "
        "takes runs, and the signers of a run that is alone.",
    )
    best: Literal["all", "run"] = Field(
        default="all",
        description="Among whom the best is sought and the others are tested against it: all methods, or those of the "
        "same run, where runs have other clips or frames.",
    )
    metrics: list[str] = Field(
        default=[
            "signing_all_source",
            "hands_recall_source",
            "hands_precision_source",
            "hands_pck_strict_source",
            "handshape_error_source",
            "hands_ndtw_source",
            "flicker",
            "ssim_successive",
            "fid",
            "directional_similarity",
            "reference_similarity",
        ],
        min_length=1,
        description="Metrics to compare, in the table's order (docs/metrics.md).",
    )
    title: str = Field(default="Comparison", min_length=1, max_length=200, description="Title of table and plot.")
