"""Base tokens back to music, for tokenizers whose decoder is ours."""

from __future__ import annotations

from collections.abc import Iterable

from symusic import Note, Score, Tempo, TimeSignature, Track

from toccata.tokenizers.scheme import Scheme
from toccata.tokenizers.state import State
from toccata.tokenizers.vocabulary import Kind


def play(scheme: Scheme, base: Iterable[int], *, meter: tuple[int, int] = (4, 4), tempo: float | None = None) -> Score:
    """Return the music of base tokens, one piano track, in the scheme's ticks.

    Args:
        scheme: The tokens' own.
        base: Base tokens.
        meter: For schemes that write none.
        tempo: Quarters a minute, for schemes that write none; None: the Score has none.
    """
    state = State(scheme, meter)
    score = Score(scheme.timing.ticks_per_quarter)
    track = Track("", 0, False)
    if not scheme.has_meters:
        score.time_signatures.append(TimeSignature(0, *meter))
    if tempo is not None:
        score.tempos.append(Tempo(0, qpm=tempo))
    for token in (*base, scheme.eos):
        state.read(token)
        for note in state.made:
            track.notes.append(Note(note.onset, note.length, note.pitch, note.velocity))
        kind = scheme.kinds[token]
        if kind == Kind.TEMPO:
            score.tempos.append(Tempo(state.tick, qpm=scheme.values[token] / 1000))
        elif kind == Kind.TIME_SIG:
            score.time_signatures.append(TimeSignature(state.bar_tick, *state.meter))
    track.notes.sort(key=lambda n: (n.time, n.pitch, n.duration, n.velocity))
    if len(track.notes):
        score.tracks.append(track)
    return score
