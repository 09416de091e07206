"""Learned merges: a Hugging Face tokenizer's JSON read and applied without that library (byte-pair encoding)."""

from __future__ import annotations

import itertools
import json
from collections.abc import Mapping, Sequence
from functools import cached_property
from heapq import heapify, heappop, heappush
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from toccata.errors import MissingExtra

_MARK = "\u2581"
"""The character that Hugging Face's Metaspace puts before every bar."""
_REMEMBERED = 8192
"""Bars whose ids are remembered: music repeats itself."""
_MOST = 1 << 20
"""Ids that a vocabulary may have."""


class Merged(Protocol):
    """A vocabulary of merged ids.

    Attributes:
        parts: For each id the base ids it stands for.
    """

    parts: list[tuple[int, ...]]

    def encode(self, ids: NDArray[np.int64], cuts: NDArray[np.int64]) -> list[int]:
        """The merged ids of base ids; nothing is merged across ``cuts``, where bars begin."""
        ...


def merged_vocabulary(model: str, characters: Mapping[str, str], words: Mapping[str, int]) -> Merged:
    """Read what was learned.

    Args:
        model: The JSON of a Hugging Face tokenizer.
        characters: The base word that each character stands for.
        words: The base words and their ids.

    Raises:
        MissingExtra: It is of a kind that needs Hugging Face's library, which is not installed.
        ValueError: It is none, or contradicts itself; also KeyError and TypeError.
    """
    saved = json.loads(model)
    base = {character: words[word] for character, word in characters.items()}
    return Bpe(saved, base) if _is_plain(saved) else Other(model, saved, base)


def _is_plain(saved: Mapping[str, Any]) -> bool:
    """Whether this is byte-pair encoding as MidiTok learns it, with nothing else switched on."""
    model, before = saved["model"], saved["pre_tokenizer"]
    usual = {"type": "Metaspace", "replacement": _MARK, "prepend_scheme": "always", "split": True}
    off = ("dropout", "unk_token", "continuing_subword_prefix", "end_of_word_suffix", "fuse_unk", "byte_fallback")
    return (
        model["type"] == "BPE"
        and before in (None, usual)
        and not any(model.get(name) for name in (*off, "ignore_merges"))
        and not any(saved.get(name) for name in ("normalizer", "post_processor", "truncation", "padding"))
    )


def _parts(saved: Mapping[str, Any], base: Mapping[str, int]) -> tuple[list[str], list[tuple[int, ...]]]:
    """The texts of all ids, and the base ids they stand for."""
    vocabulary = saved["model"]["vocab"]
    pairs = (
        vocabulary.items() if isinstance(vocabulary, dict) else ((text, i) for i, (text, _) in enumerate(vocabulary))
    )
    texts = {number: text for text, number in pairs}
    texts |= {token["id"]: token["content"] for token in saved["added_tokens"]}
    if len(texts) > _MOST or sorted(texts) != list(range(len(texts))):
        raise ValueError("the ids of the learned vocabulary have gaps")
    mark = "" if saved["pre_tokenizer"] is None else _MARK
    listed = [texts[i] for i in range(len(texts))]
    return listed, [tuple(base[character] for character in text.removeprefix(mark)) for text in listed]


