"""Settings of ``diffsign report``."""

from pydantic import Field

from diffsign.config.settings import Settings


class ReportSettings(Settings):
    """How the report is made."""

    title: str = Field(default="DiffSign", min_length=1, max_length=200, description="Title of the report.")
    single_page: int = Field(
        default=12,
        ge=0,
        description="Results up to which the report is one page that carries its videos; with more, each result has a "
        "page of its own in a folder beside the report.",
    )
    embed_mb: float = Field(
        default=60.0,
        ge=0,
        description="Megabytes of video that a single page carries inside; what is beyond is linked.",
    )
