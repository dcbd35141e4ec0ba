"""BLEU and chrF over all clips, as sacrebleu gives them for a corpus."""

import math

import pytest
import sacrebleu

from diffsign.records.metrics import Evaluation, Metric
from diffsign.report.corpus import CorpusTable
from diffsign.report.tables import SIGNERS

READ = ["the cat sat on a mat", "good morning everyone", "it rains"]
SIGNED = ["the black cat sat on the mat", "good morning to everyone", "tomorrow it will rain"]


def result(number: int, read: str | None) -> Evaluation:
    settings = {"read": read or "", "reference": SIGNED[number]}
    metric = Metric(reason="failed") if read is None else Metric(value=1.0, frames=9, network="toy", settings=settings)
    names = {"video": f"v{number}", "signer": "s", "kind": "text", "family": "demo"}
    return Evaluation(**names, frames=9, fps=24, width=64, height=64, metrics={"back_bleu": metric})  # type: ignore[arg-type]


def test_a_corpus_is_scored_as_sacrebleu_does() -> None:
    table = CorpusTable()
    for number, read in enumerate(READ):
        table.add(result(number, read))
    rows = {row["metric"]: row for row in table.rows()}
    assert set(rows) == {"corpus_bleu", "corpus_chrf"} and all(set(row) == set(SIGNERS) for row in rows.values())
    assert rows["corpus_bleu"]["mean"] == pytest.approx(sacrebleu.corpus_bleu(READ, [SIGNED]).score)
    assert rows["corpus_chrf"]["mean"] == pytest.approx(sacrebleu.corpus_chrf(READ, [SIGNED]).score)
    assert rows["corpus_bleu"]["clips"] == 3 and math.isnan(rows["corpus_bleu"]["sd"])
    assert rows["corpus_chrf"]["network"] == "toy"


def test_clips_without_a_reading_do_not_count() -> None:
    table = CorpusTable()
    table.add(result(0, None))
    assert list(table.rows()) == []
    table.add(result(1, READ[1]))
    assert next(table.rows())["clips"] == 1
