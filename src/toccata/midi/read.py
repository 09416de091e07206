"""Reading MIDI files: any file, none of which takes the program down."""

from __future__ import annotations

import os
import stat
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Literal

import numpy as np
from symusic import KeySignature, Score, Tempo, TimeSignature, Track

from toccata.errors import CorpusError, MidiError, MidiUnavailableError, MidiWarning
from toccata.midi.bars import bar_map, last_note_end
from toccata.midi.chunks import MAX_BYTES, MAX_TRACKS
from toccata.midi.limits import READ, Limits, without_tail
from toccata.midi.mend import MAX_TICKS, mend
from toccata.midi.pool import map_files

__all__ = ["MAX_BYTES", "MAX_QUARTERS", "SUFFIXES", "find_midi", "map_files", "read_score"]

SUFFIXES = (".mid", ".midi", ".kar", ".rmi")
"""The suffixes of MIDI files, in lower case."""

MAX_QUARTERS = 100_000
"""The longest music read, in quarter notes: about 14 hours at 120 a minute."""

_PART = 2**20  # bytes read at a time
_IRREGULAR = (
    (stat.S_ISFIFO, "a pipe"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
)


def read_score(
    source: Path | bytes, limits: Limits = READ, *, cut_short: Literal["warn", "use", "refuse"] = "warn"
) -> Score:
    """Read a MIDI file of type 0, 1 or 2, of any resolution, up to 100 MB.

    The bytes are checked, and mended where that is harmless (see `toccata.midi.mend.mend`), before the native parser
    sees them. Tempo, meter and key events that several tracks repeat are read once; where tracks disagree at a tick
    (transposing instruments have keys of their own), the value most of them give is used. The tracks of a type 2 file
    are laid one after the other, each from a bar line. Time in film frames becomes ticks at a constant tempo. A note
    that is never released is left out. Text keeps its bytes (see `toccata.midi.text`).

    Args:
        source: A file, or its bytes.
        limits: How much music there may be in it.
        cut_short: What to do with a file that breaks off in its last track: use what is there and warn with a
            `MidiWarning`, use it without a word, or refuse it.

    Raises:
        MidiError: The file cannot be read, is broken or absurd, holds more than the limits, or has no notes.
            The message names it.
    """
    name = str(source) if isinstance(source, Path) else "this MIDI data"
    path = source if isinstance(source, Path) else None
    try:
        score, missing = _read(read_bytes(source) if isinstance(source, Path) else source)
        if missing and cut_short == "refuse":
            raise MidiError(f"is cut short: {missing} (--cut-short uses what is there)")
        score = without_tail(score)
        limits.refuse(score)
    except MidiError as error:
        raise type(error)(f"{name}: {error.message}", path=path) from None
    if missing and cut_short == "warn":
        warnings.warn(f"{name}: is cut short: {missing}; what is there is used", MidiWarning, stacklevel=2)
    return score


def find_midi(folder: Path, closed: Callable[[OSError], None] | None = None) -> list[Path]:
    """Every MIDI file in ``folder`` and the folders in it, sorted; hidden files and folders are passed over.

    Links to folders are followed, each folder visited once.

    Args:
        folder: Where to look.
        closed: Called with the error of each folder that may not be read, which is skipped.

    Raises:
        CorpusError: There is no such folder, or no MIDI file in it.
    """
    empty = is_empty(folder)
    found = sorted(folder / name for name in walk_midi(folder, closed))
    if not found:
        raise no_midi(folder, empty)
    return found


def is_empty(folder: Path) -> bool:
    """Whether there is nothing in a folder.

    Raises:
        CorpusError: There is no such folder, or it cannot be opened.
    """
    if not folder.exists():
        raise CorpusError(f"{folder}: there is no such folder; name one that holds MIDI files", path=folder)
    if not folder.is_dir():
        raise CorpusError(f"{folder}: this is a file; name the folder that holds your MIDI files", path=folder)
    try:
        return not any(folder.iterdir())
    except OSError as error:
        raise CorpusError(f"{folder}: cannot be opened: {error.strerror or error}", path=folder) from None


def no_midi(folder: Path, empty: bool) -> CorpusError:
    """The error that says that there is no MIDI file in a folder."""
    what = "this folder is empty" if empty else "no MIDI file in this folder or the folders in it"
    return CorpusError(f"{folder}: {what}; put files ending in {', '.join(SUFFIXES)} there", path=folder)


def walk_midi(
    folder: Path, closed: Callable[[OSError], None] | None = None, *, without: Path | None = None
) -> Iterator[str]:
    """The paths of `find_midi` below ``folder``, with forward slashes, one after the other in the order of their text.

    Only the names in one folder, and in those above it, are held in memory. The folder ``without`` is not entered.
    """
    seen: set[str] = set() if without is None else {os.path.realpath(without)}
    stack = [("", iter([""]))]
    while stack:
        here, names = stack[-1]
        name = next(names, None)
        if name is None:
            stack.pop()
        elif name and not name.endswith("/"):
            yield here + name
        else:
            below = here + name
            place = f"{folder}{os.sep}{below}"
            if (real := os.path.realpath(place)) not in seen:
                seen.add(real)
                stack.append((below, iter(_listed(place, closed))))


def _listed(folder: str, closed: Callable[[OSError], None] | None) -> list[str]:
    """The folders in a folder, with a slash at their end, and the MIDI files, sorted as their paths are."""
    try:
        with os.scandir(folder) as entries:
            shown = [entry for entry in entries if not entry.name.startswith(".")]
    except OSError as error:
        if closed is not None:
            closed(error)
        return []
    found = []
    for entry in shown:
        try:
            is_folder = entry.is_dir()
        except OSError:
            is_folder = False
        if is_folder:
            found.append(f"{entry.name}/")
        elif entry.name.lower().endswith(SUFFIXES):
            found.append(entry.name)
    return sorted(found)


def read_bytes(path: Path) -> bytes:
    """The bytes of a regular file that is not too large.

    Pipes, sockets and devices, and links to them, are refused before anything is read: they may never end, or wait for
    ever. The size that the system reports is not relied on; reading stops past the limit.

    Raises:
        MidiError: As :func:`read_score`, the message being the bare reason.
    """
    try:
        _refuse_irregular(path.stat())
        # Not to wait for a writer if a pipe has taken the file's place since.
        handle = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
        with os.fdopen(handle, "rb", buffering=0) as file:
            about = os.fstat(handle)
            _refuse_irregular(about)
            parts, total = [], 0
            while total <= MAX_BYTES and about.st_size <= MAX_BYTES and (part := file.read(_PART)):
                parts.append(part)
                total += len(part)
    except FileNotFoundError:
        link = path.is_symlink()
        why = "is a link to a file that is not there" if link else "there is no such file"
        raise MidiUnavailableError(why) from None
    except (OSError, ValueError) as error:  # a name with a zero byte is a ValueError
        raise MidiUnavailableError(f"cannot be opened: {getattr(error, 'strerror', None) or error}") from None
    if (size := max(total, about.st_size)) > MAX_BYTES:
        more = "more than " if total > about.st_size else ""
        raise MidiError(f"is too large: {more}{size / 2**20:,.0f} MB, at most {MAX_BYTES // 2**20} are read")
    return b"".join(parts)


def _refuse_irregular(about: os.stat_result) -> None:
    if stat.S_ISREG(about.st_mode):
        return
    if stat.S_ISDIR(about.st_mode):
        raise MidiError("is a folder; name a MIDI file")
    what = next((name for test, name in _IRREGULAR if test(about.st_mode)), "no regular file")
    raise MidiError(f"is {what}; name a MIDI file")


def _read(data: bytes) -> tuple[Score, str]:
    """The music in a file, and what is missing of it."""
    midi = mend(data)
    score = _joined([_parsed(file) for file in midi.files])
    if midi.mspq is not None:
        score.tempos = [Tempo(0, mspq=midi.mspq)]
    _refuse_absurd(score)
    score.tempos = _agreed(score.tempos, Tempo)
    score.time_signatures = _agreed(score.time_signatures, TimeSignature)
    score.key_signatures = _agreed(score.key_signatures, KeySignature)
    return score, midi.cut_short


def _parsed(data: bytes) -> Score:
    try:
        return Score.from_midi(data)
    except Exception as error:
        # symusic throws RuntimeError and UnicodeDecodeError, each with a tale of its own.
        raise MidiError(f"is broken: {' '.join(str(error).split())[:200]}") from None


def _refuse_absurd(score: Score) -> None:
    if not score.note_num():
        raise MidiError("has no notes")
    if len(score.tracks) > MAX_TRACKS:
        raise MidiError(f"has {len(score.tracks):,} tracks; at most {MAX_TRACKS:,} are read")
    if score.start() < 0 or score.end() > MAX_TICKS:  # below 0 is past the end of 32 bits
        raise MidiError("is absurd: it goes on for more ticks than can be counted")
    quarters = last_note_end(score) / score.ticks_per_quarter
    if quarters > MAX_QUARTERS:
        raise MidiError(f"is absurd: it lasts {quarters:,.0f} quarter notes; at most {MAX_QUARTERS:,} are read")


def _joined(scores: list[Score]) -> Score:
    """Independent pieces one after the other, each from a bar line; tracks of one name and program are one."""
    if len(scores) == 1:
        return scores[0]
    out = Score(scores[0].ticks_per_quarter)
    tracks: dict[tuple[str, int, bool], Track] = {}
    start = 0
    for score in scores:
        if not score.note_num():
            continue
        _refuse_absurd(score)
        length = bar_map(score).end
        # The defaults at the start of a file have to be explicit in the middle of one.
        if start and not any(t.time == 0 for t in score.tempos):
            score.tempos.append(Tempo(0, qpm=120.0))
        if start and not any(t.time == 0 for t in score.time_signatures):
            score.time_signatures.append(TimeSignature(0, 4, 4))
        moved = score.shift_time(start)
        for kind in ("tempos", "time_signatures", "key_signatures", "markers"):
            getattr(out, kind).extend(getattr(moved, kind))
        for track in moved.tracks:
            key = (track.name, track.program, track.is_drum)
            into = tracks.setdefault(key, Track(*key))
            for kind in ("notes", "controls", "pitch_bends", "pedals", "lyrics"):
                getattr(into, kind).extend(getattr(track, kind))
        start += length
    out.tracks.extend(tracks.values())
    return out


def _agreed(events: Any, factory: Any) -> Any:
    """Return at most one event per tick: the most frequent one there, in a tie the last."""
    if len(events) < 2:
        return events
    columns: dict[str, Any] = dict(events.numpy())
    if len(np.unique(columns["time"])) == len(events):
        return events
    votes: dict[int, Counter[tuple[int, ...]]] = {}
    for time, *value in zip(*(column.tolist() for column in columns.values()), strict=True):
        votes.setdefault(time, Counter())[tuple(value)] += 1
    agreed = [(time, *_winner(counter)) for time, counter in sorted(votes.items())]
    return factory.from_numpy(
        **{
            name: np.array(values, dtype=columns[name].dtype)
            for name, values in zip(columns, zip(*agreed, strict=True), strict=True)
        }
    )


def _winner(votes: Counter[tuple[int, ...]]) -> tuple[int, ...]:
    most = max(votes.values())
    return [value for value, count in votes.items() if count == most][-1]
