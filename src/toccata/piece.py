"""Pieces: generated music and opened songs, with their origin."""

from __future__ import annotations

import base64
import json
import os
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from symusic import Score

from toccata.arguments import checked
from toccata.errors import MidiError, RequestError
from toccata.files import write_bytes
from toccata.midi import smf
from toccata.midi.bars import bar_map
from toccata.midi.chunks import split
from toccata.midi.edit import slice_bars
from toccata.midi.facts import facts
from toccata.midi.limits import SONG
from toccata.midi.locks import Lock as Lock
from toccata.midi.locks import One, locked_notes
from toccata.midi.read import read_bytes, read_score
from toccata.midi.timeline import SongNote, song_notes

ORIGIN = "toccata: "
"""The beginning of the text event with a piece's origin."""
AROUND = 2
"""Bars that are shown and played before and after what is new in a song."""
_PLAYED, _RATE = 300.0, 22_050
"""The longest piece that a notebook plays, in seconds, and the sample rate."""


@dataclass(frozen=True)
class Piece:
    """A piece of music that a model wrote, alone or after a prompt; or a song opened with :func:`song`.

    Attributes:
        midi: The bytes of the MIDI file; a prompt's own events are unchanged in it.
        origin: Model and its digest, seed, prompt, sampling and scores: what reproduces the piece.
        prompt_end: The tick where the prompt ends and the new music begins; None without a prompt.
        locks: The notes that later edits leave unchanged.
        new: Only the new notes, if they are among a song's own.
    """

    midi: bytes = field(repr=False)
    origin: Mapping[str, Any]
    prompt_end: int | None = None
    locks: tuple[Lock, ...] = ()
    new: Score | None = field(default=None, repr=False, compare=False)

    @cached_property
    def score(self) -> Score:
        """The music, as a symusic Score."""
        return read_score(self.midi)

    @cached_property
    def notes(self) -> tuple[SongNote, ...]:
        """All notes by onset, in ticks, quarters and seconds; usable without symusic."""
        return song_notes(self.score)

    def __hash__(self) -> int:
        """Hash the music."""
        return hash((self.midi, self.prompt_end))

    @property
    def bars(self) -> int:
        """The number of bars, a prompt's included."""
        return len(bar_map(self.score))

    @property
    def seconds(self) -> float:
        """Playing time, a prompt's included."""
        return facts(self.score).seconds

    @checked
    def save(self, path: str | Path, *, force: bool = False) -> Path:
        """Write the piece as a MIDI file, or as a page to see and to hear it: one .html file that needs no network.

        Raises:
            RequestError: There is a file already, and ``force`` is not given.
        """
        path = Path(path)
        content = self._document(path.stem) if path.suffix.lower() in (".html", ".htm") else self.midi
        try:
            write_bytes(path, content, replace=force)
        except FileExistsError:
            if force or not os.path.lexists(path):  # what is in the way is its folder's name
                raise
            raise RequestError(
                f"{path} exists already: choose another name, or replace it with force=True", path=path, kind="exists"
            ) from None
        return path

    @checked
    def lock(
        self,
        bars: int | tuple[int, int] | None = None,
        tracks: One | Sequence[One] | None = None,
        pitches: One | tuple[One, One] | None = None,
    ) -> Piece:
        """Return the same piece with some of its notes locked: edits leave them unchanged.

        A note is locked if it begins in one of the bars, in one of the tracks, between the pitches. Locks add up.

        Args:
            bars: The first and the last bar, counted from 1, or a single one; None: all.
            tracks: Numbers from 1, or names of tracks or of their instruments, or a single one; None: all.
            pitches: The lowest and the highest pitch, as MIDI numbers or as ``"C5"``, or a single one; None: all.

        Raises:
            RequestError: There are no such bars, tracks or notes.
        """
        new = Lock.of(bars, tracks, pitches)
        locked_notes(self.score, bar_map(self.score), [new])
        return replace(self, locks=(*self.locks, new))

    @property
    def changed_bars(self) -> tuple[int, int] | None:
        """First and last bar, counted from 1, of the new notes in a song and two bars around; None: it is no song.

        Pictures and sounds of an edited song are of these bars.
        """
        if self.new is None or self.prompt_end is not None or not self.new.note_num():
            return None
        onsets = np.concatenate([track.notes.numpy()["time"] for track in self.new.tracks if len(track.notes)])
        lines = bar_map(self.score)
        first, last = lines.at(int(onsets.min())), lines.at(int(onsets.max()))
        return max(0, first - AROUND) + 1, min(len(lines), last + 1 + AROUND)

    @checked
    def audio(self, path: str | Path, *, soundfont: str | Path | None = None, whole: bool = False) -> Path:
        """Render the piece as audio: .wav, .ogg, .flac or .mp3.

        Args:
            path: The file.
            soundfont: The SoundFont that plays it.
            whole: All of a song, not only the bars around what is new.
        """
        from toccata.render.audio import write_audio

        score, changed = self.score, None if whole else self.changed_bars
        if changed is not None:
            score = slice_bars(score, changed[0] - 1, changed[1])
        write_audio(score, Path(path), soundfont=None if soundfont is None else Path(soundfont))
        return Path(path)

    @checked
    def plot(self, path: str | Path, *, whole: bool = False) -> Path:
        """Draw the piece as a piano roll: .png or .svg; a prompt is shaded apart, a song's own notes are pale.

        Args:
            path: The file.
            whole: All of a song, not only the bars around what is new.
        """
        from toccata.render.roll import write_roll

        changed = self.changed_bars
        span = None if whole or changed is None else (changed[0] - 1, changed[1])
        new = None if changed is None else self.new
        write_roll(self.score, Path(path), prompt_end=self.prompt_end, new=new, span=span)
        return Path(path)

    def _repr_mimebundle_(self, **_: Any) -> dict[str, str]:
        """Return a piano roll and a player for notebooks: to scroll and play where scripts run, else as a picture."""
        from toccata.render.roll import svg

        roll = svg(self.score, prompt_end=self.prompt_end)
        return {"text/html": self._element(roll), "image/svg+xml": roll, "text/plain": repr(self)}

    def _element(self, roll: str, *, script: bool = True) -> str:
        """Return the HTML of the piece in a notebook; ``script``: with all that it needs to draw and play itself."""
        from toccata.render.page import element

        return element(self.score, self.midi, _still(roll, self._sound()), name=self._name, script=script)

    def _document(self, title: str) -> bytes:
        from toccata.render.page import document

        return document(self.score, self.midi, title).encode()

    @property
    def _name(self) -> str:
        """What a file of the piece is called, without its suffix."""
        return Path(str(self.origin.get("file") or "piece")).stem

    def _sound(self) -> bytes:
        """Return the piece as an MP3; empty if it is too long, or cannot be rendered here."""
        if self.seconds > _PLAYED:
            return b""
        with tempfile.TemporaryDirectory(prefix="toccata-") as folder:
            try:
                from toccata.render.audio import write_audio

                write_audio(self.score, Path(folder) / "piece.mp3", sample_rate=_RATE)
                return (Path(folder) / "piece.mp3").read_bytes()
            except (ImportError, OSError, RuntimeError, ValueError, RequestError):
                return b""  # a notebook that cannot play the piece still shows it


