"""What a tokenizer leaves out of music: a piece against what is decoded from its tokens."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from symusic import Score

from toccata.tokenizers.base import Tokenizer

NEAR = 1 / 12
"""A note is kept if one of its pitch and program comes back within so much of a quarter."""
_ROUNDING = 1e-6
_DRUMS = 128


@dataclass
class RoundTrip:
    """What of some pieces comes back from their tokens.

    Attributes:
        notes: Notes of the pieces.
        kept: Notes that come back with their pitch, their program (or drums) and, within ``NEAR``, their onset.
        pitches: Notes that come back with their pitch and onset, whoever plays them.
        velocities: Different velocities of the notes of each piece, added up.
        velocities_after: Those of the notes that come back.
    """

    notes: int = 0
    kept: int = 0
    pitches: int = 0
    velocities: int = 0
    velocities_after: int = 0

    def add(self, tokenizer: Tokenizer, score: Score) -> None:
        """Count a piece."""
        again = tokenizer.decode(tokenizer.encode(score))
        self.notes += score.note_num()
        self.kept += notes_kept(score, again)
        self.pitches += notes_kept(score, again, programs=False)
        self.velocities += _velocities(score)
        self.velocities_after += _velocities(again)

    @property
    def lost(self) -> int:
        """Notes that do not come back at all, whoever plays them."""
        return self.notes - self.pitches

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return {
            "notes": self.notes,
            "lost": self.lost,
            "other_program": self.pitches - self.kept,
            "velocities": self.velocities,
            "velocities_after": self.velocities_after,
        }


def notes_kept(before: Score, after: Score, *, programs: bool = True) -> int:
    """Return how many notes of ``before`` are in ``after``, each matched once.

    Args:
        before: A piece.
        after: What came back of it.
        programs: Whether they must be played by the same program; else only by drums, or not.
    """
    new = _by_pitch(after, programs)
    count = 0
    for key, onsets in _by_pitch(before, programs).items():
        there, i = sorted(new.get(key, [])), 0
        for onset in sorted(onsets):
            while i < len(there) and there[i] < onset - NEAR - _ROUNDING:
                i += 1
            if i < len(there) and there[i] <= onset + NEAR + _ROUNDING:
                count, i = count + 1, i + 1
    return count


def _by_pitch(score: Score, programs: bool) -> dict[tuple[int, int], list[float]]:
    """Return the onsets of notes, in quarters, by program and pitch."""
    found: dict[tuple[int, int], list[float]] = defaultdict(list)
    for program, pitch, onset in _notes(score):
        found[program if programs or program == _DRUMS else 0, pitch].append(onset)
    return found


def _notes(score: Score) -> Iterator[tuple[int, int, float]]:
    """Yield program (128: drums), pitch and onset in quarters of every note."""
    for track in score.tracks:
        program = _DRUMS if track.is_drum else int(track.program)
        for note in track.notes:
            yield program, note.pitch, note.time / score.ticks_per_quarter


def _velocities(score: Score) -> int:
    return len({note.velocity for track in score.tracks for note in track.notes})
