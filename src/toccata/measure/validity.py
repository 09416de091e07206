"""Whether the pieces that a model writes obey the request, checked by reading them back from their files."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from toccata.errors import MidiError
from toccata.midi.bars import bar_map
from toccata.piece import Piece


@dataclass(frozen=True)
class Validity:
    """The validity of some pieces written without a prompt.

    Attributes:
        pieces: How many.
        valid: How many have no fault.
        faults: What was wrong with the others.
    """

    pieces: int
    valid: int
    faults: tuple[str, ...]


def validity(pieces: Sequence[Piece], bars: int | None) -> Validity:
    """Check that each piece has notes: none without length, doubled, overlapping itself or past its ``bars`` bars.

    Args:
        pieces: The pieces.
        bars: How many bars were asked for; None: nobody asked for a number.
    """
    faults = [fault for piece in pieces if (fault := _fault(piece, bars))]
    return Validity(len(pieces), len(pieces) - len(faults), tuple(faults))


def _fault(piece: Piece, bars: int | None) -> str:
    try:
        score = piece.score
    except MidiError as error:
        return error.message  # it has no notes
    if bars is not None and len(bar_map(score)) > bars:
        return f"{len(bar_map(score))} bars, not {bars}"
    for track in score.tracks:
        free: dict[int, int] = {}
        for note in sorted(track.notes, key=lambda n: (n.time, n.pitch)):
            if note.duration <= 0:
                return f"a note without length at tick {note.time}"
            if note.time < free.get(note.pitch, 0):
                return f"pitch {note.pitch} overlaps itself at tick {note.time}"
            free[note.pitch] = note.time + note.duration
    return ""
