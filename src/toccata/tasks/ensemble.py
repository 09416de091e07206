"""The ensemble of a request: which programs play, which must, the range of each, and who plays one note at a time.

A musician takes these for granted, however well a model is trained; a request may be without some of them
(``Request.without``).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray
from symusic import Score

from toccata.errors import RequestError
from toccata.midi.bars import BarMap
from toccata.midi.gm import program_name
from toccata.midi.ranges import SINGLE_LINE, playable
from toccata.tasks.coverage import Coverage, in_words
from toccata.tasks.fill import Hole, NoteRef, cut
from toccata.tasks.request import Request, pitch_range
from toccata.tokenizers.rulebook import Entry, Joining, Mask
from toccata.tokenizers.scheme import Scheme
from toccata.tokenizers.state import NEVER, State
from toccata.tokenizers.vocabulary import DRUMS

DEFAULTS = ("players", "ranges", "lines", "fit", "roles", "voicing", "tempos", "levels")
"""What holds unless a request is without it."""
MOST_BARS, HALF = Fraction(3, 4), Fraction(1, 2)
"""The share of the bars in which a named player plays, and in which one does that a model has chosen."""
JOIN = 4
"""The bars of a new piece in which players may join."""
SLACK = 2
"""Semitones by which an instrument may leave the range that a model has learned, within what it can play."""
_LEAST = 12
"""A learned range of fewer semitones says nothing: a few notes of an instrument that plays more."""
_SINGLE, _LEARNED_SINGLE = 0.9, 0.75
"""The share of single notes from which a song's track is one line, and from which an instrument was learned as one."""
UNLIMITED = 128
_NEAR = 4
"""A track that rests in a hole is near it with notes in so many bars before or after it."""


@dataclass(frozen=True)
class Ensemble:
    """Who plays, as constraints.

    Attributes:
        programs: The programs that may play, -1 the drums; None: all.
        ranges: ``bool[129, 128]``, the pitches of each program; None: all.
        lines: ``int64[129]``, the most notes of each program at once; None: any number.
        remarks: What a user may not expect, in words.
        joining: Who may join those that have played; None: anyone, at any time.
    """

    programs: frozenset[int] | None = None
    ranges: Mask | None = None
    lines: NDArray[np.int64] | None = None
    remarks: tuple[str, ...] = ()
    joining: Joining | None = None


@dataclass(frozen=True)
class LearnedTogether:
    """In the first bars of a new piece, programs may join that play with all others of it in a training piece.

    Attributes:
        ensembles: The programs of each training piece, 128 is the drums; empty: unknown, and all may join.
    """

    ensembles: tuple[frozenset[int], ...]

    def may_play(self, state: State) -> Mask:
        """Return the programs that may play from here on, ``bool[129]``."""
        played = frozenset(state.bars_played)
        may = np.zeros(DRUMS + 1, np.bool_)
        if state.bar >= JOIN and played:
            may[list(played)] = True
            return may
        joined = [*played]
        for ensemble in self.ensembles:
            if played <= ensemble:
                joined.extend(ensemble)
        may[joined] = True
        return may if self.ensembles else np.ones(DRUMS + 1, np.bool_)


@dataclass(frozen=True)
class InBars:
    """Players that must play in certain bars, from when they played there before.

    Attributes:
        bars: By bar, in the cursor's counting: each program, 128 is the drums, and the tick by which it enters.
    """

    bars: Mapping[int, Sequence[tuple[int, int]]]

    def missing(self, state: State) -> Sequence[Entry]:
        """Return the programs that must still begin a note in the current bar."""
        latest = state.latest_bar
        return [
            Entry(program, state.bar_tick, max(tick, state.tick))
            for program, tick in self.bars.get(state.bar, ())
            if latest.get(program) != state.bar
        ]

    def free_by(self, state: State, program: int, single: bool) -> int:
        """Return when a program that plays one note at a time enters in the next bar."""
        if single:
            for bar in range(state.bar + 1, max(self.bars, default=0) + 1):
                for other, tick in self.bars[bar]:
                    if other == program:
                        return tick
        return NEVER


