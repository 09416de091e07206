"""Playing with a SoundFont, through symusic's synthesizer.

That synthesizer is fast and knows only part of the SoundFont format. It knows no loudness: to it, velocity only chooses
between samples. So notes are played in layers, one for each sixteen steps of velocity, and each layer is made as loud
as SoundFonts have it, by the square of velocity. It also leaves out some of the tuning: a bank whose instruments come
out at the wrong pitch (as those of TimGM6mb do) is not used.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from symusic import Score

from toccata.errors import RequestError
from toccata.midi.gm import PROGRAMS
from toccata.render.perform import Part
from toccata.render.synth import Stereo


def play(parts: list[Part], font: Path, out: Stereo, rate: int, *, strict: bool) -> bool:
    """Add ``parts`` played with a SoundFont to ``out`` (float32[2, samples]).

    Args:
        parts: What to play.
        font: The .sf2 or .sf3 file.
        out: Where to add the sound.
        rate: Samples a second.
        strict: Raise where ``font`` cannot be used, instead of leaving ``out`` as it is.

    Returns:
        Whether it was played.

    Raises:
        RequestError: ``font`` is no SoundFont, or sounds out of tune here.
    """
    from symusic import Synthesizer

    try:
        player = Synthesizer(str(font), rate)
        for program in sorted({part.program for part in parts if not part.is_drum}):
            if not _in_tune(player, program, rate):
                raise ValueError(f"{PROGRAMS[program]} is out of tune")
        for step in range(8):
            layer = [(part, (part.velocity // 16).astype(int) == step) for part in parts]
            chosen = np.concatenate([part.velocity[which] for part, which in layer])
            if not len(chosen):
                continue
            sound = player.render(_layer(layer, out.shape[1] / rate), stereo=True)
            count = min(sound.shape[1], out.shape[1])
            out[:, :count] += sound[:, :count] * np.float32((float(chosen.mean()) / 127) ** 2)
    except (RuntimeError, ValueError) as error:
        if strict:
            raise RequestError(f"the SoundFont {font} cannot be used here: {error}", path=font) from error
        return False
    return True


def _in_tune(player: Any, program: int, rate: int) -> bool:
    """Whether the strongest partial of a few notes is one of theirs, within half a semitone."""
    for pitch in (48, 57, 69):
        part = Part(program, False, np.zeros(1), np.full(1, 0.5), np.array([pitch]), np.full(1, 100.0), None)
        sound = player.render(_layer([(part, np.ones(1, bool))], 0.6), stereo=True)[:, : rate // 2].mean(axis=0)
        spectrum = np.abs(np.fft.rfft(sound * np.hanning(len(sound)), 4 * len(sound)))
        strongest = float(spectrum.argmax()) * rate / (4 * len(sound))
        ratio = strongest / (440.0 * 2.0 ** ((pitch - 69) / 12))
        partial = max(1, round(ratio)) if ratio > 0.75 else 0.5  # organs add the octave below
        if not strongest or abs(12 * np.log2(ratio / partial)) > 0.5:
            return False
    return True


def _layer(layer: list[tuple[Part, NDArray[np.bool_]]], length: float) -> Any:
    """The chosen notes of parts as a Score in seconds, for the synthesizer."""
    from symusic import Note, Track

    score: Any = Score(480).to("second")
    for part, which in layer:
        if not which.any():
            continue
        track = Track("", part.program, part.is_drum, ttype="second")
        track.notes = Note.from_numpy(
            part.start[which].astype(np.float32),
            (part.end - part.start)[which].astype(np.float32),
            part.pitch[which].astype(np.int8),
            np.clip(np.rint(part.velocity[which]), 1, 127).astype(np.int8),
            ttype="second",
        )
        score.tracks.append(track)
    # The synthesizer stops dead with its last note: one where all is faded out lets the others ring.
    ghost = Track("", 0, False, ttype="second")
    ghost.notes.append(Note(length - 0.02, 0.01, 127, 1, ttype="second"))
    score.tracks.append(ghost)
    return score
