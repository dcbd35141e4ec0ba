"""What a metric is: the words that tables, plots, the report and the docs say of it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

Direction = Literal["higher", "lower", ""]
Group = Literal["signing", "legibility", "steadiness", "likeness", "anonymity", "earlier"]


@dataclass(frozen=True)
class MetricDefinition:
    """What a metric is.

    Attributes:
        title: short name for tables and plots.
        unit: unit, empty for scores; "share" is a part of 1 and shown in per cent.
        better: which way is better; "" where neither is.
        meaning: a sentence for the reader of the report.
        source: paper or standard that defines it.
        group: chapter of the report that it belongs to.
    """

    title: str
    unit: str
    better: Direction
    meaning: str
    source: str
    group: Group


def filled(template: MetricDefinition, **words: str) -> MetricDefinition:
    """Return a definition with the words in place of their names in braces."""
    title, meaning = template.title.format(**words), template.meaning.format(**words)
    return replace(
        template, title=title[:1].upper() + title[1:], meaning=meaning, source=template.source.format(**words)
    )
