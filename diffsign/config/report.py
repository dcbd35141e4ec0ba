"""Settings of ``diffsign report``."""

from pydantic import Field

from diffsign.config.settings import Settings


class ReportSettings(Settings):
    """How the page is made."""

    title: str = Field("DiffSign", min_length=1, max_length=200, description="Title of the page.")
    embed_mb: float = Field(
        60.0, ge=0, description="Megabytes of video that the page carries inside; what is beyond is linked."
    )
