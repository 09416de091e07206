"""Harmonisation: voices under a melody, each in its range; the melody is unchanged."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import pairwise

import numpy as np
from symusic import Note, Score

from toccata.engine.sampling import Sampling
from toccata.errors import RequestError
from toccata.midi.bars import BarMap, bar_map, rescaled_onset
from toccata.midi.keys import Key, estimate_closing, weights
from toccata.tasks.chords import strong_beats
from toccata.tasks.fill import Hole
from toccata.tasks.plan import Slot, planned, slots
from toccata.tasks.prompt import Prompt
from toccata.tasks.request import Request
from toccata.tasks.voiced import Voiced
from toccata.tasks.voicing import CHOIR, ChoirVoice, Voicing, deal, sung, tied, twice, under, why_not
from toccata.tokenizers.base import Tokenizer
from toccata.verbs.holes import InfillJob, Part, bars_of, blocks
from toccata.verbs.infill import Infill, infill_of
from toccata.verbs.writer import Writer

MELODIES = ("melody", "soprano", "voice", "vocal", "cantus", "lead")
"""Words in the names of tracks that are melodies; the highest of them is taken first."""
BLOCK = 4
"""The most bars that are harmonised at a time: four voices have many notes per bar."""


def harmony_of(
    writer: Writer,
    song: Prompt,
    voices: Sequence[str],
    melody: int | str | None,
    spans: Sequence[tuple[int, int]] | None,
    sampling: Sampling,
) -> Infill:
    """Return the :class:`Infill` of voices under a melody, with an empty request.

    Args:
        writer: The model.
        song: The song.
        voices: Some of ``alto``, ``tenor`` and ``bass``.
        melody: The melody's track: a number from 1 or a name; None: the highest.
        spans: First bar and the bar after the last one of each span, counted from 0; None: all.
        sampling: The sampling parameters.

    Raises:
        RequestError: There are no such bars or voices, there is no melody or it has two notes at once, or the model
            cannot harmonise.
    """
    if reason := why_not(writer.tokenizer):
        raise RequestError(f"{writer.name} cannot harmonise: {reason}; train a model with recipe toccata")
    wanted = _choir(voices)
    lines = bar_map(song.score)
    whole = blocks(lines, [(0, len(lines))] if spans is None else spans, frozenset())
    number = _melody(song, lines, melody, whole)
    choir = Choir(song.score, lines, number, wanted, writer.tokenizer)
    holes = [hole for hole in blocks(lines, _short(whole), frozenset()) if not choir.rule(hole).rests]
    if not holes:
        named = " or ".join(voice.name.lower() for voice in wanted)
        raise RequestError(f"no {named} can sing under the melody there: it rests, or lies too low")
    track = song.score.tracks[number]
    programs = (int(track.program),) if writer.tokenizer.grammar().scheme.has_programs else None
    jobs = [
        InfillJob(hole, programs, lambda hole: (choir.rule(hole),), choir.rule, choir.parts, choir.plan)
        for hole in holes
    ]
    extra_origin = {"voices": [voice.name for voice in wanted], "melody": number}
    # Controls also count bars in which the voices rest.
    return infill_of(
        song,
        jobs,
        Request(),
        sampling,
        bars=bars_of(whole),
        extra_origin=extra_origin,
        new_tracks=[int(track.program)] * len(wanted),
    )


def _choir(names: Sequence[str]) -> tuple[ChoirVoice, ...]:
    known = {voice.name.lower(): voice for voice in CHOIR}
    wanted = {name.strip().lower() for name in names}
    if unknown := sorted(wanted - set(known)):
        raise RequestError(f"there is no voice {unknown[0]!r}: there are {', '.join(known)}")
    if not wanted:
        raise RequestError(f"no voice is named: there are {', '.join(known)}")
    return tuple(voice for name, voice in known.items() if name in wanted)


def _melody(prompt: Prompt, bars: BarMap, requested: int | str | None, holes: Sequence[Hole]) -> int:
    """Return the index of the melody's track, which has one note at a time in ``holes``."""
    song = prompt.score
    pitched = {n: t for n, t in enumerate(song.tracks) if len(t.notes) and not t.is_drum}
    if not pitched:
        raise RequestError("the song has no melody: no track of it has pitched notes")
    if requested is None:
        called = {n: t for n, t in pitched.items() if any(word in t.name.lower() for word in MELODIES)}
        number = max(called or pitched, key=lambda n: float(np.mean([note.pitch for note in pitched[n].notes])))
    else:
        found = prompt.tracks([requested])
        number = min(found)
        if number not in pitched:
            raise RequestError(f"track {number + 1} is drums: it has no melody")
    spans = [(int(bars.starts[hole.first]), int(bars.starts[hole.last])) for hole in holes]
    notes = [
        (note.time, note.end, note.pitch)
        for note in song.tracks[number].notes
        if any(note.time < end and note.end > start for start, end in spans)
    ]
    tick = twice(notes, song.ticks_per_quarter)
    if tick is not None:
        raise RequestError(
            f"track {number + 1} has two notes at once in bar {bars.at(tick) + 1}, and a melody has one: name another "
            "track as the melody, or put the melody on a track of its own"
        )
    return number