@dataclass(frozen=True)
class InMostBars:
    """Players that must play in at least a share of the bars from ``first`` on, wherever the music ends.

    Attributes:
        programs: The programs, 128 is the drums; None: all that have played so far.
        first: The first bar, in the cursor's counting.
        before: In how many bars each program has played before.
        share: The share of the bars.
    """

    programs: Sequence[int] | None
    first: int = 0
    before: Mapping[int, int] = field(default_factory=dict)
    share: Fraction = MOST_BARS

    def missing(self, state: State) -> Sequence[Entry]:
        """Return the programs that must still begin a note in the current bar."""
        bars, found = state.bar - self.first + 1, []
        for program in state.bars_played if self.programs is None else self.programs:
            if state.latest_bar.get(program) != state.bar:
                played = state.bars_played.get(program, 0) - self.before.get(program, 0)
                if bars > 0 and played < self.share * bars:
                    middle = state.bar_tick + state.ticks_per_bar // 2
                    found.append(Entry(program, state.bar_tick, max(middle, state.tick)))
        return found

    def free_by(self, state: State, program: int, single: bool) -> int:
        """Return the middle of the next bar in which a program that plays one note at a time must play."""
        if not single or program not in (state.bars_played if self.programs is None else self.programs):
            return NEVER
        played = state.bars_played.get(program, 0) - self.before.get(program, 0)
        played += state.latest_bar.get(program) != state.bar
        ahead = max(1, int(played / self.share) - (state.bar - self.first + 1) + 1)
        return state.bar_tick + ahead * state.ticks_per_bar + state.ticks_per_bar // 2


def ensemble_of(
    request: Request,
    scheme: Scheme,
    coverage: Coverage | None,
    playing: Collection[int] | None = None,
    tracks: Iterable[int] | None = None,
) -> Ensemble:
    """Return the ensemble of a request.

    Args:
        request: The request.
        scheme: The model's token scheme.
        coverage: What the model has learned; None: unknown.
        playing: The programs of the prompt or of the hole, -1 the drums; None: there is neither.
        tracks: The tracks of ``request.prompt`` that go on or are written anew; None: all.

    Raises:
        RequestError: The model cannot play what the request names.
    """
    if not scheme.has_programs:
        if request.programs is not None and set(request.programs) != {0}:
            raise RequestError("this model writes for one instrument and has no programs to choose from")
        return Ensemble()
    programs, remarks = allowed_programs(request.programs, playing, None if request.anyway else coverage)
    reach = line_counts = None
    if request.script is not None:  # it says how many notes sound, and what may play them
        return Ensemble(programs, remarks=remarks)
    if "ranges" not in request.without:
        own = {} if request.prompt is None else pitches_of_song(request.prompt)
        named = request.programs if request.programs is not None else playing
        asked = None if request.pitches is None else pitch_range(request)
        reach = ranges(coverage, own, asked, None if named is None else programs)
    if "lines" not in request.without:
        counts: Mapping[int, int | None] = {}
        if request.programs is not None:
            counts = dict.fromkeys(request.programs, 1)
        elif request.prompt is not None:
            counts = single_tracks(request.prompt, range(len(request.prompt.tracks)) if tracks is None else tracks)
        elif coverage is not None:
            counts = {program: learned.tracks for program, learned in coverage.instruments.items()}
        line_counts = lines(coverage, counts)
    joining = None
    if request.prompt is None and request.programs is None and "players" not in request.without:
        known = () if coverage is None or request.anyway else learned_together(coverage, request.controls.style)
        joining = LearnedTogether(tuple(frozenset(DRUMS if p == -1 else p for p in some) for some in known))
    return Ensemble(programs, reach, line_counts, remarks, joining)


def learned_together(coverage: Coverage, styles: Sequence[int]) -> tuple[frozenset[int], ...]:
    """Return the ensembles of a model's training pieces, of some styles alone where they are known; -1 is the drums."""
    of_styles = [coverage.of_styles.get(style, {}) for style in styles]
    return tuple({programs: None for found in of_styles for programs in found} or coverage.ensembles)


def named_players(
    request: Request, scheme: Scheme, state: State, first: int, *, go_on: bool = False
) -> InMostBars | None:
    """Return the rule that the programs a request names all play, from bar ``first`` of the state's counting on.

    Args:
        request: The request.
        scheme: The model's token scheme.
        state: The music at the end of the prompt.
        first: The first new bar.
        go_on: Whether, in a new piece for which none is named, those that have begun to play go on.
    """
    if request.script is not None or "players" in request.without or not (scheme.has_programs and scheme.has_notes):
        return None
    if request.programs is None:
        return InMostBars(None, first, share=HALF) if go_on and request.prompt is None else None
    programs = tuple(DRUMS if program == -1 else program for program in request.programs)
    return InMostBars(programs, first, dict(state.bars_played))


