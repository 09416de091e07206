"""A Score as sound: through a SoundFont where there is one, through the built-in synthesis where there is none."""

from __future__ import annotations

import errno
import os
import shutil
import sys
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from symusic import Score

from toccata.errors import RequestError
from toccata.files import written_aside
from toccata.render.perform import perform
from toccata.render.soundfont import play
from toccata.render.synth import Stereo, mix

VARIABLE = "TOCCATA_SOUNDFONT"
"""The environment variable that may name a SoundFont."""

TAIL = 2.0
"""Seconds of sound after the last note's end."""

FORMATS = {
    ".wav": ("WAV", "PCM_16"),
    ".flac": ("FLAC", "PCM_16"),
    ".ogg": ("OGG", "VORBIS"),
    ".mp3": ("MP3", "MPEG_LAYER_III"),
}
"""What is written, by suffix: soundfile's names of container and coding."""

_PEAK = 10 ** (-1 / 20)  # -1 dBFS: codecs overshoot a little
_CHUNK = 4096  # frames written at a time: libsndfile's Vorbis encoder needs stack for all it is given at once
_BLOCK = 1 << 16
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
        volume, expression and pan are heard, pitch bends are not.

    Raises:
        RequestError: The piece is longer than an hour, or the SoundFont that was asked for cannot be used. One that
            was only found is passed over if it cannot.
    """
    parts = perform(score)
    font = find_soundfont(soundfont)
    asked = soundfont is not None or bool(os.environ.get(VARIABLE))
    end = max((float(part.end.max()) for part in parts), default=0.0)
    out = np.zeros((2, int((end + TAIL) * sample_rate)), np.float32)
    if font is None or not play(parts, font, out, sample_rate, strict=asked):
        mix(parts, out, sample_rate)
        _add_room(out, sample_rate)
    edge = min(out.shape[1], sample_rate // 2)  # what still sounds at the very end leaves without a click
    out[:, out.shape[1] - edge :] *= np.linspace(1.0, 0.0, edge, dtype=np.float32)
    _level(out)
    return out


def write_audio(score: Score, path: Path, *, soundfont: Path | None = None, sample_rate: int = 44100) -> None:
    """Write ``score`` as sound to ``path``: .wav, .flac, .ogg or .mp3 by its suffix.

    Raises:
        RequestError: Another suffix, or as ``synthesize``.
    """
    suffix = path.suffix.lower()
    if suffix not in FORMATS:
        known = ", ".join(FORMATS)
        raise RequestError(f"{path.name}: sound is written as one of {known}, not as {suffix or 'nothing'}", path=path)
    import soundfile

    container, coding = FORMATS[suffix]
    sound = synthesize(score, soundfont=soundfont, sample_rate=sample_rate)
    with written_aside(path) as aside:
        try:
            with soundfile.SoundFile(aside, "w", sample_rate, 2, format=container, subtype=coding) as file:
                for at in range(0, sound.shape[1], _CHUNK):
                    file.write(np.ascontiguousarray(sound[:, at : at + _CHUNK].T))
        except soundfile.LibsndfileError as error:
            # It says no more than "System error": whether the disk is full has to be seen.
            full = shutil.disk_usage(aside.parent).free < _CHUNK
            number = errno.ENOSPC if full else errno.EIO
            raise OSError(number, "the sound cannot be written here", str(path)) from error


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


def _add_room(out: Stereo, rate: int) -> None:
    """Add a short reverberation, block by block in place."""
    length = min(int(1.3 * rate), _BLOCK)
    time = np.arange(length) / rate
    noise = np.random.default_rng(0).standard_normal((2, length))
    # Walls soften sound: a running mean over a few samples takes the noise's edge.
    noise = noise + np.roll(noise, 1, axis=1) + np.roll(noise, 2, axis=1)
    impulse = noise * np.exp(time / -0.28) * np.clip(time / 0.012, 0.0, 1.0)
    impulse *= 0.30 / np.sqrt((impulse**2).sum(axis=1, keepdims=True))
    size = 2 * _BLOCK
    response = np.fft.rfft(impulse, size).astype(np.complex64)
    tail = np.zeros((2, size - _BLOCK), np.float32)
    for at in range(0, out.shape[1], _BLOCK):
        block = out[:, at : at + _BLOCK]
        wet = np.fft.irfft(np.fft.rfft(block.mean(axis=0), size) * response, size).astype(np.float32)
        wet[:, : tail.shape[1]] += tail
        block += wet[:, : block.shape[1]]
        tail = wet[:, _BLOCK:]


def _level(out: Stereo) -> None:
    """Bring ``out`` to a common loudness, in place: most peaks below the knee of a soft limiter, the top at -1 dBFS."""
    if not out.size:
        return
    usual = float(np.quantile(np.abs(out[:, :: max(1, out.shape[1] // 500_000)]), 0.9995))
    if usual <= 1e-9:
        out[:] = 0
        return
    knee = 0.7
    for at in range(0, out.shape[1], _BLOCK):
        block = out[:, at : at + _BLOCK]
        block *= np.float32(knee / usual)
        size = np.abs(block)
        over = size > knee
        if over.any():
            block[over] = np.sign(block[over]) * (knee + (1 - knee) * np.tanh((size[over] - knee) / (1 - knee)))
    peak = max(float(out.max()), -float(out.min()))
    out *= np.float32(_PEAK / peak)
