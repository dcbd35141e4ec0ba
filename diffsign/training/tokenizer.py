"""A byte-pair tokenizer in CLIP's format whose merges make a whole token of every word that captions use."""

from __future__ import annotations

import itertools
from collections import Counter

from tokenizers.pre_tokenizers import ByteLevel
from transformers import CLIPTokenizer

START, END = "<|startoftext|>", "<|endoftext|>"


def _alphabet() -> list[str]:
    return sorted(ByteLevel.alphabet())


def learn_merges(words: list[str]) -> list[tuple[str, str]]:
    """Merge the most frequent neighbouring pair until every word is one token (Sennrich et al. 2016).

    Ties go to the pair that sorts first, so the same words give the same merges.
    """
    pieces = [[*word[:-1], f"{word[-1]}</w>"] for word in words]
    merges = []
    while True:
        pairs = Counter(pair for piece in pieces for pair in itertools.pairwise(piece))
        if not pairs:
            return merges
        best = min(pairs, key=lambda pair: (-pairs[pair], pair))
        merges.append(best)
        for piece in pieces:
            at = 0
            while at < len(piece) - 1:
                if (piece[at], piece[at + 1]) == best:
                    piece[at : at + 2] = [best[0] + best[1]]
                at += 1


def build_tokenizer(words: list[str], length: int) -> CLIPTokenizer:
    """Return a CLIP tokenizer for ``words``; any other text falls apart into known pieces, at worst bytes.

    Args:
        words: lower-case ASCII words.
        length: tokens a text is padded or cut to.
    """
    letters = _alphabet()
    merges = learn_merges(words)
    tokens = [*letters, *(f"{letter}</w>" for letter in letters), *("".join(pair) for pair in merges), START, END]
    vocabulary = {token: number for number, token in enumerate(dict.fromkeys(tokens))}
    return CLIPTokenizer(vocab=vocabulary, merges=merges, model_max_length=length)  # type: ignore[arg-type]