class Pieces(list[Piece]):
    """A list of pieces that a notebook shows one below the other."""

    def _repr_html_(self) -> str:
        """Return the piano rolls and players of all pieces; the scripts come once, with the first."""
        from toccata.render.roll import svg

        rolls = [svg(piece.score, prompt_end=piece.prompt_end) for piece in self]
        shown = zip(self, rolls, strict=True)
        return "<hr>".join(piece._element(roll, script=not n) for n, (piece, roll) in enumerate(shown))


@checked
def song(path: str | Path) -> Piece:
    """Open a MIDI file as a piece: to lock some of its notes, to show it, to edit it.

    Its origin is that in the file, if toccata wrote it, and the file's name.

    Raises:
        MidiError: It cannot be read.
    """
    path = Path(path)
    read_score(path, SONG)  # its errors name the file
    midi = read_bytes(path)
    return Piece(midi, {**(read_origin(midi) or {}), "file": path.name})


def read_origin(midi: bytes | str | Path) -> dict[str, Any] | None:
    """Return the origin in a MIDI file, or in its bytes, that toccata wrote; None if there is none.

    Of a piece that was made in several steps it is that of the last.

    Raises:
        MidiError: There is no such file, or it cannot be read.
    """
    if not isinstance(midi, bytes):
        midi = read_bytes(Path(midi))
    if ORIGIN.encode() not in midi:
        return None
    try:
        tracks = [smf.track_of(track) for track in split(midi).tracks]
    except MidiError:
        return None
    for track in tracks:
        for event in reversed(track.events):  # each step adds its own after those before
            if event.meta == smf.TEXT and event.payload.startswith(ORIGIN.encode()):
                try:
                    origin = json.loads(base64.b64decode(event.payload.removeprefix(ORIGIN.encode())))
                except (ValueError, RecursionError):
                    continue
                return origin if isinstance(origin, dict) else None
    return None


def origin_text(origin: Mapping[str, Any]) -> str:
    """Encode an origin as the text of a MIDI event; base64, as such texts are only safe in ASCII."""
    # A file name that is no UTF-8 comes as lone surrogates: written as escapes, they are read back as they were.
    text = json.dumps(origin, ensure_ascii=False).encode("utf-8", "backslashreplace")
    return ORIGIN + base64.b64encode(text).decode()


def _still(roll: str, sound: bytes) -> str:
    """Return HTML that needs no scripts: a picture and a recording.

    The roll is an image in it, as notebooks remove SVG from HTML that they do not trust.
    """
    picture = base64.b64encode(roll.encode()).decode()
    page = f'<img alt="Piano roll" style="max-width: 100%" src="data:image/svg+xml;base64,{picture}">'
    if sound:
        page += f'<br><audio controls src="data:audio/mpeg;base64,{base64.b64encode(sound).decode()}"></audio>'
    return page
