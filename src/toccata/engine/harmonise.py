"""The part of a model that harmonises: voices under a melody, each in its range, the melody as it was."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from symusic import Note, Score

from toccata.arguments import checked
from toccata.engine.generate import Event
from toccata.engine.rewrite import Ask, Part, bars_of, blocks
from toccata.engine.rewriting import Rewriting
from toccata.engine.sampling import Sampling
from toccata.engine.seeds import Seed
from toccata.errors import RequestError
from toccata.midi.bars import BarMap, bar_map, rescaled_onset
from toccata.midi.tracks import chosen_tracks
from toccata.piece import Piece
from toccata.tasks.fill import Hole
from toccata.tasks.prompt import Source
from toccata.tasks.request import Request
from toccata.tasks.voicing import CHOIR, Voice, Voicing, deal, sung, twice, under, why_not
from toccata.tasks.wishes import Levels, wished
from toccata.tokenizers.base import Tokenizer

BLOCK = 4
"""So many bars are harmonised at a time: four voices are many notes a bar."""


class Harmonising(Rewriting):
    """What :class:`~toccata.engine.model.Model` can do with a melody."""

    @checked
    def harmonise(
        self,
        song: Source,
        *,
        voices: Sequence[str] = ("alto", "tenor", "bass"),
        melody: int | str | None = None,
        bars: Sequence[tuple[int, int]] | None = None,
        n: int = 1,
        seed: Seed = None,
        sampling: Sampling | None = None,
        key: str | None = None,
        pitches: tuple[int, int] | None = None,
        controls: Levels | None = None,
        style: Sequence[str] = (),
        chords: str | None = None,
        on_event: Callable[[Event], None] | None = None,
    ) -> list[Piece]:
        """Voices under a melody; what is there stays, event for event.

        Every voice gets a track of its own, sings one note at a time, in its range, below the voice above it, while the
        melody sounds. They are played by the melody's instrument.

        Args:
            song: A MIDI file or its bytes, a Score, or a Piece.
            voices: Some of ``alto``, ``tenor`` and ``bass``.
            melody: The track of the melody: its number from 1, its name or its instrument's; None: the highest.
            bars: Where they sing: first and last bar of each span, counted from 1; None: all along.
            n: How many versions.
            seed: Version i is that of ``seed + i``. A list: one for each. None: new ones.
            sampling: How bold.
            key: Keep to a key.
            pitches: Lowest and highest pitch of the voices.
            controls: Levels the model is told, for all the bars or for each of them.
            style: Styles the model is told.
            chords: A chart for the bars.
            on_event: Called with notes and bars as they are written.

        Raises:
            MidiError: The song cannot be read or not be taken apart, or it has no channel left.
            RequestError: There are no such bars or voices, no melody, or one of two notes at once; or the model has not
                learned to fill.
        """
        opened = self._song(song)
        if reason := why_not(self.tokenizer):
            raise RequestError(f"{self.name} cannot harmonise: {reason}; train a model with recipe toccata")
        choir = _choir(voices)
        lines = bar_map(opened.score)
        number = _melody(opened.score, lines, melody)
        under_it = Choir(opened.score, lines, number, choir, self.tokenizer)
        spans = [(0, len(lines))] if bars is None else [(first - 1, last) for first, last in bars]
        whole = blocks(lines, spans, frozenset())
        holes = [hole for hole in blocks(lines, _short(whole), frozenset()) if not under_it.rule(hole).rests]
        if not holes:
            named = " or ".join(voice.name.lower() for voice in choir)
            raise RequestError(f"no {named} can sing under the melody there: it rests, or lies too low")
        track = opened.score.tracks[number]
        programs = (int(track.program),) if self.tokenizer.grammar().scheme.has_programs else None
        asks = [
            Ask(hole, programs, lambda hole: (under_it.rule(hole),), under_it.rule, under_it.parts) for hole in holes
        ]
        there = bars_of(whole)  # wishes are counted through bars in which the voices rest, too
        request = wished(Request(key=key, pitches=pitches), len(there), self.styles, controls, style, chords)
        said = {"voices": [voice.name for voice in choir], "melody": number}
        return self._rewrite(opened, asks, request, n, seed, sampling or Sampling(), on_event, said, there)


def _choir(names: Sequence[str]) -> tuple[Voice, ...]:
    known = {voice.name.lower(): voice for voice in CHOIR}
    wanted = {name.strip().lower() for name in names}
    if unknown := sorted(wanted - set(known)):
        raise RequestError(f"there is no voice {unknown[0]!r}: there are {', '.join(known)}")
    if not wanted:
        raise RequestError(f"no voice is named: there are {', '.join(known)}")
    return tuple(voice for name, voice in known.items() if name in wanted)


def _melody(song: Score, bars: BarMap, asked: int | str | None) -> int:
    """The number of the track that has the melody."""
    pitched = {n: t for n, t in enumerate(song.tracks) if len(t.notes) and not t.is_drum}
    if not pitched:
        raise RequestError("the song has no melody: no track of it has pitched notes")
    if asked is None:
        number = max(pitched, key=lambda n: float(np.mean([note.pitch for note in pitched[n].notes])))
    else:
        found = chosen_tracks(song, [asked])
        number = min(found)
        if number not in pitched:
            raise RequestError(f"track {number + 1} is drums: it has no melody")
    notes = [(note.time, note.end, note.pitch) for note in song.tracks[number].notes]
    tick = twice(notes, song.ticks_per_quarter)
    if tick is not None:
        raise RequestError(
            f"track {number + 1} has two notes at once in bar {bars.at(tick) + 1}, and a melody has one: name another "
            "track as the melody, or put the melody on a track of its own"
        )
    return number


def _short(holes: Sequence[Hole]) -> list[tuple[int, int]]:
    """The spans of some holes, none longer than ``BLOCK``."""
    out = []
    for hole in holes:
        count = -(-(hole.last - hole.first) // BLOCK)
        edges = [hole.first + (hole.last - hole.first) * i // count for i in range(count + 1)]
        out += list(pairwise(edges))
    return out


@dataclass(frozen=True)
class Choir:
    """Voices under the melody of a song.

    Attributes:
        song: The song as it was given.
        bars: Its bars.
        melody: The number of the melody's track.
        voices: From the highest down.
        tokenizer: The model's.
    """

    song: Score
    bars: BarMap
    melody: int
    voices: tuple[Voice, ...]
    tokenizer: Tokenizer

    def rule(self, hole: Hole) -> Voicing:
        """What may be sung in a hole."""
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

    def parts(self, new: Score, stands: Score, bars: BarMap, ask: Ask) -> list[Part]:
        """New music for a hole as tracks of the voices, after those of the song."""
        start, scale = int(bars.starts[ask.hole.first]), stands.ticks_per_quarter / new.ticks_per_quarter
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
        heard = [(n.time, n.end, n.pitch) for n in self.song.tracks[self.melody].notes]
        for number, line in enumerate(deal(under(notes, heard), self.voices, before)):
            some = tuple(Note(a, b - a, pitch, velocity) for a, b, pitch, velocity in line)
            if some:
                out.append(Part(first + number, program, some, self.voices[number].name))
        return out

    def _line(self) -> list[tuple[int, int, int]]:
        notes = [(n.time, n.end, n.pitch) for n in self.song.tracks[self.melody].notes]
        return sung(notes, self.song.ticks_per_quarter)


def _last(song: Score, number: int, before: int) -> int | None:
    """The pitch that a track had last before a tick."""
    if number >= len(song.tracks):
        return None
    return max(((n.time, n.pitch) for n in song.tracks[number].notes if n.time < before), default=(0, None))[1]
