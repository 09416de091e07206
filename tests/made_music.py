"""A folder of music like the one that TOCCATA_DATA names, for machines that have none.

Its notes are Bach's: chorales out of music21, in the keys, meters and lengths they have. What else a kind of music has
(strings, a band with drums, a player's timing and pedal) is put on them here, by rule and seeded chance. So every test
of how files are treated has files of every kind; what tests say of particular real files needs the real ones.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from pathlib import Path

import numpy as np
from symusic import ControlChange, Note, Score, Tempo, TimeSignature, Track

from toccata.datasets import write_bach
from toccata.midi.bars import bar_map
from toccata.midi.read import read_score

TPQ = 480
Part = tuple[str, int, int, int]
"""What an instrument is called, its program, the voice it plays (0 soprano to 3 bass) and by how much it transposes."""
CHOIR = tuple((name, 52, voice, 0) for voice, name in enumerate(("soprano", "alto", "tenor", "bass")))
PIANO = (("upper", 0, 0, 0), ("upper", 0, 1, 0), ("lower", 0, 2, 0), ("lower", 0, 3, 0))
SONG = (("Voice", 52, 0, 0), ("Flute", 73, 0, 12), ("Piano", 0, 1, 0), ("Piano", 0, 2, 0), ("Piano", 0, 3, 0))
QUARTET = (("Violin 1", 40, 0, 0), ("Violin 2", 40, 1, 0), ("Viola", 41, 2, 0), ("Violoncello", 42, 3, 0))
BAND = (
    ("Lead", 81, 0, 0), ("Brass", 62, 1, 0), ("Pad", 89, 2, 0), ("Bass", 38, 3, -12), ("Strings", 51, 0, 12),
)  # fmt: skip
ORCHESTRA = (
    ("Flute", 73, 0, 12), ("Oboe", 68, 0, 0), ("Clarinet", 71, 1, 0), ("Bassoon", 70, 3, 0), ("Horn", 60, 2, 0),
    ("Trumpet", 56, 0, 0), ("Violin 1", 40, 0, 0), ("Violin 2", 40, 1, 0), ("Viola", 41, 2, 0), ("Cello", 42, 3, 0),
    ("Contrabass", 43, 3, -12),
)  # fmt: skip


def make(folder: Path) -> None:
    """Fill ``folder`` with the same sub-folders as the real one.

    Raises:
        MissingExtra: music21, which has the chorales, is not installed.
    """
    write_bach(folder / "chorales", limit=140)
    paths = sorted(
        (folder / "chorales").glob("*.mid"), key=lambda p: [int(n) for n in p.stem[3:].split(".")[:2] if n.isdigit()]
    )
    chorales = [score for score in map(read_score, paths) if len(score.tracks) == 4]
    music = partial(_series, chorales)
    _write(folder / "bach" / "mutopia", "BWV{}_chorale", music(270, 2), keyboard, first=701)
    _write(folder / "bach" / "hauptstimme", "Bach_{}", music(6, 8), partial(arranged, parts=ORCHESTRA))
    _write(folder / "choir", "hymn_{}", music(60, 2), partial(arranged, parts=CHOIR))
    _write(folder / "chorales_synthetic", "chorale_{}", music(12, 1), partial(arranged, parts=(*CHOIR, *CHOIR[:1])))
    _write(folder / "songs", "song_{}", music(160, 2), partial(arranged, parts=SONG))
    _write(folder / "quartets", "quartet_{}", music(32, 10), partial(arranged, parts=QUARTET, lively=True))
    _write(folder / "orchestra", "symphony_{}", music(9, 3), partial(arranged, parts=ORCHESTRA, lively=True))
    _write(folder / "polish", "work_{}", music(9, 2), partial(arranged, parts=SONG[:3]))
    _write(folder / "piano" / "keyboard", "keyboard_{}", music(70, 2), partial(played, pedal=False))
    _write(folder / "piano" / "chopin_first_editions", "edition_{}", music(30, 3), partial(played, pedal=True))
    _write(
        folder / "benchmark_only" / "giantmidi_performances", "performance_{}", music(9, 4), partial(played, pedal=True)
    )
    _write(folder / "benchmark_only" / "pop909", "pop_{}", music(9, 2), partial(arranged, parts=SONG))
    _write(folder / "benchmark_only" / "jsb", "jsb_{}", music(9, 1), partial(arranged, parts=PIANO))
    _write(folder / "game", "game_{}", music(24, 4), partial(arranged, parts=BAND, drums=True))
    _write(folder / "drums", "drummer_{}", music(24, 1), drummed)
    (folder / "licence_texts").mkdir()


def _series(chorales: Sequence[Score], count: int, length: int) -> Iterable[list[Score]]:
    """``count`` works of ``length`` chorales each, no two the same."""
    for number in range(count):
        yield [chorales[(number * (1 if length < 3 else 7) + i * 11) % len(chorales)] for i in range(length)]


def _write(
    folder: Path, name: str, works: Iterable[list[Score]], made: Callable[[Score, int], Score], first: int = 1
) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for number, work in enumerate(works, first):
        (folder / f"{name.format(f'{number:03}')}.mid").write_bytes(made(joined(work), number).dumps_midi())


def joined(chorales: Sequence[Score]) -> Score:
    """Chorales one after the other, each from a bar line on, with their meters, keys and tempos."""
    out, start = Score(TPQ), 0
    columns: list[list[dict[str, np.ndarray]]] = [[], [], [], []]
    for chorale in chorales:
        for voice, track in enumerate(chorale.tracks):
            notes = track.notes.numpy()
            columns[voice].append({**notes, "time": notes["time"] + np.int32(start)})
        out.time_signatures.extend(
            TimeSignature(s.time + start, s.numerator, s.denominator) for s in chorale.time_signatures
        )
        out.tempos.extend(Tempo(t.time + start, t.qpm) for t in chorale.tempos)
        out.key_signatures.extend(type(k)(k.time + start, k.key, k.tonality) for k in chorale.key_signatures)
        start += bar_map(chorale).end
    for voice, parts in enumerate(columns):
        track = Track(CHOIR[voice][0], 52, False)
        track.notes = Note.from_numpy(**{name: np.concatenate([part[name] for part in parts]) for name in parts[0]})
        out.tracks.append(track)
    return out


def arranged(work: Score, seed: int, parts: Sequence[Part], *, lively: bool = False, drums: bool = False) -> Score:
    """The voices on other instruments; ``lively`` long notes are played again in halves or quarters of them."""
    rng = np.random.default_rng(seed)
    out = _like(work)
    for name, program, voice, interval in parts:
        track = Track(name, program, False)
        notes = work.tracks[voice].notes.numpy()
        if lively:
            notes = _divided(notes, rng)
        loud = np.clip(notes["velocity"] + rng.integers(-20, 21, len(notes["time"])), 20, 120)
        pitch = np.clip(notes["pitch"].astype(np.int64) + interval, 0, 126)
        track.notes = Note.from_numpy(
            time=notes["time"], duration=notes["duration"], pitch=pitch.astype(np.int8), velocity=loud.astype(np.int8)
        )
        same = next((t for t in out.tracks if t.name == name), None)
        if same is None:
            out.tracks.append(track)
        else:
            same.notes.extend(track.notes)
            same.notes.sort(key=lambda n: (n.time, n.pitch))
    if drums:
        out.tracks.append(beaten(work, rng))
    return out


def keyboard(work: Score, number: int) -> Score:
    """For two hands, and every third one for an organ on which each voice has a manual of its own."""
    return arranged(work, number, [(name, 0, voice, 0) for name, _, voice, _ in CHOIR] if number % 3 == 2 else PIANO)


def drummed(work: Score, seed: int) -> Score:
    """A drummer alone, who is no machine: no stroke is quite where it is written."""
    rng = np.random.default_rng(seed)
    out, beat = _like(work), beaten(work, rng)
    notes = beat.notes.numpy()
    notes["time"] = np.maximum(0, notes["time"] + rng.integers(-17, 18, len(notes["time"]))).astype(np.int32)
    beat.notes = Note.from_numpy(**notes)
    beat.notes.sort(key=lambda n: (n.time, n.pitch))
    out.tracks.append(beat)
    return out


def _divided(notes: dict[str, np.ndarray], rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Notes of a quarter and more, some of them struck two or four times."""
    times = np.where(notes["duration"] >= TPQ, rng.choice([1, 2, 4], len(notes["time"])), 1)
    each = notes["duration"] // times
    again = np.arange(times.sum()) - np.repeat(np.cumsum(times) - times, times)
    out = {name: np.repeat(column, times) for name, column in notes.items()}
    out["duration"] = np.repeat(each, times).astype(np.int32)
    out["time"] = (out["time"] + again * out["duration"]).astype(np.int32)
    return out


