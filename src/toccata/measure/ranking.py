"""Ranks pieces by measurable quality: the best are neither strange nor copies.

Three things are looked at, each in one unit: 0 is the middle of what is usual in the music that the model learned from,
1 is where the usual ends (nine passages in ten are nearer).

- **surprise**: nats a note under the model. Too little is a loop, too much is noise. What is usual costs nothing.
- **traits**: how full the music is, how it moves, what sounds together, how much of it comes again
  (``measure.traits``), all in one.
- **known**: the longest passage that also stands in the training pieces, where it is longer than is usual.

This tells damaged music from music, and good luck from bad (``benchmarks/ranking.py``); not what is moving.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from statistics import fmean
from typing import Any, TypeAlias

from symusic import Score

from toccata.arguments import checked
from toccata.errors import MidiError, RequestError
from toccata.measure.judge import Judge
from toccata.measure.reference import ReferenceStats
from toccata.measure.steps import Steps
from toccata.measure.traits import TRAITS, mean_traits, surroundings, traits
from toccata.midi.bars import bar_map
from toccata.musicmodel import Model
from toccata.piece import Piece

SURPRISE, KNOWN = 0.5, 1.0
"""The weights of the other parts, where traits weigh 1.

Surprise less: it finds what was drawn too boldly or too safely, and differs more among good pieces than damage changes
it. Chosen on half of the pieces of ``benchmarks/ranking.py``; half or twice as much hardly differs.
"""
TELLING = frozenset(
    ("colour", "in_key", "sameness", "leaps", "figures", "clashes", "clashing_beats", "chordless_beats", "steps")
)
"""The traits that tell music from damaged music."""
OTHERS = 0.25
"""The weight of the other traits, which describe the kind of music rather than its quality."""
MOST = 5.0
"""A trait counts no more than this: what is six times as far off as is usual is no better than what is sixty times."""
LEAST_NATS, LEAST_NOTES = 0.2, 4.0
"""The usual is taken to be no narrower, on each side."""
ODD, MOST_LISTED = 1.1, 3
"""Traits that are farther off than ``ODD`` are listed, at most ``MOST_LISTED`` of them."""
_ADVERBS = ((2.0, "a little ", "slightly "), (4.0, "", ""), (math.inf, "very ", "far "))
"""How far off a trait is in words, and where these compare."""


_Part: TypeAlias = "tuple[float | None, str, str]"
"""A part of the total, or None; why; and in words alone."""


@dataclass(frozen=True)
class Ranked:
    """A piece, and how good it was found.

    Attributes:
        piece: The piece.
        total: The parts, weighed and added up; the least is the best. Infinite for a piece without notes.
        parts: ``surprise``, ``traits``, ``known``; None for what the model says nothing of.
        traits: The piece's own, by name.
        why: All that in a line, with numbers.
        words: The same in words alone, and only what is unusual.
    """

    piece: Piece = field(repr=False)
    total: float
    parts: Mapping[str, float | None]
    traits: Mapping[str, float]
    why: str
    words: str = ""

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values, without the piece."""
        return {
            "total": round(self.total, 4) if math.isfinite(self.total) else None,
            "parts": {name: None if part is None else round(part, 4) for name, part in self.parts.items()},
            "traits": {name: round(value, 4) for name, value in self.traits.items()},
            "why": self.why,
            "words": self.words,
        }