def players_of_hole(request: Request, scheme: Scheme, score: Score, bars: BarMap, hole: Hole) -> InBars | None:
    """Return the rule that who played in a bar of a hole plays there again; None: it does not hold.

    A track of which a note stays in a bar plays there already.
    """
    if request.script is not None or "players" in request.without or not scheme.has_notes:
        return None
    left = cut(score, bars, hole)[0]
    start, scale = int(bars.starts[hole.first]), scheme.timing.ticks_per_quarter / score.ticks_per_quarter
    found: dict[int, tuple[tuple[int, int], ...]] = {}
    for bar in range(hole.first, hole.last):
        span = int(bars.starts[bar]), int(bars.starts[bar + 1])
        entries: dict[int, int] = {}
        for number, track in enumerate(score.tracks):
            program = 0 if not scheme.has_programs else DRUMS if track.is_drum else int(track.program)
            onset = _first_onset(score, number, span)
            chosen = hole.tracks is None or number in hole.tracks
            if chosen and onset is not None and _first_onset(left, number, span) is None:
                tick = int((onset - start) * scale)
                entries[program] = min(tick, entries.get(program, tick))
        found[bar - hole.first] = tuple(sorted(entries.items()))
    return InBars(found)


def allowed_programs(
    asked: Sequence[int] | None, playing: Collection[int] | None, coverage: Coverage | None
) -> tuple[frozenset[int] | None, tuple[str, ...]]:
    """Return the programs that may play, -1 the drums, or None for all; and remarks.

    Args:
        asked: The programs that a request names; None: none.
        playing: The programs of the prompt or of the hole; None: there is neither.
        coverage: What the model has learned; None: unknown, or it does not count.

    Raises:
        RequestError: A program that is named, or all that play, are none that the model has learned.
    """
    if asked is not None:
        if outside := sorted(p for p in asked if not -1 <= p <= 127):
            raise RequestError(f"programs go from 0 to 127, and -1 for drums; there is no {outside[0]}")
        refuse_unlearned(asked, coverage)
        return frozenset(asked), ()
    if playing is None:
        return (None if coverage is None else frozenset(coverage.known)), ()
    if coverage is None:
        return frozenset(playing), ()
    known = frozenset(playing) & frozenset(coverage.known)
    if not known:
        refuse_unlearned(sorted(playing), coverage)
    silent = sorted(frozenset(playing) - known)
    remarks = [f"{in_words(silent)} will not play: the model has not learned {'them' if silent[1:] else 'it'}"]
    return known, tuple(remarks if silent else ())


def refuse_unlearned(programs: Iterable[int], coverage: Coverage | None) -> None:
    """Refuse programs that a model has not learned.

    Raises:
        RequestError: There is one; says what the model knows, and the nearest.
    """
    if coverage is None or not coverage.known:
        return
    for program in programs:
        if program not in coverage.known:
            nearest = coverage.nearest(program)
            several = nearest is not None and len(coverage.known) > 1
            instead = f", the nearest is {program_name(nearest)}" if several and nearest is not None else ""
            raise RequestError(
                f"this model has not learned {program_name(program)}: it knows {coverage.names()}{instead}; "
                "write it all the same with anyway=True"
            )


def ranges(
    coverage: Coverage | None, own: Mapping[int, tuple[int, int]], asked: Mask | None, played: Collection[int] | None
) -> Mask:
    """Return the pitches that each program may play, ``bool[129, 128]``.

    What General MIDI's instruments can play, narrowed by what a model has learned of each, and widened by what a song
    itself has of it. What a request asks for goes before: a program that could not play at all has no range.

    Args:
        coverage: What the model has learned; None: unknown.
        own: The lowest and the highest pitch of each program in the song; 128 is the drums.
        asked: The pitches that the request allows, ``bool[128]``; None: all.
        played: The programs that the request or the song names, -1 the drums; None: any.
    """
    found = np.zeros((DRUMS + 1, 128), np.bool_)
    for program in range(DRUMS + 1):
        number = -1 if program == DRUMS else program
        low, high = playable(number)
        learned = None if coverage is None else coverage.instruments.get(number)
        if coverage is not None and learned is not None and number in coverage.known:
            narrow = max(low, learned.pitches[0] - SLACK), min(high, learned.pitches[1] + SLACK)
            if narrow[1] - narrow[0] >= _LEAST or number == -1:
                low, high = narrow
        if program in own:
            low, high = min(low, own[program][0]), max(high, own[program][1])
        found[program, low : high + 1] = True
    if asked is not None:
        left: Mask = np.any(found[:DRUMS] & asked, axis=1)
        named = [p for p in played if p != -1] if played is not None else [] if left.any() else range(DRUMS)
        for program in named:
            found[program] |= not bool(left[program])
    return found


