"""Assigns new notes to tracks and channels of a MIDI file, with program changes."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from enum import IntEnum

from symusic import Score, Track

from toccata.midi import smf
from toccata.midi.bars import rescaled_onset
from toccata.midi.gm import track_name
from toccata.midi.instruments import BANKS
from toccata.midi.seam import Home, Seam
from toccata.midi.spread import line_of, spread
from toccata.midi.text import to_bytes

_SUSTAIN = 64


class Rank(IntEnum):
    """The order of events at one tick."""

    NOTE_OFF = 0
    ORIGINAL = 1
    META = 2
    RESET = 3
    BANK = 4
    PROGRAM = 5
    CONTROL = 6
    NOTE_ON = 7


Added = tuple[int, int, bytes]
"""A new event: its tick, its rank, its bytes."""

_Note = tuple[int, int, int, int]
"""Start and end in ticks, pitch, velocity."""


@dataclass
class Part:
    """The notes of one new track, and the place they go to.

    Attributes:
        name: The track's name, or its instrument's.
        program: The General MIDI program, 0 to 127.
        drums: Whether this is a drum track.
        start: The tick before which nothing of it sounds, where its program change stands.
        notes: ``(start, end, pitch, velocity)`` in the file's ticks; no two of one pitch overlap.
        others: Controllers, bends and lyrics, by tick.
        track: The file's track it goes to.
        channel: Its channel.
        announced: Whether it needs a program change.
    """

    name: str
    program: int
    drums: bool
    start: int
    notes: list[_Note]
    others: list[tuple[int, bytes]] = field(default_factory=list)
    track: int = -1
    channel: int = -1
    announced: bool = True


def score_voices(score: Score, at: int, division: int) -> list[Part]:
    """The tracks of ``score`` that hold something, tick 0 moved to ``at``, in ``division`` ticks a quarter."""
    voices = [track_voice(track, at, division, score.ticks_per_quarter) for track in score.tracks]
    return [voice for voice in voices if voice.notes or voice.others]


def track_voice(track: Track, at: int, division: int, tpq: int) -> Part:
    """Return the part of ``track``, converted from ``tpq`` to ``division`` ticks a quarter, with tick 0 at ``at``."""

    def moved(tick: int) -> int:
        return at + round(tick * division / tpq)

    others = [(moved(max(0, tick)), data) for tick, data in _others(track)]
    columns = [track.notes.numpy()[name].tolist() for name in ("time", "duration", "pitch", "velocity")]
    notes = [
        (
            at + rescaled_onset(max(0, time), division, tpq),
            moved(max(0, time) + max(0, duration)),
            pitch & 0x7F,
            min(max(1, velocity), 127),
        )
        for time, duration, pitch, velocity in zip(*columns, strict=True)
    ]
    program = track.program & 0x7F
    name = track.name.strip() or track_name("", track.program, track.is_drum)
    return Part(name, program, track.is_drum, at, _apart(notes), others)


def place(voices: list[Part], seam: Seam, first: int | None) -> list[str]:
    """Give each voice its track and channel; see ``splice.continue_file`` for the rules.

    Voices that would collide with the original are split: what collides is appended to ``voices``, on a second channel.

    Args:
        voices: The new notes.
        seam: The original at the seam.
        first: The number that the first new track gets; None to put all into track 0.

    Returns:
        The names of the new tracks, in order.
    """
    names: list[str] = []
    homes = _matched(voices, seam)
    _share_out(voices, homes, seam)
    channels = _Channels(seam, [home.channel for home in homes.values()])
    channels.expect(voice.program for n, voice in enumerate(voices) if n not in homes and not voice.drums)
    for number, voice in enumerate(list(voices)):
        if home := homes.get(number):
            voice.track, voice.channel, voice.announced = home.track, home.channel, False
            if home.channel in seam.busy:  # the original goes on: its pedals and bends are its own
                voice.others = [(tick, data) for tick, data in voice.others if data[0] >= 0xF0]
            if twin := _twin(voice, home, channels, seam):
                voices.append(twin)
            voice.program = seam.programs[home.channel]
            continue
        voice.channel, voice.announced = channels.take(voice)
        voice.track = 0 if first is None else first + len(names)
        if first is not None:
            names.append(voice.name)
        if not voice.announced:
            voice.program = seam.programs[voice.channel]
        else:
            voice.others[:0] = [(voice.start, data) for data in seam.defaults(voice.channel)]
    return names


def lay(voices: Sequence[Part], seam: Seam) -> dict[int, list[Added]]:
    """The events of ``voices`` by track: in each list, events of one tick and rank are in their final order."""
    added: dict[int, list[Added]] = defaultdict(list)
    for channel in sorted({voice.channel for voice in voices}):
        here = [voice for voice in voices if voice.channel == channel]
        for data in seam.resets(channel):
            added[here[0].track].append((seam.tick, Rank.RESET, data))
        shared = len({voice.program for voice in here}) > 1
        banks = [_bank(voice) for voice in here]
        for voice, bank in zip(here, banks, strict=True):
            if voice.announced and not shared:
                added[voice.track].extend((voice.start, Rank.BANK, data) for data in bank.values())
                added[voice.track].append((voice.start, Rank.PROGRAM, _program(voice)))
            others = [(tick, _on_channel(data, channel)) for tick, data in voice.others]
            if voice.announced or shared:  # else the original's bank holds
                others = [(tick, data) for tick, data in others if data not in bank.values()]
            added[voice.track].extend((tick, Rank.CONTROL, data) for tick, data in others)
            for _, end, pitch, _ in voice.notes:
                added[voice.track].append((end, Rank.NOTE_OFF, bytes((smf.NOTE_OFF | channel, pitch, 0))))
        current = -1 if shared else here[0].program
        announced: set[int] = set()  # each track has its program at least once, as some readers go by tracks
        onsets = [(note[0], n, note) for n, voice in enumerate(here) for note in voice.notes]
        for start, n, (_, _, pitch, velocity) in sorted(onsets):
            voice = here[n]
            if voice.program != current or (shared and n not in announced):
                current = voice.program
                announced.add(n)
                if any(banks):  # a voice without a bank of its own is not to play the one before
                    numbers = {number for other in banks for number in other}
                    bank = {number: bytes((smf.CONTROL | channel, number, 0)) for number in numbers} | banks[n]
                    added[voice.track].extend((start, Rank.NOTE_ON, data) for _, data in sorted(bank.items()))
                added[voice.track].append((start, Rank.NOTE_ON, _program(voice)))
            added[voice.track].append((start, Rank.NOTE_ON, bytes((smf.NOTE_ON | channel, pitch, velocity))))
    return added


class _Channels:
    """The channels of a file, given away one by one."""

    def __init__(self, seam: Seam, taken: Iterable[int]) -> None:
        self.seam = seam
        self.users: dict[int, list[int]] = defaultdict(list)
        for channel in taken:
            self.users[channel].append(seam.programs[channel])
        used = {home.channel for home in seam.homes}
        self.pitched = [channel for channel in range(16) if channel not in seam.drums]
        free = [channel for channel in self.pitched if channel not in self.users]
        # Never used, then used by an instrument that has nothing more to play.
        self.free = [c for c in free if c not in used] + [c for c in free if c in used and c not in seam.busy]
        self.crowded = False

    def expect(self, programs: Iterable[int]) -> None:
        """Announce the voices to come: where they outnumber the free channels, those of one program share a channel."""
        self.crowded = len(list(programs)) > len(self.free)

    def take(self, voice: Part) -> tuple[int, bool]:
        """A channel for ``voice``, and whether it needs a program change there."""
        if voice.drums:
            return self.seam.drum_channel, self.seam.drum_channel not in self.seam.busy
        channel, announced = self._melodic(voice.program)
        self.users[channel].append(voice.program)
        return channel, announced

    def _melodic(self, program: int) -> tuple[int, bool]:
        own = [c for c in self.pitched if c in self.users and c not in self.seam.busy]
        if self.crowded and (same := [c for c in own if program in self.users[c]]):
            return same[0], True
        if self.free:
            return self.free.pop(0), True
        playing = [c for c in self.pitched if c in self.seam.busy]
        if same := [c for c in playing if self.seam.programs[c] == program]:
            return same[0], False
        if own:
            return min(
                own, key=lambda c: (not any(p // 8 == program // 8 for p in self.users[c]), len(self.users[c]))
            ), True
        return min(playing, key=lambda c: abs(self.seam.programs[c] // 8 - program // 8)), False


def _matched(voices: Sequence[Part], seam: Seam) -> dict[int, Home]:
    """For each voice that the original has an instrument for, its home; no home is given twice."""
    out: dict[int, Home] = {}
    left = list(seam.homes)
    # First those that agree by name, so that no other voice takes their place.
    for by_name in (True, False):
        for number, voice in enumerate(voices):
            fitting = [home for home in left if number not in out and _fits(home, voice, seam)]
            if by_name:
                fitting = [home for home in fitting if home.name == voice.name]
            if fitting:
                best = max(fitting, key=lambda home: _likeness(home, voice, seam))
                out[number] = best
                left.remove(best)
    return out


def _share_out(voices: list[Part], homes: dict[int, Home], seam: Seam) -> None:
    """Divide the notes of one voice among several parts of the original, where it is the only voice for them.

    A model that knows instruments and not tracks writes a choir or two hands as one voice. Parts that have been silent
    for the last quarter of the music before the seam get nothing. What is dealt out is appended to ``voices``.
    """
    taken = {id(home) for home in homes.values()}
    for number, voice in enumerate(list(voices)):
        home = homes.get(number)
        if home is None or voice.drums or sum(v.program == voice.program and not v.drums for v in voices) > 1:
            continue
        names = [other.name for other in seam.homes]
        if home.name == voice.name and names.count(home.name) == 1:
            continue  # it is this one part that goes on
        since = seam.tick - seam.tick // 4
        alike = [h for h in seam.homes if id(h) not in taken and _fits(h, voice, seam)]
        parts = [home, *alike]
        parts = [h for h in parts if h.recent and h.recent[-1][0] >= since]
        if len(parts) < 2:
            continue
        homes[number] = parts[0]
        dealt = spread(voice.notes, [line_of(list(h.recent)) for h in parts])
        voice.notes = dealt[0]
        for part, notes in zip(parts[1:], dealt[1:], strict=True):
            if notes:
                homes[len(voices)] = part
                voices.append(Part(part.name, voice.program, False, voice.start, notes))


def _fits(home: Home, voice: Part, seam: Seam) -> bool:
    if voice.drums or home.drums:
        return voice.drums and home.drums
    if home.program is not None:
        return voice.program == home.program
    # A track that names no program plays its channel's; a reader of this track alone takes it for a piano.
    return voice.program in (0, seam.programs[home.channel])


def _likeness(home: Home, voice: Part, seam: Seam) -> tuple[bool, ...]:
    """Return a sort key for how well a part of the original fits, most important criterion first."""
    return home.notes > 0, voice.program == home.program, voice.program == seam.programs[home.channel]


def _twin(voice: Part, home: Home, channels: _Channels, seam: Seam) -> Part | None:
    """Take out of ``voice`` what original notes of its channel are in the way of, for a second channel."""
    if voice.drums or not channels.free:  # a drum rings as it rings: its note-off says nothing
        return None
    fine: list[_Note] = []
    colliding: list[_Note] = []
    for note in voice.notes:
        start, end, pitch, _ = note
        sounds = any(a < end and start < b for a, b, _ in seam.sounding(home.channel, pitch))
        (colliding if sounds or seam.hanging(home.channel, pitch) else fine).append(note)
    if not colliding:
        return None
    voice.notes = fine
    twin = Part(voice.name, voice.program, False, voice.start, colliding, track=home.track)
    twin.channel, twin.announced = channels.take(twin)
    twin.others = [(voice.start, data) for data in seam.mix(home.channel, twin.channel)]
    return twin


def make_room(voices: Sequence[Part], seam: Seam) -> None:
    """Move, shorten or leave out new notes, so that no key of an instrument is struck while it sounds on its channel.

    A note waits until an original one of its key has ended, and ends where the next one of its key begins. Where the
    other note stands in another track, a tick lies between them if players that go through the tracks in turn would
    else silence the second with the end of the first.
    """
    keys: dict[tuple[int, int], list[tuple[int, int, _Note]]] = defaultdict(list)
    for number, voice in enumerate(voices):
        if not voice.drums:
            for note in voice.notes:
                keys[voice.channel, note[2]].append((note[0], number, note))
            voice.notes = []
    for (channel, pitch), notes in keys.items():
        old = sorted(seam.sounding(channel, pitch))
        hanging = seam.hanging(channel, pitch)
        latest: dict[int, Part] = {}  # by program, whose note of this key was the last
        for _, number, (start, end, _, velocity) in sorted(notes):
            voice = voices[number]
            if hanging:
                voice.others += [(start, bytes((smf.NOTE_OFF | channel, pitch, 0)))] * hanging
                hanging = 0
            for since, until, track in old:
                if since <= start < until + (track > voice.track):
                    start = until + (track > voice.track)
            end = min([end] + [since - (track < voice.track) for since, _, track in old if since > start])
            if start >= end:
                continue
            last = latest.get(voice.program)
            if last is not None:
                cut = start - (last.track > voice.track)
                begun, ends, _, strength = last.notes[-1]
                if begun >= cut:  # both begin here: the first of them stays
                    continue
                last.notes[-1] = (begun, min(ends, cut), pitch, strength)
            voice.notes.append((start, end, pitch, velocity))
            latest[voice.program] = voice
    for voice in voices:
        voice.notes.sort()


def _apart(notes: Iterable[_Note]) -> list[_Note]:
    """``notes`` by onset, at least a tick long, without overlaps of one pitch."""
    by_pitch: dict[int, list[_Note]] = defaultdict(list)
    for note in notes:
        by_pitch[note[2]].append(note)
    out = []
    for pitch, same in by_pitch.items():
        longest: dict[int, tuple[int, int]] = {}
        for start, end, _, velocity in same:
            before = longest.get(start, (start + 1, 1))
            longest[start] = (max(end, before[0]), max(velocity, before[1]))
        starts = sorted(longest)
        for start, following in zip(starts, [*starts[1:], None], strict=True):
            end, velocity = longest[start]
            out.append((start, end if following is None else min(end, following), pitch, velocity))
    return sorted(out)


def _others(track: Track) -> list[tuple[int, bytes]]:
    """Controllers, pedals, bends and lyrics of a Score's track, their channel left at 0."""
    out = [(e.time, bytes((smf.CONTROL, e.number & 0x7F, min(max(0, e.value), 127)))) for e in track.controls]
    # symusic reads a pedal as both a controller and a Pedal.
    if not any(e.number == _SUSTAIN for e in track.controls):
        for pedal in track.pedals:
            out.append((pedal.time, bytes((smf.CONTROL, _SUSTAIN, 127))))
            out.append((pedal.time + pedal.duration, bytes((smf.CONTROL, _SUSTAIN, 0))))
    for bend in track.pitch_bends:
        value = min(max(0, bend.value + 8192), 16383)
        out.append((bend.time, bytes((smf.BEND, value & 0x7F, value >> 7))))
    out.extend((lyric.time, smf.meta(smf.LYRIC, to_bytes(lyric.text))) for lyric in track.lyrics)
    return sorted(out, key=lambda item: item[0])


def _bank(voice: Part) -> dict[int, bytes]:
    """The bank that ``voice`` begins with, by controller: it has to stand before the program."""
    first = voice.notes[0][0] if voice.notes else voice.start
    return {
        data[1]: _on_channel(data, voice.channel)
        for tick, data in voice.others
        if data[0] & 0xF0 == smf.CONTROL and data[1] in BANKS and tick <= first
    }


def _on_channel(data: bytes, channel: int) -> bytes:
    return data if data[0] >= 0xF0 else bytes((data[0] & 0xF0 | channel,)) + data[1:]


def _program(voice: Part) -> bytes:
    return bytes((smf.PROGRAM | voice.channel, voice.program))