def _short(holes: Sequence[Hole]) -> list[tuple[int, int]]:
    """Split holes into spans no longer than ``BLOCK``."""
    out = []
    for hole in holes:
        count = -(-(hole.last - hole.first) // BLOCK)
        edges = [hole.first + (hole.last - hole.first) * i // count for i in range(count + 1)]
        out += list(pairwise(edges))
    return out


@dataclass(frozen=True)
class Choir:
    """The voices under the melody of a song.

    Attributes:
        song: The original song.
        bars: Its bars.
        melody: The index of the melody's track.
        voices: The voices, from the highest down.
        tokenizer: The model's tokenizer.
    """

    song: Score
    bars: BarMap
    melody: int
    voices: tuple[ChoirVoice, ...]
    tokenizer: Tokenizer

    def rule(self, hole: Hole) -> Voicing:
        """Return the rule for the voices of a hole."""
        scheme = self.tokenizer.grammar().scheme
        scale = scheme.timing.ticks_per_quarter / self.song.ticks_per_quarter
        start, end = int(self.bars.starts[hole.first]), int(self.bars.starts[hole.last])
        melody = [
            (round((max(a, start) - start) * scale), round((min(b, end) - start) * scale), pitch)
            for a, b, pitch in self._line()
            if a < end and b > start
        ]
        shortest = min(int(lengths.min()) for lengths in scheme.shortest_notes.values())
        return Voicing(melody, self.voices, max(1, shortest))

    def plan(self, hole: Hole, seed: int, key: str | None) -> Voiced:
        """Return the chords of a hole in the version of a seed, in a key; None: that of the song."""
        known = self._key if key is None else Key.read(key)
        scale = self.tokenizer.grammar().scheme.timing.ticks_per_quarter / self.song.ticks_per_quarter
        start, end = int(self.bars.starts[hole.first]), int(self.bars.starts[hole.last])
        if (known, seed) not in self._plans:
            found = planned(self._slots, known, seed, self.voices)
            self._plans[known, seed] = replace(found, melody=tuple(self._line()))
        return self._plans[known, seed].part(start, end, scale)

    @cached_property
    def _plans(self) -> dict[tuple[Key, int], Voiced]:
        """The plans of the whole song so far, of which each hole has a part."""
        return {}

    @cached_property
    def _key(self) -> Key:
        """The key of the song, in which its melody closes."""
        return estimate_closing(weights(self.song), self._line()[-1][2])

    @cached_property
    def _slots(self) -> list[Slot]:
        beats: list[int] = []
        strong: list[int] = []
        for bar, (count, unit) in enumerate(self.bars.meters):
            compound = count % 3 == 0 and count > 3 and unit >= 8
            size = self.song.ticks_per_quarter * 4 * (3 if compound else 1) // unit
            mine = list(range(int(self.bars.starts[bar]), int(self.bars.starts[bar + 1]), max(1, size)))
            beats += mine
            strong += [mine[beat] for beat in strong_beats(len(mine)) if beat < len(mine)]
        return slots(self._line(), self.bars.starts.tolist(), beats, strong)

    def parts(self, new: Score, stands: Score, bars: BarMap, job: InfillJob) -> list[Part]:
        """Assign the new notes of a hole to a track for each voice, after the tracks of the song."""
        start, scale = int(bars.starts[job.hole.first]), stands.ticks_per_quarter / new.ticks_per_quarter
        notes = [
            (
                start + rescaled_onset(n.time, stands.ticks_per_quarter, new.ticks_per_quarter),
                start + round(n.end * scale),
                n.pitch,
                n.velocity,
            )
            for track in new.tracks
            for n in track.notes
        ]
        first = len(self.song.tracks)
        before = [_last(stands, first + number, start) for number in range(len(self.voices))]
        program = int(self.song.tracks[self.melody].program)
        out = []
        melody = [(n.time, n.end, n.pitch) for n in self.song.tracks[self.melody].notes]
        struck = {onset for onset, _, _ in melody}
        for number, line in enumerate(deal(under(notes, melody), self.voices, before)):
            some = tuple(Note(a, b - a, pitch, velocity) for a, b, pitch, velocity in tied(line, struck))
            if some:
                out.append(Part(first + number, program, some, self.voices[number].name))
        return out

    def _line(self) -> list[tuple[int, int, int]]:
        notes = [(n.time, n.end, n.pitch) for n in self.song.tracks[self.melody].notes]
        return sung(notes, self.song.ticks_per_quarter)


def _last(song: Score, number: int, before: int) -> int | None:
    """Return the last pitch of a track before a tick; None: there is none."""
    if number >= len(song.tracks):
        return None
    return max(((n.time, n.pitch) for n in song.tracks[number].notes if n.time < before), default=(0, None))[1]