def pitches_of_song(score: Score) -> dict[int, tuple[int, int]]:
    """Return the lowest and the highest pitch of each program of a song; 128 is the drums."""
    found: dict[int, tuple[int, int]] = {}
    for track in score.tracks:
        if len(track.notes):
            pitches = track.notes.numpy()["pitch"]
            program = DRUMS if track.is_drum else int(track.program)
            low, high = found.get(program, (127, 0))
            found[program] = min(low, int(pitches.min())), max(high, int(pitches.max()))
    return found


def lines(coverage: Coverage | None, counts: Mapping[int, int | None]) -> NDArray[np.int64]:
    """Return the most notes of each program that may sound at once, ``int64[129]``.

    Solo strings, brass and woodwinds play one note at a time, if a model has not learned them otherwise.

    Args:
        coverage: What the model has learned; None: unknown.
        counts: By program how many players there are, or None for any number; other programs have any number.
    """
    found = np.full(DRUMS + 1, UNLIMITED, np.int64)
    for program, count in counts.items():
        learned = None if coverage is None else coverage.instruments.get(program)
        single = learned is None or learned.alone >= _LEARNED_SINGLE
        if count and single and program in SINGLE_LINE:
            found[program] = count
    return found


def single_tracks(score: Score, numbers: Iterable[int]) -> dict[int, int | None]:
    """Return by program how many of some tracks have it, or None where one of them plays several notes at once."""
    found: dict[int, int | None] = {}
    for number in numbers:
        track = score.tracks[number]
        if not len(track.notes) or track.is_drum:
            continue
        program, before = int(track.program), found.get(int(track.program), 0)
        onsets = track.notes.numpy()["time"]
        single = len(np.unique(onsets)) >= _SINGLE * len(onsets)
        found[program] = before + 1 if single and before is not None else None
    return found


def melody_players(score: Score, hole: Hole, melody: Collection[NoteRef]) -> frozenset[int]:
    """Return the programs that play nothing beside a melody that stays: it is the single line of their only tracks.

    Where other tracks of the hole have the melody's program, or its own track plays several notes at once, the other
    notes are an accompaniment.
    """
    counts = single_tracks(score, hole.tracks_in(score))
    mine = {note.track for note in melody}.intersection(hole.tracks_in(score))
    players = Counter(int(score.tracks[number].program) for number in mine)
    return frozenset(program for program, count in players.items() if counts.get(program) == count)


def accompanying_tracks(score: Score, hole: Hole, melody: Collection[NoteRef]) -> list[int]:
    """Return the tracks of the hole that are written anew: without those whose single line is a melody that stays.

    The only tracks of a program are among them, to be written where the melody rests.
    """
    alone = melody_players(score, hole, melody)
    out = []
    for number in hole.tracks_in(score):
        line = number in {note.track for note in melody} and single_tracks(score, [number])
        if not line or any(count is None or program in alone for program, count in line.items()):
            out.append(number)
    return out


def playing_tracks(score: Score, bars: BarMap, hole: Hole, tracks: Sequence[int]) -> list[int]:
    """Return those of some tracks whose notes in a hole are replaced; if there are none, those near it; else all."""
    if len(tracks) < 2:
        return list(tracks)
    taken = cut(score, bars, hole)[1]
    if inside := [number for number in tracks if len(taken.tracks[number].notes)]:
        return inside
    start = int(bars.starts[max(0, hole.first - _NEAR)])
    end = int(bars.starts[min(len(bars), hole.last + _NEAR)])
    near = [n for n in tracks if any(note.time < end and note.end > start for note in score.tracks[n].notes)]
    return near or list(tracks)


def _first_onset(score: Score, number: int, span: tuple[int, int]) -> int | None:
    """Return the first tick of a span at which a note of a track begins; None: none begins in it."""
    track = score.tracks[number]
    if not len(track.notes):
        return None
    onsets = track.notes.numpy()["time"]
    inside = onsets[(onsets >= span[0]) & (onsets < span[1])]
    return int(inside.min()) if len(inside) else None
