"""Music and settings for comparing toccata's event tokenizers with MidiTok, and MidiTok's side of it."""

from __future__ import annotations

import json
import random
import tempfile
import warnings
from pathlib import Path
from typing import Any

import miditok
import numpy as np
from symusic import ControlChange, KeySignature, Note, Pedal, PitchBend, Score, Tempo, TextMeta, TimeSignature, Track

from toccata.tokenizers.events import EventOptions, EventTokenizer
from toccata.tokenizers.simplify import one_track, writable_meters
from toccata.tokenizers.vocabulary import read_words

FLAGS = (
    "use_chords", "use_rests", "use_tempos", "use_time_signatures", "use_key_signatures", "use_sustain_pedals",
    "use_pitch_bends", "use_control_changes", "use_programs", "use_pitch_intervals", "use_pitchdrum_tokens",
    "program_changes", "chord_tokens_with_root_note", "remove_duplicated_notes", "use_velocities", "log_tempos",
    "delete_equal_successive_tempo_changes", "sustain_pedal_duration",
)  # fmt: skip
VALUES: dict[str, tuple[Any, ...]] = {
    "beat_res": ({"0-4": 8, "4-12": 4}, {"0-1": 12, "1-2": 4, "2-4": 2, "4-8": 1}, {"0-4": 3}, {"0-2": 6, "2-32": 2}),
    "beat_res_rest": ({"0-1": 2, "1-4": 1}, {"0-2": 3}),
    "num_velocities": (1, 4, 24, 127),
    "num_tempos": (1, 2, 32, 200),
    "tempo_range": ([20, 300],),
    "pitch_range": ([0, 90],),
    "drums_pitch_range": ([35, 60],),
    "programs": ([0, 1, 2, -1], [-1, 0, 127]),
    "use_note_duration_programs": (list(range(128)), [0, 1, 40], []),
    "time_signature_range": (
        {"4": [1, 2, 3, 4, 5, 6], "8": [3, 6, 9, 12, 5, 7]},
        {"2": [2, 3], "4": [1, 2, 3, 4]},
        {"4": [4, 3, 2, 1], "16": [6, 9, 12], "8": [6, 3]},
    ),
    "encode_ids_split": ("beat", "no"),
    "max_pitch_interval": (3, 12, 30),
    "pitch_intervals_max_time_dist": (0, 2.5),
    "control_change_numbers": ([1, 7, 64], [7, 10, 66, 0]),
    "pitch_bend_range": ([-8192, 8191, 9],),
    "default_note_duration": (0.25,),
}


def some_options(rng: random.Random) -> EventOptions:
    """Any options of the schemes that toccata writes itself."""
    scheme = rng.choice(["REMI", "REMI", "TSD", "MIDILike", "Structured"])
    options: dict[str, Any] = {name: rng.random() < 0.5 for name in FLAGS if rng.random() < 0.6}
    options |= {name: rng.choice(values) for name, values in VALUES.items() if rng.random() < 0.25}
    if rng.random() < 0.3:  # MidiTok's own tokens of unknown chords exist only with a root
        options |= {"chord_unknown": [3, 6], "chord_tokens_with_root_note": True}
    if scheme == "REMI" and rng.random() < 0.2:
        options["add_trailing_bars"] = True
    if min(options.get("beat_res", {"": 12}).values()) < max(options.get("beat_res_rest", {"": 8}).values()):
        options["use_rests"] = False  # rests cannot be finer than notes
    if "pitch_range" in options:  # MidiTok reads no drums outside of it, though it writes them
        options["drums_pitch_range"] = [35, 60]
    return EventOptions(scheme, options)


