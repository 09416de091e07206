"""The constraints of a request: what every token that is written for it must keep to."""

from __future__ import annotations

import numpy as np

from toccata.errors import RequestError
from toccata.midi.bars import bar_map
from toccata.tasks.ensemble import Ensemble
from toccata.tasks.request import Request, pitch_range, scale
from toccata.tokenizers.grammar import Grammar
from toccata.tokenizers.rulebook import Constraints, Ends
from toccata.tokenizers.vocabulary import DRUMS


def constraints_of(
    request: Request, grammar: Grammar, ensemble: Ensemble, *, continued: bool, bars: int | None
) -> Constraints:
    """Return the constraints of a request; after a prompt (``continued``), its meter and tempo continue."""
    scheme = grammar.scheme
    programs = None
    if ensemble.programs is not None and scheme.has_programs:
        programs = np.zeros(DRUMS + 1, np.bool_)
        programs[[DRUMS if p == -1 else p for p in ensemble.programs]] = True
        if not programs[grammar.program_values].any():
            raise RequestError("none of the programs asked for is one this model knows")
    if not scheme.has_notes and (request.key is not None or request.pitches is not None):
        raise RequestError("this model writes whole beats at a time and cannot keep to a key or a range of pitches")
    pitches = None if request.pitches is None else pitch_range(request)
    if request.key is not None and request.chords is None:  # chords may leave the key for a moment
        in_key = scale(request.key)
        pitches = in_key if pitches is None else pitches & in_key
    if pitches is not None and not (pitches & scheme.pitches(False)).any():
        raise RequestError("no pitch is left that lies in the key and the range asked for")
    return Constraints(
        bars=bars,
        programs=programs,
        pitches=pitches,
        ranges=ensemble.ranges if scheme.has_notes else None,
        lines=ensemble.lines if scheme.has_notes else None,
        tempo=not continued and request.tempo is None,
        meter=not continued and request.meter is None,
        steady=request.end,
        script=request.script,
        ends=_ends(request),
    )


def _ends(request: Request) -> Ends:
    """Return when the music may end, so that it is not silent."""
    if request.hole is not None:
        assert request.prompt is not None
        # A song written anew to its end must not lose its last bars.
        closes = request.programs is None and request.hole.last == len(bar_map(request.prompt))
        return Ends.SOUNDING if closes else Ends.AFTER_A_NOTE
    if request.bars is None:
        return Ends.AFTER_A_NOTE
    return Ends.ON_A_NOTE if request.end else Ends.SOUNDING
