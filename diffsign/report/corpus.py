"""BLEU and chrF over all clips of a signer: scores of a corpus, which are no means of scores of sentences."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from diffsign.records.metric_definitions import TRANSLATION
from diffsign.records.metrics import Evaluation


class CorpusTable:
    """What a translator read in the clips of each signer, and in their sources, beside what is signed."""

    def __init__(self) -> None:
        self._texts: dict[tuple[str, ...], list[tuple[str, str]]] = {}

    def add(self, result: Evaluation) -> None:
        """Take in one result; one without a reading adds nothing."""
        for name in ("back_bleu", "back_bleu_source"):
            metric = result.metrics.get(name)
            if metric is not None and {"read", "reference"} <= metric.settings.keys():
                key = (result.signer, result.kind, result.family, name, metric.network or "")
                pair = (str(metric.settings["read"]), str(metric.settings["reference"]))
                self._texts.setdefault(key, []).append(pair)

    def rows(self) -> Iterator[dict[str, Any]]:
        """Yield two rows, BLEU and chrF, for each signer and translator, of the results and of the sources."""
        if not self._texts:
            return
        from sacrebleu.metrics.bleu import BLEU
        from sacrebleu.metrics.chrf import CHRF

        for (signer, kind, family, name, network), pairs in self._texts.items():
            read, references = map(list, zip(*pairs, strict=True))
            for metric, scorer in ((name, BLEU()), (name.replace("bleu", "chrf"), CHRF())):
                definition = TRANSLATION[metric]
                yield {
                    "signer": signer,
                    "kind": kind,
                    "family": family,
                    "metric": metric.replace("back_", "corpus_"),
                    "title": f"{definition.title}, all clips as one",
                    "unit": definition.unit,
                    "better": definition.better,
                    "network": network,
                    "mean": float(scorer.corpus_score(read, [references]).score),
                    "sd": float("nan"),
                    "clips": len(pairs),
                }
