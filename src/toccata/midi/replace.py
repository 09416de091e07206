"""Replaces notes of a MIDI file; all its other events are preserved.

Notes to remove are given by tick and by track of the parsed Score; ``notes.score_places`` finds those tracks in the
file. What is preserved is never decoded (see ``splice``).
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from itertools import accumulate, groupby
from math import inf

from symusic import Score

from toccata.errors import MidiError
from toccata.midi import smf
from toccata.midi.gm import DRUM_CHANNEL, track_name
from toccata.midi.instruments import Instruments
from toccata.midi.notes import Place, notes_of, score_places
from toccata.midi.seam import Seam
from toccata.midi.smf import MidiFile, MidiTrack
from toccata.midi.splice import add_text, merged, named_track
from toccata.midi.voices import Added, Part, Rank, lay, track_voice


@dataclass(frozen=True)
class Hole:
    """A range of a file whose notes are removed.

    Attributes:
        start: The first tick: notes that begin from here on are removed.
        end: The tick after the last.
        tracks: The numbers of the tracks, from 0, as the Score that ``read_score`` makes of the file has them; None:
            all of them.
        preserved: Notes that are not removed: the number of the track, the tick where the note begins, its pitch.
    """

    start: int
    end: int
    tracks: frozenset[int] | None = None
    preserved: frozenset[tuple[int, int, int]] = frozenset()


Notes = list[tuple[int, int, int, int]]
"""Start and end in ticks, pitch and velocity of some notes."""


def replace_notes(
    midi: bytes, holes: Sequence[Hole], new: Score, targets: Sequence[int | None], *, at: int = 0, text: str = ""
) -> bytes:
    """Return the file of :func:`replaced`, with a text that is known beforehand."""
    return replaced(midi, holes, new, targets, at=at, text=lambda _: text)[0]


def replaced(
    midi: bytes,
    holes: Sequence[Hole],
    new: Score,
    targets: Sequence[int | None],
    *,
    text: Callable[[int], str],
    at: int = 0,
) -> tuple[bytes, list[Notes]]:
    """Replace the notes in ``holes`` with those of ``new``; every other event is preserved.

    Removed are the note-ons in the holes and their note-offs, wherever they are. A note that began before a hole is
    unchanged. Controllers, pedals, bends, texts and lyrics are preserved, also in the holes.

    A new note stands at ``at + round(tick * ticks a quarter of the file / those of new)``, in the holes or not:

    - with a number in ``targets``, in that track of the file: of its track only the notes are used. Where the file has
      changed to another program in that channel by then, program changes stand right before and after the note-on;
    - with None, in a track of its own at the end of the file (of type 0: in its one track), with name, program and
      controllers, on a channel that the file does not use, else on one whose notes are over, else on one of the same
      program. Drums are on channel 9.

    No key of a channel is struck while it sounds, in whichever tracks: a new note ends where the next one or an old one
    begins; it is left out where an old one sounds or begins with it. Where tracks share a channel, a note ends a tick
    before one in a track further up begins, and begins a tick after one in a track further down ends, as players that
    go through the tracks in turn would silence it.

    Args:
        midi: The bytes of a MIDI file of type 0 or 1, any ticks per quarter.
        holes: The ranges whose notes are removed; they may overlap.
        new: The new notes, any ticks per quarter. Its tempo, meter and keys are not used.
        targets: For each track of ``new`` the number, as in a hole, of the file's track that it goes to; None: a new
            one.
        at: The tick of the file that is tick 0 of ``new``.
        text: Called with the number of new notes that are in the file; returns what is stored as a text event at tick 0
            of the first track, after what stands there; empty: none is.

    Returns:
        The bytes of the new file, and for each track of ``new`` the notes of it that are in the file.

    Raises:
        MidiError: ``midi`` cannot be taken apart, or has no channel left for a new track; the message is the bare
            reason.
        ValueError: A hole ends before it begins, there is no such track, ``targets`` are not as many as the tracks of
            ``new``, or ``at`` is negative.
    """
    file = smf.read(midi)
    tracks = file.tracks or [MidiTrack()]
    single = file.format == 0 and len(tracks) == 1
    instruments = Instruments(tracks)
    places = score_places(tracks, instruments)
    _refuse_absurd(holes, targets, new, len(places), at)
    spans = [(h.start, h.end, None if h.tracks is None else {places[n] for n in h.tracks}) for h in holes]
    preserved = {(places[n], tick, pitch) for hole in holes for n, tick, pitch in hole.preserved}
    tracks = [_without(track, number, spans, preserved, instruments) for number, track in enumerate(tracks)]
    voices = [track_voice(track, at, file.division, new.ticks_per_quarter) for track in new.tracks]
    given: list[Part] = []
    fresh: list[Part] = []
    for voice, target in zip(voices, targets, strict=True):
        if target is not None:
            voice.track, voice.channel, voice.program = places[target]
            voice.announced, voice.others = False, []
        if voice.notes:
            (fresh if target is None else given).append(voice)
    names = settle(fresh, tracks, single, instruments.drum_channels)
    make_room(given + fresh, tracks)
    added = laid(given, fresh, tracks)
    tracks += [named_track(name) for name in names]
    out = [merged(track, added[number]) for number, track in enumerate(tracks)]
    if own := text(sum(len(voice.notes) for voice in voices)):
        add_text(out[0], own)
    changed = MidiFile(0 if single else 1, file.division, out, file.foreign)
    return smf.write(changed), [voice.notes for voice in voices]


def _refuse_absurd(holes: Sequence[Hole], targets: Sequence[int | None], new: Score, tracks: int, at: int) -> None:
    if at < 0 or any(not 0 <= hole.start <= hole.end for hole in holes):
        raise ValueError(f"new notes from tick {at} on, in {list(holes)}")
    if len(targets) != len(new.tracks):
        raise ValueError(f"{len(targets)} targets for {len(new.tracks)} new tracks")
    named = {number for hole in holes for number in hole.tracks or ()} | {n for n in targets if n is not None}
    if wrong := [number for number in sorted(named) if not 0 <= number < tracks]:
        raise ValueError(f"there is no track {wrong[0]}: the file's Score has {tracks}")


def _without(
    track: MidiTrack,
    number: int,
    spans: Sequence[tuple[int, int, set[Place] | None]],
    preserved: set[tuple[Place, int, int]],
    instruments: Instruments,
) -> MidiTrack:
    """Return ``track`` without the notes that begin in ``spans`` (start, end, places) and not in ``preserved``."""
    removed = set()
    for note in notes_of(track, number, instruments)[0]:
        if (note.place, note.start, note.pitch) in preserved:
            continue
        if any(start <= note.start < end and (own is None or note.place in own) for start, end, own in spans):
            removed |= {note.on, note.off}
    return MidiTrack([event for n, event in enumerate(track.events) if n not in removed], track.end)


def settle(
    voices: Sequence[Part], tracks: Sequence[MidiTrack], single: bool, drum_channels: frozenset[int]
) -> list[str]:
    """Give each of ``voices`` a track of its own and a channel; return the names of the new tracks.

    Args:
        voices: What needs a track; each has notes.
        tracks: Those of the file.
        single: Whether the file is of type 0: all goes into its one track.
        drum_channels: The channels that play drums.

    Raises:
        MidiError: There is no channel left; the message is the bare reason.
    """
    names: list[str] = []
    channels = _Channels(tracks if voices else (), drum_channels)
    for voice in voices:
        voice.start = min([voice.notes[0][0]] + [tick for tick, _ in voice.others])
        voice.track = 0 if single else len(tracks) + len(names)
        names += [] if single else [voice.name]
        if voice.drums:
            voice.channel = DRUM_CHANNEL if DRUM_CHANNEL in drum_channels else min(drum_channels, default=DRUM_CHANNEL)
            voice.announced = voice.channel not in channels.events
        else:
            voice.channel = channels.take(voice.program, voice.start, voice.name)
            if voice.channel in channels.shared:  # its controllers and bends are those of the notes that are there
                voice.others = [(tick, data) for tick, data in voice.others if data[0] >= 0xF0]
            elif voice.channel in channels.events:
                seam = Seam.of(tracks, voice.start)
                rest = seam.resets(voice.channel) + seam.defaults(voice.channel)
                voice.others[:0] = [(voice.start, data) for data in rest]
    return names


def refuse_no_channel(midi: bytes, programs: Sequence[int], start: int) -> None:
    """Refuse a file that has no channel left for some new tracks.

    Args:
        midi: The bytes of the file.
        programs: The program of each new track; -1 is the drums.
        start: The tick at which the first of them may begin.

    Raises:
        MidiError: There is none, or the file cannot be taken apart; the message is the bare reason.
    """
    file = smf.read(midi)
    channels = _Channels(file.tracks, Instruments(file.tracks).drum_channels)
    for program in programs:
        if program != -1:
            channels.take(program, start, track_name("", program, False))


class _Channels:
    """The channels of a file that new tracks get.

    Attributes:
        events: The tick of the last event of each channel that has any.
        shared: Channels that more than one track plays on, by the rules of :meth:`take`.
    """

    def __init__(self, tracks: Sequence[MidiTrack], drum_channels: frozenset[int]) -> None:
        self.events: dict[int, int] = {}
        self.shared: set[int] = set()
        self._busy: dict[int, float] = {}  # until when a channel's notes sound
        self._selected: dict[int, list[tuple[int, int]]] = defaultdict(list)  # ticks and programs
        self._pitched = [channel for channel in range(16) if channel not in drum_channels]
        for number, track in enumerate(tracks):
            for event in track.events:
                if event.channel >= 0:
                    self.events[event.channel] = max(self.events.get(event.channel, 0), event.tick)
                if event.begins_note or event.ends_note:
                    self._busy[event.channel] = max(self._busy.get(event.channel, 0), event.tick)
                elif event.kind == smf.PROGRAM:
                    self._selected[event.channel].append((event.tick, min(event.data[1], 127)))
            self._busy |= {note.place.channel: inf for note in notes_of(track, number)[0] if note.end is None}

    def take(self, program: int, start: int, name: str) -> int:
        """Return the channel for a track that begins at a tick.

        A channel that the file does not use, else one whose notes are over and whose program does not change later,
        else one of the same program, which is shared.

        Raises:
            MidiError: There is none; the message is the bare reason.
        """
        over = [c for c in self._pitched if self._busy.get(c, -1) < start]
        steady = [c for c in over if all(tick <= start for tick, _ in self._selected[c])]
        free = sorted(steady, key=lambda c: (c in self.events, c in self._busy, self.events.get(c, 0) > start))
        alike = [c for c in self._pitched if ({own for _, own in self._selected[c]} or {0}) == {program}]
        if not free and not alike:
            raise MidiError(
                f"has no channel left for {name}: there are 15, and others play on all of them; add an instrument that "
                "the song has, or delete a track"
            )
        channel = (free or alike)[0]
        if not free:
            self.shared.add(channel)
        else:
            self._selected[channel] = [(start, program)]
        self._busy[channel] = inf
        return channel


@dataclass
class _Key:
    """The notes of one pitch on one channel.

    Attributes:
        sounding: The file's notes: start, end, track.
        stray: Note-offs of the file that end no note: tick and track.
        new: New notes: start, number of the voice, end, velocity.
    """

    sounding: list[tuple[int, float, int]] = field(default_factory=list)
    stray: list[tuple[int, int]] = field(default_factory=list)
    new: list[tuple[int, int, int, int]] = field(default_factory=list)

    def fitted(self, track_of: Sequence[int]) -> list[tuple[int, int, int, int]]:
        """Return the new notes that can sound, shortened where necessary; ``track_of`` has the track of each voice."""
        out = []
        old = sorted(self.sounding)
        onsets = [(start, track) for start, _, track in old]
        until = [-1.0, *accumulate((end for _, end, _ in old), max)]  # what has begun sounds until then
        stray = sorted(self.stray)
        lowest: dict[float, int] = {}  # of the tracks in which something ends at a tick, the one furthest down
        for tick, track in [(end, track) for _, end, track in old] + stray:
            lowest[tick] = max(track, lowest.get(tick, track))
        for start, number, end, velocity in sorted(self.new, key=lambda note: (-note[0], note[1])):
            track = track_of[number]
            while lowest.get(start, track) > track:
                start += 1
            after = bisect_right(onsets, (start, inf))
            if until[bisect_left(old, (start,))] > start or (after and onsets[after - 1][0] == start):
                continue
            if after < len(onsets):
                tick, other = onsets[after]
                end = min(end, tick - (other < track))
            if (place := bisect_right(stray, (start, inf))) < len(stray):
                end = min(end, stray[place][0])
            if start < end:
                out.append((start, number, end, velocity))
                insort(onsets, (start, track))
        return out


def make_room(voices: Sequence[Part], tracks: Sequence[MidiTrack]) -> None:
    """Shorten or drop new notes that would collide with a sounding note of the same pitch and channel."""
    keys: dict[tuple[int, int], _Key] = defaultdict(_Key)
    for number, voice in enumerate(voices):
        for start, end, pitch, velocity in voice.notes:
            keys[voice.channel, pitch].new.append((start, number, end, velocity))
        voice.notes = []
    channels = {channel for channel, _ in keys}
    for number, track in enumerate(tracks):
        if not any(event.data[0] < 0xF0 and event.data[0] & 0x0F in channels for event in track.events):
            continue
        notes, stray = notes_of(track, number)
        for note in notes:
            if key := keys.get((note.place.channel, note.pitch)):
                key.sounding.append((note.start, inf if note.end is None else note.end, number))
        for event in (track.events[index] for index in stray):
            if key := keys.get((event.channel, min(event.data[1], 127))):
                key.stray.append((event.tick, number))
    for (_, pitch), key in keys.items():
        for start, number, end, velocity in key.fitted([voice.track for voice in voices]):
            voices[number].notes.append((start, end, pitch, velocity))
    for voice in voices:
        voice.notes.sort()


def laid(given: Sequence[Part], fresh: Sequence[Part], tracks: Sequence[MidiTrack]) -> dict[int, list[Added]]:
    """Return the events of the new notes, by track: those in the file's tracks, and those in tracks of their own."""
    out: dict[int, list[Added]] = defaultdict(list)
    instruments = Instruments(tracks)
    for voice in given:
        out[voice.track] += _in_program(lay([voice], Seam(0))[voice.track], voice, instruments)
    for voice in fresh:
        out[voice.track] += lay([voice], Seam(0))[voice.track]
    return out


def _in_program(events: Iterable[Added], voice: Part, instruments: Instruments) -> list[Added]:
    """Return ``events`` with program changes around note-ons where another program than the voice's is in force.

    Args:
        events: The voice's.
        voice: It names its program.
        instruments: Those of the file.
    """
    out: list[Added] = []
    for (tick, rank), group in groupby(events, key=lambda event: event[:2]):
        in_force = instruments.after(voice.track, voice.channel, tick)
        if rank != Rank.NOTE_ON or in_force == voice.program:
            out += group
            continue
        change = smf.PROGRAM | voice.channel
        out += [(tick, rank, bytes((change, voice.program))), *group, (tick, rank, bytes((change, in_force)))]
    return out
