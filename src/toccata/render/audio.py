"""A Score as sound: through a SoundFont where there is one, through the built-in synthesis where there is none."""

from __future__ import annotations

import errno
import io
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from symusic import Score

from toccata.errors import RequestError
from toccata.files import written_aside
from toccata.render.perform import perform
from toccata.render.room import Loudness, Room
from toccata.render.soundfont import play
from toccata.render.synth import Stereo, players

VARIABLE = "TOCCATA_SOUNDFONT"
"""The environment variable that may name a SoundFont."""

TAIL = 2.0
"""Seconds of sound after the last note's end."""

MOST_HOURS = 12
"""How long all notes of a piece may sound, one after the other; those of Beethoven's Ninth, last movement, take ten."""

FORMATS = {
    ".wav": ("WAV", "PCM_16"),
    ".flac": ("FLAC", "PCM_16"),
    ".ogg": ("OGG", "VORBIS"),
    ".mp3": ("MP3", "MPEG_LAYER_III"),
}
"""What is written, by suffix: soundfile's names of container and coding."""

_CHUNK = 4096  # frames written at a time: libsndfile's Vorbis encoder needs stack for all it is given at once
_BLOCK = 1 << 20  # samples made at a time: whole blocks of the room
_FAMILIAR = ("default", "fluidr3", "musescore", "generaluser", "arachno", "timgm")


def find_soundfont(explicit: Path | None = None) -> Path | None:
    r"""The SoundFont (.sf2 or .sf3) to play with, or None.

    Looked for in this order: ``explicit``; the environment variable TOCCATA_SOUNDFONT; the usual folders of the system
    (Linux: ``~/.local/share/soundfonts``, ``/usr/share/soundfonts``, ``/usr/share/sounds/sf2`` and ``sf3``, also under
    ``/usr/local``; macOS: ``Library/Audio/Sounds/Banks`` of the user and the system; Windows: ``soundfonts`` in
    ``%APPDATA%`` and ``%PROGRAMDATA%``, ``C:\soundfonts``). In a folder, well-known General MIDI banks come first.

    Raises:
        RequestError: The file named by argument or variable does not exist.
    """
    for named, how in ((explicit, "as asked for"), (os.environ.get(VARIABLE), f"as {VARIABLE} says")):
        if named:
            path = Path(named).expanduser()
            if not path.is_file():
                raise RequestError(f"no SoundFont at {path}, {how}: give the path of an .sf2 or .sf3 file", path=path)
            return path
    for folder in soundfont_folders():
        if not folder.is_dir():
            continue
        fonts = [p for p in sorted(folder.iterdir()) if p.suffix.lower() in (".sf2", ".sf3") and p.is_file()]
        if fonts:
            return min(fonts, key=lambda p: next((n for n, f in enumerate(_FAMILIAR) if f in p.name.lower()), 99))
    return None


def synthesize(score: Score, *, soundfont: Path | None = None, sample_rate: int = 44100) -> NDArray[np.float32]:
    """Render ``score`` as sound.

    Args:
        score: The music.
        soundfont: A SoundFont; by default what ``find_soundfont`` finds; if that is none, the built-in synthesis plays.
        sample_rate: Samples a second.

    Returns:
        float32[2, samples], its peak at about -1 dBFS; it ends ``TAIL`` seconds after the last note. Sustain pedal,
        volume, expression and pan are rendered; pitch bends by the built-in synthesis alone.

    Raises:
        RequestError: The piece is longer than an hour or too dense, or the requested SoundFont cannot be
            used. One that was only found is passed over if it cannot.
    """
    performance = _Performance(score, soundfont, sample_rate)
    out = np.zeros((2, performance.samples), np.float32)
    at = 0
    for block in performance.blocks():
        out[:, at : at + block.shape[1]] = block
        at += block.shape[1]
    for at in range(0, out.shape[1], _BLOCK):
        performance.loudness.level(out[:, at : at + _BLOCK])
    return out


