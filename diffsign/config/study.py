"""Settings of ``diffsign study make``."""

from pydantic import Field

from diffsign.config.settings import Settings


class StudySettings(Settings):
    """How a comprehension study is put together."""

    title: str = Field(default="Study", min_length=1, max_length=200, description="Title of the page.")
    introduction: str = Field(
        default="You will see short videos of signing. Watch each as often as you like, then answer the questions "
        "below it. You can stop at any time; nothing leaves this computer until you send the file of answers yourself.",
        description="What the viewer reads first.",
    )
    introduction_video: str | None = Field(default=None, description="The same signed: a video file.")
    one_method_per_item: bool = Field(
        default=True,
        description="Each viewer sees an item by one method only, balanced over viewers; else by all of them.",
    )
    seed: int = Field(default=0, ge=0, description="Seed of the codes that stand for clips and methods on the page.")
