"""The constraints of a request: what every token that is written for it must keep to."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from toccata.errors import RequestError
from toccata.midi.bars import BarMap
from toccata.midi.ranges import BASSES
from toccata.tasks.ensemble import Ensemble, LearnedTogether, melody_players, named_players, players_of_hole
from toccata.tasks.fill import cut
from toccata.tasks.fit import BassBelow, Consonant, Surroundings, TopLine, basses_of
from toccata.tasks.request import Request, ending_key, pitch_range, pitch_rules_of, scale
from toccata.tasks.steering import steering
from toccata.tasks.tendencies import ESTABLISHED, EnsembleTendency, KeyTendency
from toccata.tasks.voiced import Voiced, VoicedEnding, voiced_chart
from toccata.tokenizers.grammar import Grammar
from toccata.tokenizers.rulebook import Constraints, Ends, Players, Preference, Tendency
from toccata.tokenizers.state import State
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
        joining=ensemble.joining,
        tempo=not continued and request.tempo is None,
        meter=not continued and request.meter is None,
        steady=request.end,
        script=request.script,
        ends=_ends(request),
        calm=request.end,
    )


def with_music(
    constraints: Constraints, request: Request, state: State, first: int, bars: BarMap | None = None
) -> Constraints:
    """Return constraints with those that depend on the music: chords, endings, players, and what stays in a hole.

    Args:
        constraints: The others.
        request: The request.
        state: The music at the end of the prompt.
        first: The first new bar, in the state's counting.
        bars: The bars of the prompt, for a hole.

    Raises:
        RequestError: Chords or an ending contradict the key or the range of the request.
    """
    rules, scheme = pitch_rules_of(request, state, first), state.scheme
    hole, without = request.hole, request.without
    around = top = None
    alone: frozenset[int] = frozenset()
    basses = basses_of(_pitched_programs(request))
    if hole is not None and bars is not None and request.prompt is not None and scheme.has_notes:
        grid = scheme.timing.ticks_per_quarter
        around = Surroundings.of(cut(request.prompt, bars, hole)[0], bars, hole, grid, basses)
    if request.script is not None or not scheme.has_notes:
        # A chart in place of a plan; who sings when, the script says.
        chart = _voiced(request, state, first) if request.script is not None and request.chords is not None else None
        voiced = replace(chart, calm=True, enters=False) if isinstance(chart, Voiced) else request.voiced
        voices = () if voiced is None or "voicing" in without else (voiced,)
        fit = (Consonant(around),) if voices and around is not None else ()
        return replace(constraints, pitch_rules=rules, preferences=(*voices, *fit), players=voices)
    if hole is not None and bars is not None and request.prompt is not None:
        top = TopLine.of(request.prompt, bars, hole, grid, request.melody) if request.melody else None
        alone = melody_players(request.prompt, hole, request.melody) if scheme.has_programs else frozenset()
    if hole is not None and bars is not None and request.prompt is not None and request.programs is None:
        playing: Players | None = players_of_hole(request, scheme, request.prompt, bars, hole)
    else:
        # Where it is not known who plays together, a model that knows nothing lets dozens join: they need not go on.
        together = isinstance(constraints.joining, LearnedTogether) and bool(constraints.joining.ensembles)
        playing = named_players(request, scheme, state, first, go_on=together)
    lowest = around is None or around.silent or BASSES.issuperset(request.programs or (-1,))
    voiced = _voiced(request, state, first) if lowest and "voicing" not in without else None
    ending = voiced if isinstance(voiced, VoicedEnding) else None
    # A part that is added, or written anew beside others that stay, fits these.
    beside = request.programs is not None or (hole is not None and hole.tracks is not None)
    adds = around is not None and beside and "fit" not in without
    preferences: list[Preference | None] = [
        Consonant(around) if adds and around is not None else None,
        voiced,
        BassBelow(around, basses) if "roles" not in without else None,
        top,
    ]
    return replace(
        constraints,
        pitch_rules=(*rules, *(rule for rule in (top, ending) if rule is not None)),
        preferences=tuple(preference for preference in preferences if preference is not None),
        players=tuple(rule for rule in (playing, voiced) if rule is not None),
        tendencies=_tendencies(request, state, first),
        rests={} if top is None else dict.fromkeys(alone, top.sounds),
    )


def _pitched_programs(request: Request) -> set[int]:
    """Return the pitched programs that a request names, and those of its prompt."""
    tracks = () if request.prompt is None else request.prompt.tracks
    own = {int(track.program) for track in tracks if len(track.notes) and not track.is_drum}
    return own | {program for program in request.programs or () if program >= 0}


def _tendencies(request: Request, state: State, first: int) -> tuple[Tendency, ...]:
    """Return the tendency of a new piece to stay in the key of its first bars, and of all to keep to their levels."""
    start = state.bar_tick + (first - max(state.bar, 0)) * state.ticks_per_bar
    steered: tuple[Tendency, ...] = tuple(steering(request.counted, request.bar_controls, first, start, state))
    if request.prompt is None and request.programs is None and "players" not in request.without:
        steered = (*steered, EnsembleTendency(first))
    if request.prompt is not None or request.modulate or request.key is not None or request.chords is not None:
        return steered
    state.histogram_until_bar = min(state.histogram_until_bar, first + ESTABLISHED)
    return (*steered, KeyTendency(first + ESTABLISHED))


def _voiced(request: Request, state: State, first: int) -> Voiced | VoicedEnding | None:
    """Return how the chords of a request are voiced, or those of its ending; None: it has neither."""
    if request.chords is not None:
        tick = state.bar_tick + (first - max(state.bar, 0)) * state.ticks_per_bar
        chart = request.chords if request.bars is None else request.chords.part(0, request.bars)  # it is repeated
        return voiced_chart(chart, tick, state.ticks_per_bar, final=request.end)
    if not request.end or request.bars is None:
        return None
    return VoicedEnding(ending_key(request), first + request.bars)


def _ends(request: Request) -> Ends:
    """Return when the music may end, so that it is not silent."""
    if request.hole is not None:
        # A song written anew to its end must not lose its last bars.
        closes = request.programs is None and request.hole.last == len(request.lines)
        return Ends.SOUNDING if closes else Ends.AFTER_A_NOTE
    if request.bars is None:
        return Ends.AFTER_A_NOTE
    return Ends.ON_A_NOTE if request.end else Ends.SOUNDING