def some_piece(rng: random.Random) -> Score:
    """A piece with everything in it that tokens can say, on the grid and off it."""
    chance, tpq = np.random.default_rng(rng.randrange(1 << 30)), rng.choice([480, 96, 220, 12, 24, 1024])
    score, end = Score(tpq), tpq * rng.choice([4, 20, 60])
    for _ in range(rng.choice([1, 1, 2, 4])):
        score.tracks.append(_some_track(rng, chance, tpq, end))
    at = 0
    for _ in range(rng.choice([0, 1, 1, 3])):
        score.time_signatures.append(TimeSignature(at, *rng.choice([(4, 4), (3, 4), (6, 8), (5, 8), (2, 2), (9, 16)])))
        at += rng.randrange(1, end // 2 + 2)
    times = sorted(rng.randrange(end) if rng.random() < 0.8 else 0 for _ in range(rng.choice([0, 1, 3, 8])))
    score.tempos.extend(Tempo(time, rng.uniform(15, 400)) for time in times)
    for time in sorted(rng.randrange(end) for _ in range(rng.choice([0, 0, 1, 3]))):
        score.key_signatures.append(KeySignature(time, rng.randrange(-7, 8), rng.randrange(2)))
    if rng.random() < 0.2:
        score.markers.append(TextMeta(end * 2, "the end"))
    return score


def _some_track(rng: random.Random, chance: np.random.Generator, tpq: int, end: int) -> Track:
    drums, grid = rng.random() < 0.2, rng.choice([1, max(1, tpq // 12), max(1, tpq // 4)])
    track = Track("", 0 if drums else rng.choice([0, 0, 1, 40, 127]), drums)

    def times(count: int) -> np.ndarray[Any, Any]:
        return np.sort(chance.integers(0, end, count) // grid * grid).astype(np.int32)

    onsets = np.repeat(times(rng.choice([0, 1, 5, 60, 200])), rng.choice([1, 3]))
    count = len(onsets)
    track.notes = Note.from_numpy(
        time=onsets,
        duration=(chance.integers(0, tpq * 3, count) // grid * grid).astype(np.int32),
        pitch=chance.integers(*rng.choice([(40, 70), (0, 128)]), count).astype(np.int8),
        velocity=chance.integers(1, 128, count).astype(np.int8),
    )
    if rng.random() < 0.5:
        down = times(rng.choice([1, 5, 20]))
        track.pedals = Pedal.from_numpy(time=down, duration=chance.integers(0, tpq * 2, len(down)).astype(np.int32))
    if rng.random() < 0.5:
        bent = times(rng.choice([1, 5, 20]))
        values = chance.integers(-8192, 8192, len(bent)).astype(np.int32)
        track.pitch_bends = PitchBend.from_numpy(time=bent, value=values)
    if rng.random() < 0.5:
        turned = times(rng.choice([1, 5, 40]))
        numbers = chance.choice([1, 7, 10, 64, 66, 0, 3], len(turned)).astype(np.uint8)
        values = chance.integers(0, 128, len(turned)).astype(np.uint8)
        track.controls = ControlChange.from_numpy(time=turned, number=numbers, value=values)
    if rng.random() < 0.2:
        track.lyrics.append(TextMeta(rng.randrange(end * 2), "la"))
    return track


class Theirs:
    """MidiTok's tokenizer for one of ours, opened from the file that ours saves."""

    def __init__(self, tokenizer: EventTokenizer) -> None:
        with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tokenizer.save(Path(folder))
            self.miditok: Any = getattr(miditok, tokenizer.scheme)(params=Path(folder) / "tokenizer.json")
        self.words = sorted(self.miditok.vocab, key=self.miditok.vocab.__getitem__)

    def base(self, score: Score) -> Any:
        """MidiTok's sequence before merges, of a piece in the form that MidiTok reads without loss."""
        config, score = self.miditok.config, score.copy()
        score.tracks = [track for track in score.tracks if len(track.notes)]
        if not config.use_programs:
            score = one_track(score)
        score.time_signatures = [TimeSignature(0, 4, 4)]
        if config.use_time_signatures:
            whole = score.copy()
            whole.time_signatures = self.meters
            score.time_signatures = writable_meters(whole, read_words(self.words).meters)
        for track in score.tracks:
            track.notes.sort(key=lambda n: (n.time, n.pitch, n.duration, n.velocity))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            found = self.miditok.encode(score, encode_ids=False)
        return found[0] if isinstance(found, list) else found

    def encode(self, score: Score) -> list[int]:
        """The ids of a piece."""
        self.meters = score.time_signatures
        sequence = self.base(score)
        if self.miditok.is_trained:
            self.miditok.encode_token_ids(sequence)
        return [int(i) for i in sequence.ids]

    def decode(self, ids: list[int]) -> Score:
        """The music of base ids."""
        sequence = miditok.TokSequence(ids=ids)
        one = self.miditok.config.one_token_stream_for_programs
        return self.miditok.decode(sequence if one else [sequence])


def saved(tokenizer: EventTokenizer) -> dict[str, Any]:
    """What a tokenizer saves, as JSON has it."""
    found: dict[str, Any] = json.loads(json.dumps(tokenizer.document))
    return found