class Bpe:
    """Byte-pair encoding: of all pairs that may be merged, always the one learned first, the leftmost of these."""

    def __init__(self, saved: Mapping[str, Any], base: Mapping[str, int]) -> None:
        """Read a vocabulary; ``base`` has the base id of each character."""
        texts, self.parts = _parts(saved, base)
        ids = {text: i for i, text in enumerate(texts)}
        self._size = len(texts)
        self._mark = ids.get(_MARK) if saved["pre_tokenizer"] is not None else None
        single = np.full(max(base.values()) + 1, -1, np.int64)
        for character, number in base.items():
            if character in ids:
                single[number] = ids[character]
        self._single = single
        self._merges: list[tuple[int, int, int]] = []
        for merge in saved["model"]["merges"]:
            left, right = merge if isinstance(merge, list) else merge.split(" ")
            self._merges.append((ids[left], ids[right], ids[left + right]))
        self._known: dict[bytes, list[int]] = {}

    @cached_property
    def _ranks(self) -> dict[int, int]:
        """The rank of each pair, which is written as one number."""
        size = self._size
        return {left * size + right: rank for rank, (left, right, _) in enumerate(self._merges)}

    @cached_property
    def _made(self) -> list[int]:
        """The result of each merge."""
        return [made for _, _, made in self._merges]

    def encode(self, ids: NDArray[np.int64], cuts: NDArray[np.int64]) -> list[int]:
        """The merged ids of base ids; nothing is merged across ``cuts``, where bars begin."""
        single = self._single[ids]
        out: list[int] = []
        for bar in np.split(single, cuts[1:]):
            out += self._bar(bar)
        return out

    def _bar(self, bar: NDArray[np.int64]) -> list[int]:
        key = bar.tobytes()
        known = self._known.get(key)
        if known is None:
            symbols: list[int] = bar.tolist()
            if self._mark is not None and symbols:
                symbols.insert(0, self._mark)
            known = self._merge([symbol for symbol in symbols if symbol >= 0])
            if len(self._known) >= _REMEMBERED:
                self._known.clear()
            self._known[key] = known
        return known

    def _merge(self, symbols: list[int]) -> list[int]:
        """The symbols of one bar after all merges.

        Symbols are a linked list: a merged pair stands at the place of its left one, and its right one is -1. A heap
        holds the pairs that may be merged as ``rank << 32 | place``; what has changed since is passed over.
        """
        rank_of, made, size, count = self._ranks.get, self._made, self._size, len(symbols)
        following, before = list(range(1, count + 1)), list(range(-1, count - 1))
        ranks = [rank_of(left * size + right) for left, right in itertools.pairwise(symbols)]
        heap = [rank << 32 | place for place, rank in enumerate(ranks) if rank is not None]
        ranks.append(None)
        heapify(heap)
        while heap:
            entry = heappop(heap)
            rank, place = entry >> 32, entry & 0xFFFFFFFF
            if ranks[place] != rank:
                continue
            second, merged = following[place], made[rank]
            symbols[place], symbols[second], ranks[second] = merged, -1, None
            third = following[place] = following[second]
            new = None
            if third < count:
                before[third] = place
                new = rank_of(merged * size + symbols[third])
                if new is not None:
                    heappush(heap, new << 32 | place)
            ranks[place] = new
            first = before[place]
            if first >= 0:
                new = ranks[first] = rank_of(symbols[first] * size + merged)
                if new is not None:
                    heappush(heap, new << 32 | first)
        return [symbol for symbol in symbols if symbol >= 0]


class Other:
    """Any other vocabulary (Unigram, WordPiece), applied by Hugging Face's library."""

    def __init__(self, model: str, saved: Mapping[str, Any], base: Mapping[str, int]) -> None:
        """Read a vocabulary; ``base`` has the base id of each character.

        Raises:
            MissingExtra: The library is not installed.
        """
        try:
            import tokenizers
        except ImportError:
            kind = saved["model"]["type"]
            raise MissingExtra(
                f'a tokenizer whose merges are of the kind {kind} needs tokenizers: pip install "toccata[train]"'
            ) from None
        _, self.parts = _parts(saved, base)
        self._characters = {number: character for character, number in base.items() if len(character) == 1}
        self._tokenizer = tokenizers.Tokenizer.from_str(model)

    def encode(self, ids: NDArray[np.int64], cuts: NDArray[np.int64]) -> list[int]:
        """The merged ids of base ids; nothing is merged across ``cuts``, where bars begin."""
        texts = ["".join(self._characters[i] for i in bar.tolist()) for bar in np.split(ids, cuts[1:])]
        found: list[int] = self._tokenizer.encode(texts, is_pretokenized=True).ids
        return found

    def __getstate__(self) -> dict[str, Any]:
        return {"parts": self.parts, "_characters": self._characters, "model": self._tokenizer.to_str()}

    def __setstate__(self, state: dict[str, Any]) -> None:
        import tokenizers

        self.parts, self._characters = state["parts"], state["_characters"]
        self._tokenizer = tokenizers.Tokenizer.from_str(state["model"])


def characters_of(words: Sequence[str]) -> dict[str, str]:
    """The word that each character stands for, before anything is learned; no character is a space."""
    return {chr(33 + number): word for number, word in enumerate(words)}