def write_audio(score: Score, path: Path, *, soundfont: Path | None = None, sample_rate: int = 44100) -> None:
    """Write ``score`` as sound to ``path``: .wav, .flac, .ogg or .mp3 by its suffix.

    The built-in synthesis needs no more memory for a long piece, but room for it beside ``path`` while it is made.

    Raises:
        RequestError: Another suffix, or as ``synthesize``.
    """
    suffix = path.suffix.lower()
    if suffix not in FORMATS:
        known = ", ".join(FORMATS)
        raise RequestError(f"{path.name}: sound is written as one of {known}, not as {suffix or 'nothing'}", path=path)
    import soundfile

    container, coding = FORMATS[suffix]
    performance = _Performance(score, soundfont, sample_rate)
    with written_aside(path) as aside, tempfile.TemporaryFile(dir=aside.parent, prefix=".toccata-sound-") as raw:
        try:
            for block in performance.blocks():
                raw.write(np.ascontiguousarray(block.T).data)
            raw.seek(0)
            with soundfile.SoundFile(aside, "w", sample_rate, 2, format=container, subtype=coding) as file:
                while frames := raw.read(_BLOCK * 8):
                    block = np.frombuffer(bytearray(frames), np.float32).reshape(-1, 2)
                    performance.loudness.level(block.T)
                    for at in range(0, len(block), _CHUNK):
                        file.write(block[at : at + _CHUNK])
        except soundfile.LibsndfileError as error:
            # It says no more than "System error": whether the disk is full has to be seen.
            full = shutil.disk_usage(aside.parent).free < _CHUNK
            number = errno.ENOSPC if full else errno.EIO
            raise OSError(number, "the sound cannot be written here", str(path)) from error
        except OSError as error:
            raise OSError(error.errno, "the sound cannot be written here", str(path)) from error


def small_mp3(score: Score, seconds: float, *, sample_rate: int = 22_050) -> bytes:
    """Return the first ``seconds`` of ``score`` as an MP3 of one channel, about 5 kB a second: for pages.

    Raises:
        RequestError: As ``synthesize``.
    """
    import soundfile

    sound = synthesize(score, sample_rate=sample_rate).mean(axis=0)
    most = int(seconds * sample_rate)
    if len(sound) > most:
        fade = min(most, sample_rate)
        sound = sound[:most]
        sound[most - fade :] *= np.linspace(1, 0, fade, dtype=np.float32)
    out = io.BytesIO()
    container, coding = FORMATS[".mp3"]
    soundfile.write(out, sound, sample_rate, format=container, subtype=coding)
    return out.getvalue()


class _Performance:
    """A piece on its way to sound.

    Attributes:
        samples: How many there will be.
        loudness: What levels its blocks, once all were made.
    """

    def __init__(self, score: Score, soundfont: Path | None, rate: int) -> None:
        """Take ``score`` apart.

        Raises:
            RequestError: As ``synthesize``.
        """
        self._parts, self._rate = perform(score), rate
        self._font = find_soundfont(soundfont)
        self._strict = soundfont is not None or bool(os.environ.get(VARIABLE))
        end = max((float(part.end.max()) for part in self._parts), default=0.0)
        self.samples = int((end + TAIL) * rate)
        self.loudness = Loudness(self.samples)

    def blocks(self) -> Iterator[Stereo]:
        """The sound, float32[2, samples] a block, not levelled yet; after the last, ``loudness`` is ready.

        Raises:
            RequestError: As ``synthesize``.
        """
        at = 0
        edge = min(self.samples, self._rate // 2)
        for block in self._played():
            end = at + block.shape[1]
            if end > self.samples - edge:  # what still sounds at the very end leaves without a click
                block *= np.clip((self.samples - 1 - np.arange(at, end)) / max(1, edge - 1), 0, 1).astype(np.float32)
            self.loudness.look(block)
            at = end
            yield block
        self.loudness.ready()

    def _played(self) -> Iterator[Stereo]:
        if self._font is not None:
            whole = np.zeros((2, self.samples), np.float32)
            if play(self._parts, self._font, whole, self._rate, strict=self._strict):
                yield whole
                return
        room, all_players = Room(self._rate), players(self._parts, self._rate)
        hours = sum(player.samples for player in all_players) / self._rate / 3600
        if hours > MOST_HOURS:
            raise RequestError(
                f"its notes sound for {hours:,.0f} hours, all together: at most {MOST_HOURS} are rendered; cut it first"
            )
        for at in range(0, self.samples, _BLOCK):
            block = np.zeros((2, min(_BLOCK, self.samples - at)), np.float32)
            for player in all_players:
                player.add(block, at)
            room.add(block)
            yield block


def soundfont_folders() -> list[Path]:
    """The folders of the system in which SoundFonts are looked for."""
    home = Path.home()
    if sys.platform == "darwin":
        banks = "Library/Audio/Sounds/Banks"
        return [
            home / banks,
            Path("/") / banks,
            Path("/opt/homebrew/share/soundfonts"),
            Path("/usr/local/share/soundfonts"),
        ]
    if sys.platform == "win32":
        bases = [os.environ[name] for name in ("APPDATA", "PROGRAMDATA") if name in os.environ]
        return [Path(base) / "soundfonts" for base in [*bases, "C:\\"]]
    data = Path(os.environ.get("XDG_DATA_HOME") or home / ".local/share")
    return [
        base / kind
        for base in (data, Path("/usr/local/share"), Path("/usr/share"))
        for kind in ("soundfonts", "sounds/sf2", "sounds/sf3")
    ]
