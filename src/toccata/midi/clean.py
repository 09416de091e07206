"""Cleaning: from any readable Score to one that a model may learn from, or the reason why not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from symusic import ControlChange, KeySignature, Note, Pedal, PitchBend, Score, Tempo, TimeSignature, Track

from toccata.errors import MidiError, RecipeError, shown
from toccata.midi.bars import bar_map
from toccata.midi.read import read_score

_MOST = 1_000_000_000
_BOUNDS = (
    ("merge_program", 0, 127), ("min_bars", 1, _MOST), ("max_bars", 1, _MOST), ("min_notes", 1, _MOST),
    ("quantize", 1, 96),
)  # fmt: skip
_DRUM_HIT = 8  # a drum hit of no length becomes one of an eighth of a quarter
_EVENTS: tuple[tuple[str, Any], ...] = (("controls", ControlChange), ("pitch_bends", PitchBend), ("pedals", Pedal))


def _is_whole(value: object) -> bool:
    return isinstance(value, int | np.integer) and not isinstance(value, bool)


@dataclass(frozen=True)
class CleanOptions:
    """Which parts of a piece, and which pieces, cleaning preserves.

    Attributes:
        drop_drums: Leave the drums out.
        merge: Put all pitched tracks into one; drums stay a track of their own.
        merge_program: The General MIDI program (0 to 127) of that one track.
        programs: Keep tracks of these programs only, -1 being the drums; none: all tracks.
        min_bars: Pieces of fewer bars are left out.
        max_bars: Pieces of more bars are left out; none: no limit.
        min_notes: Pieces of fewer notes, counted after the rest was done, are left out.
        quantize: Move the beginnings and ends of notes to a grid of this many lines a quarter; none: unchanged.
        cut_short: Use what is there of files that break off in their last track; else they are left out.
    """

    drop_drums: bool = False
    merge: bool = False
    merge_program: int = 0
    programs: tuple[int, ...] | None = None
    min_bars: int = 1
    max_bars: int | None = None
    min_notes: int = 16
    quantize: int | None = None
    cut_short: bool = False

    def __post_init__(self) -> None:
        for name, low, high in _BOUNDS:
            value = getattr(self, name)
            if value is not None and not (_is_whole(value) and low <= value <= high):
                raise RecipeError(f"clean.{name} must be a whole number from {low} to {high:,}, not {shown(value)}")
        for name in ("drop_drums", "merge"):
            if not isinstance(value := getattr(self, name), bool):
                raise RecipeError(f"clean.{name} must be true or false, not {shown(value)}")
        programs = self.programs if self.programs is not None else ()
        if not isinstance(programs, tuple | list):
            raise RecipeError(f"clean.programs must be a list of numbers, not {shown(programs)}")
        if strange := [program for program in programs if not (_is_whole(program) and -1 <= program <= 127)]:
            raise RecipeError(f"clean.programs are 0 to 127, and -1 for the drums, not {shown(strange[0])}")


def clean(score: Score, options: CleanOptions | None = None) -> Score:
    """A cleaned copy of ``score``.

    Whatever the options: tracks without notes go (their lyrics move to the track of the same name, else to the first);
    pitched notes of no length go, drum hits of no length get an eighth of a quarter; of notes of one pitch that begin
    together in a track the longest stays, and one that is struck again ends there; of identical tempo, meter or key
    events at one tick one stays. Tempo, meter, key, markers, controls, pedals, lyrics and track names are preserved;
    pitch bends too, unless several tracks are merged.

    Raises:
        MidiError: The piece falls out; the message is the bare reason, e.g. ``"too short: 3 bars"``.
    """
    options = options or CleanOptions()
    tpq = score.ticks_per_quarter
    out = Score(tpq)
    out.tempos = _once(score.tempos, Tempo)
    out.time_signatures = _once(score.time_signatures, TimeSignature)
    out.key_signatures = _once(score.key_signatures, KeySignature)
    out.markers = score.copy().markers
    tracks = []
    for track in score.tracks:
        notes = _tidy(track.notes.numpy(), track.is_drum, tpq, options.quantize)
        if len(notes["time"]) and _wanted(track, options):
            cleaned = track.copy()
            cleaned.notes = Note.from_numpy(**notes)
            tracks.append(cleaned)
    if not tracks:
        raise MidiError("no notes of the instruments asked for" if score.note_num() else "no notes")
    _save_lyrics(score, tracks)
    if options.merge:
        tracks = _merged(tracks, options, tpq)
    out.tracks.extend(tracks)
    _refuse(out, options)
    return out


def read_clean(path: Path, options: CleanOptions) -> Score:
    """Return the cleaned music of a file.

    Raises:
        MidiError: The file cannot be read, or the piece falls out.
    """
    return clean(read_score(path, cut_short="use" if options.cut_short else "refuse"), options)


def _wanted(track: Track, options: CleanOptions) -> bool:
    if track.is_drum and options.drop_drums:
        return False
    return options.programs is None or (-1 if track.is_drum else track.program) in options.programs


def _refuse(score: Score, options: CleanOptions) -> None:
    notes = score.note_num()
    if notes < options.min_notes:
        raise MidiError(f"too few notes: {notes} (at least {options.min_notes})")
    bars = len(bar_map(score))
    if bars < options.min_bars:
        raise MidiError(f"too short: {bars} bars (at least {options.min_bars})")
    if options.max_bars is not None and bars > options.max_bars:
        raise MidiError(f"too long: {bars:,} bars (at most {options.max_bars:,})")


def _tidy(notes: dict[str, NDArray[Any]], is_drum: bool, tpq: int, quantize: int | None) -> dict[str, NDArray[Any]]:
    """The notes of one track, none of which is empty, absurdly long, doubled, or sounds into the next of its pitch."""
    time = notes["time"].astype(np.int64)
    length = notes["duration"].astype(np.int64)
    if is_drum:
        length = np.where(length <= 0, max(1, tpq // _DRUM_HIT), length)
    sounds = length > 0
    time, length = time[sounds], length[sounds]
    pitch, velocity = notes["pitch"][sounds], notes["velocity"][sounds]
    if quantize is not None:
        # To the nearest line; a note keeps at least one cell.
        first = np.rint(time * quantize / tpq).astype(np.int64)
        last = np.maximum(np.rint((time + length) * quantize / tpq).astype(np.int64), first + 1)
        time = np.rint(first * tpq / quantize).astype(np.int64)
        length = np.maximum(np.rint(last * tpq / quantize).astype(np.int64) - time, 1)
    order = np.lexsort((-length, time, pitch))
    time, length, pitch, velocity = time[order], length[order], pitch[order], velocity[order]
    single = np.ones(len(time), dtype=bool)
    single[1:] = (np.diff(time) != 0) | (np.diff(pitch.astype(np.int16)) != 0)
    time, length, pitch, velocity = time[single], length[single], pitch[single], velocity[single]
    if len(time) > 1:
        gap = np.where(pitch[1:] == pitch[:-1], np.diff(time), np.iinfo(np.int64).max)
        length[:-1] = np.minimum(length[:-1], gap)
    order = np.lexsort((pitch, time))
    return {
        "time": time[order].astype(np.int32),
        "duration": length[order].astype(np.int32),
        "pitch": pitch[order],
        "velocity": np.maximum(velocity[order], 1),
    }


def _merged(tracks: list[Track], options: CleanOptions, tpq: int) -> list[Track]:
    """All pitched tracks as one, the drums as another."""
    out = []
    for is_drum in (False, True):
        group = [track for track in tracks if track.is_drum == is_drum]
        if not group:
            continue
        names = dict.fromkeys(track.name for track in group if track.name)
        one = Track(", ".join(names), 0 if is_drum else options.merge_program, is_drum)
        one.notes = Note.from_numpy(**_tidy(_joined([t.notes for t in group]), is_drum, tpq, None))
        for kind, factory in _EVENTS:
            lists = [getattr(track, kind) for track in group if len(getattr(track, kind))]
            # A bend of one instrument would bend them all.
            if lists and (kind != "pitch_bends" or len(group) == 1):
                columns = _joined(lists)
                order = np.argsort(columns["time"], kind="stable")
                setattr(one, kind, factory.from_numpy(**{name: values[order] for name, values in columns.items()}))
        for track in group:
            one.lyrics.extend(track.lyrics)
        one.lyrics.sort(lambda lyric: lyric.time)
        out.append(one)
    return out


def _joined(events: Sequence[Any]) -> dict[str, NDArray[Any]]:
    columns = [each.numpy() for each in events]
    return {name: np.concatenate([column[name] for column in columns]) for name in columns[0]}


def _save_lyrics(score: Score, tracks: list[Track]) -> None:
    """Bring the lyrics of tracks without notes to one that stays; the parser puts lyrics on tracks of their own."""
    for track in score.tracks:
        if len(track.lyrics) and not len(track.notes):
            home = next((one for one in tracks if one.name == track.name and not one.is_drum), tracks[0])
            home.lyrics.extend(track.copy().lyrics)
            home.lyrics.sort(lambda lyric: lyric.time)


def _once(events: Any, factory: Any) -> Any:
    """``events`` without repeats of the same value at the same tick, by time."""
    if not len(events):
        return events.copy()
    columns = dict(events.numpy())
    rows = np.stack([column.astype(np.int64) for column in columns.values()], axis=1)
    _, first = np.unique(rows, axis=0, return_index=True)
    order = np.sort(first)
    order = order[np.argsort(columns["time"][order], kind="stable")]
    return factory.from_numpy(**{name: column[order] for name, column in columns.items()})