class Ranker:
    """Scores pieces by how good they are.

    Args:
        usual: The reference statistics of their model's data; None: it has none.
        judge: Finds passages in common with their model's training pieces; None: they are not compared.

    Raises:
        RequestError: There is neither, so there is nothing to rank by.
    """

    def __init__(self, usual: ReferenceStats | None, judge: Judge | None) -> None:
        self.usual, self.judge = usual, judge
        if usual is None and (judge is None or not judge.normals):
            raise RequestError(
                "the model knows nothing of what is usual, so its pieces cannot be ranked: train it again"
            )

    @cached_property
    def _steps(self) -> Steps | None:
        return None if self.judge is None or self.judge.index is None else Steps(self.judge.index)

    @classmethod
    def of(cls, model: Model) -> Ranker:
        """Return the ranker for pieces of ``model``, from its folder."""
        usual = ReferenceStats.of_model(model.folder, [used.file for used in model.style_files])
        return cls(usual, Judge(model) if Judge.has(model) else None)

    def best_first(self, pieces: Iterable[Piece]) -> list[Piece]:
        """The pieces in order; equally good ones keep theirs."""
        return [ranked.piece for ranked in sorted(map(self.weigh, pieces), key=lambda ranked: ranked.total)]

    def weigh(self, piece: Piece) -> Ranked:
        """Score a piece; of one with a prompt only its new part, of an infilled song the bars around the new notes."""
        try:
            score = piece.score if piece.origin.get("notes", 1) else None
        except MidiError:
            score = None
        if score is None:
            return Ranked(
                piece, math.inf, dict.fromkeys(("surprise", "traits", "known")), {}, "it has no note", "it has no note"
            )
        found = self._found(piece, score)
        judged = [self._surprise(piece), self._traits(found), self._known(piece)]
        parts = dict(zip(("surprise", "traits", "known"), (part for part, _, _ in judged), strict=True))
        weights = {"surprise": SURPRISE, "traits": 1.0, "known": KNOWN}
        total = sum(weights[name] * part for name, part in parts.items() if part is not None)
        why, words = ("; ".join(text for text in texts if text) for texts in list(zip(*judged, strict=True))[1:])
        return Ranked(piece, total, parts, found, why, words or "nothing unusual")

    def _found(self, piece: Piece, score: Score) -> dict[str, float]:
        """Return the traits of a piece where it is new."""
        since = piece.prompt_end or 0
        spans: list[tuple[int, int | None]]
        if piece.new is None or not piece.new.note_num():
            found, spans = traits(score, since), [(since, None)]
        else:
            bars = bar_map(score)
            where = surroundings(score, bars, piece.new)
            found = mean_traits(score, bars, where)
            spans = [(int(bars.starts[first]), int(bars.starts[end])) for first, end in where]
        if self._steps is not None:
            nats = [each for span in spans if (each := self._steps.nats(score, *span)) is not None]
            if nats:
                found["steps"] = fmean(nats)
        return found

    def _surprise(self, piece: Piece) -> _Part:
        nats = piece.origin.get("nats_per_note")
        if nats is None:
            return None, "", ""
        spread = None if self.usual is None else self.usual.surprise_of(piece.bars)
        if spread is None:
            return None, f"surprise {nats:.1f} nats a note", ""
        part = min(max(0.0, abs(spread.away(nats, LEAST_NATS)) - 1), MOST)
        assert self.usual is not None
        usual = self.usual.range_of("surprise", f"{spread.low:.1f}", f"{spread.high:.1f}")
        words = "" if not part else "more predictable than usual" if nats < spread.low else "stranger than usual"
        return part, f"surprise {nats:.1f} nats a note ({usual})", words

    def _traits(self, found: Mapping[str, float]) -> _Part:
        if self.usual is None:
            unknown = "the model does not know what is usual otherwise (train it again)"
            return None, unknown, unknown
        spreads = {name: self.usual.traits[name] for name in found if name in self.usual.traits}
        away = {name: spread.away(found[name], TRAITS[name].least) for name, spread in spreads.items()}
        weights = {name: 1.0 if name in TELLING else OTHERS for name in away}
        if not away:
            return None, "", ""
        squares = sum(weights[name] * min(abs(z), MOST) ** 2 for name, z in away.items())
        odd = sorted((n for n in away if abs(away[n]) > ODD), key=lambda n: -weights[n] * min(abs(away[n]), MOST))
        texts = [_odd(name, found[name], away[name], self.usual) for name in odd[:MOST_LISTED]]
        if len(odd) > MOST_LISTED:
            texts.append(f"{len(odd) - MOST_LISTED} more unusual trait{'s' if len(odd) - MOST_LISTED > 1 else ''}")
        words = ", ".join(_in_words(name, away[name]) for name in odd[:MOST_LISTED])
        part = math.sqrt(squares / sum(weights.values()))
        return part, "; ".join(texts) or "nothing unusual in how it moves", words

    def _known(self, piece: Piece) -> _Part:
        if self.judge is None:
            return None, "", ""
        found, normal = self.judge.of(piece), self.judge.usual(piece)
        notes, at_least = found.notes, "at least " if found.at_least else ""
        longest = f"longest known passage {at_least}{notes} notes" if notes else "no known passage"
        if normal is None:
            return None, longest, ""
        beyond = (notes - normal.notes_90) / max(normal.notes_90 - normal.notes, LEAST_NOTES)
        words = f"{notes} notes in a row are known from the training music" if beyond > 0 else ""
        return min(max(0.0, beyond), MOST), f"{longest} ({normal.most})", words


@checked
def rank(pieces: Iterable[Piece], model: Model) -> list[Ranked]:
    """Order pieces that ``model`` wrote, the best first; equally good ones keep their order.

    Args:
        pieces: At least one.
        model: That wrote them: what is usual is what is so in the music it learned from.

    Raises:
        RequestError: The model knows nothing of what is usual.
        ModelError: Its folder is damaged.
    """
    return sorted(map(Ranker.of(model).weigh, pieces), key=lambda ranked: ranked.total)


def _odd(name: str, value: float, away: float, usual: ReferenceStats) -> str:
    """An unusual trait in words: ``a little thin: 1.1 notes a quarter (usual 1.6 to 4.0)``."""
    trait, spread = TRAITS[name], usual.traits[name]
    low, high, found = (f"{100 * x:.0f} %" if trait.percent else f"{x:.1f}" for x in (spread.low, spread.high, value))
    return f"{_in_words(name, away)}: {found} {trait.unit} ({usual.range_of(name, low, high)})"


def _in_words(name: str, away: float) -> str:
    """An unusual trait in words alone: ``a little thin``."""
    trait = TRAITS[name]
    adverb = next(words[trait.comparative] for end, *words in _ADVERBS if abs(away) < end)
    return f"{adverb}{trait.low if away < 0 else trait.high}"