def beaten(work: Score, rng: np.random.Generator) -> Track:
    """A drum kit through all bars: bass drum and snare on the beats, a hi-hat between them, a fill in every fourth."""
    track = Track("Drums", 0, True)
    bars = bar_map(work)
    for number, (start, end) in enumerate(zip(bars.starts[:-1].tolist(), bars.starts[1:].tolist(), strict=True)):
        for beat, tick in enumerate(range(start, end, TPQ)):
            track.notes.append(Note(tick, TPQ // 4, 36 if beat % 2 == 0 else 38, int(rng.integers(80, 120))))
        for tick in range(start, end, TPQ // 2):
            track.notes.append(Note(tick, TPQ // 8, 42, int(rng.integers(40, 80))))
        if number % 4 == 3:
            for step, tick in enumerate(range(max(start, end - TPQ), end, TPQ // 4)):
                track.notes.append(Note(tick, TPQ // 8, (50, 48, 45, 41)[step % 4], 100))
    track.notes.sort(key=lambda n: (n.time, n.pitch))
    return track


def played(work: Score, seed: int, *, pedal: bool) -> Score:
    """A performance: chords a little spread, loudness that swells, a tempo that gives way, pedal by the bar."""
    rng = np.random.default_rng(seed)
    out = _like(work)
    hands = [Track("right", 0, False), Track("left", 0, False)]
    for voice, source in enumerate(work.tracks):
        notes = source.notes.numpy()
        count = len(notes["time"])
        time = np.maximum(0, notes["time"] + rng.integers(-12, 13, count) + 4 * voice)
        swell = 64 + 20 * np.sin(notes["time"] / (8 * TPQ)) + rng.integers(-8, 9, count) + (10 if voice == 0 else 0)
        hands[voice // 2].notes.extend(
            Note.from_numpy(
                time=time.astype(np.int32),
                duration=np.maximum(TPQ // 8, notes["duration"] - rng.integers(10, 60, count)).astype(np.int32),
                pitch=notes["pitch"],
                velocity=np.clip(swell, 20, 120).astype(np.int8),
            )
        )
    bars = bar_map(work)
    for hand in hands:
        hand.notes.sort(key=lambda n: (n.time, n.pitch))
    if pedal:
        edges = bars.starts.tolist()
        for start, end in itertools.pairwise(edges):
            if end - start > 200:
                hands[0].controls.extend([ControlChange(start + 30, 64, 127), ControlChange(end - 30, 64, 0)])
    out.tracks.extend(hands)
    usual = work.tempos[0].qpm if len(work.tempos) else 90
    out.tempos = [Tempo(tick, float(usual * rng.uniform(0.92, 1.08))) for tick in bars.starts[:-1:4].tolist()]
    return out


def _like(work: Score) -> Score:
    """An empty piece with the meters, keys and tempos of another."""
    out = Score(work.ticks_per_quarter)
    out.time_signatures, out.tempos, out.key_signatures = work.time_signatures, work.tempos, work.key_signatures
    return out
