"""The constraints of a request: what every token that is written for it must keep to."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from toccata.errors import RequestError
from toccata.midi.bars import BarMap, bar_map
from toccata.tasks.ensemble import Ensemble
from toccata.tasks.fill import Hole, cut
from toccata.tasks.fit import BassBelow, Consonant, Surroundings, TopLine
from toccata.tasks.request import Request, pitch_range, scale
from toccata.tokenizers.grammar import Grammar
from toccata.tokenizers.rulebook import Constraints, Ends, Preference
from toccata.tokenizers.scheme import Scheme
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


def preferences_of(request: Request, around: Surroundings | None = None) -> tuple[Preference, ...]:
    """Return the preferred pitches of a request, whose new notes sound with ``around``."""
    if request.script is not None:
        return ()
    found: list[Preference] = []
    if around is not None and request.programs is not None and "fit" not in request.without:
        found.append(Consonant(around))  # a part is added: it fits the song
    if "roles" not in request.without:
        found.append(BassBelow(around))
    return tuple(found)


def fitted(constraints: Constraints, request: Request, bars: BarMap, hole: Hole, scheme: Scheme) -> Constraints:
    """Return the constraints of a hole with those that come from what stays in its bars."""
    if request.script is not None or request.prompt is None or not scheme.has_notes:
        return constraints
    grid = scheme.timing.ticks_per_quarter
    around = Surroundings.of(cut(request.prompt, bars, hole)[0], bars, hole, grid)
    preferences = preferences_of(request, around)
    top = TopLine.of(request.prompt, bars, hole, grid, request.melody) if request.melody else None
    if top is None:
        return replace(constraints, preferences=preferences)
    return replace(
        constraints,
        pitch_rules=(*constraints.pitch_rules, top),
        preferences=(*preferences, top),
        rests=dict.fromkeys(top.programs, top.sounds) if scheme.has_programs else {},
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
