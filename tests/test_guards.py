"""Loops and degeneration: sources that say one thing for ever are steered away from it, music not; and who judges."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from symusic import Note, Score, TimeSignature, Track

from decoding import decode
from random_model import opened
from toccata.engine.cache import Slot
from toccata.engine.guards import MOST, Guards, Ids
from toccata.engine.job import Decoded
from toccata.engine.sampling import Sampling, log_probabilities
from toccata.measure.degeneration import Degeneration, degeneration
from toccata.midi.bars import bar_map
from toccata.midi.clean import clean
from toccata.midi.read import find_midi, read_score
from toccata.musicmodel import Model
from toccata.tasks.compile import compile_request
from toccata.tasks.passage import passage
from toccata.tasks.request import Request
from toccata.tokenizers.events import EventOptions, EventTokenizer
from toccata.tokenizers.state import Note as NewMade
from toccata.tokenizers.state import State
from toccata.tokenizers.vocabulary import Kind

REMI = EventTokenizer.build(EventOptions("REMI", {"use_programs": False}))
TSD = EventTokenizer.build(EventOptions("TSD", {"use_programs": False}))
MIDI_LIKE = EventTokenizer.build(EventOptions("MIDILike", {"use_programs": False}))
Floats = NDArray[np.float32]
Source = Callable[[int, Kind], Floats]


class Parrot:
    """A cache of one row whose logits depend on how many notes it has read and on the kind read last."""

    capacity = 10**9
    rows = 1

    def __init__(self, source: Source, tokenizer: EventTokenizer) -> None:
        self.slots: list[Slot] = []
        self.active = 0
        self._source, self._notes = source, 0
        self._kinds = tokenizer.grammar().scheme.vocabulary.kinds
        self.given: list[Floats] = []

    def open(self, ids: NDArray[np.int64]) -> Slot:
        self.slots = [Slot(0, ids)]
        return self.slots[0]

    def read(self, slot: Slot, most: int | None = None) -> Floats:
        slot.length = len(slot.prompt)
        return self._source(0, Kind.SPECIAL)

    def activate(self, slot: Slot) -> None:
        self.active = 1

    def release(self, slot: Slot) -> None:
        self.slots, self.active = [], 0

    def step(self, ids: NDArray[np.int64]) -> Floats:
        kind = Kind(int(self._kinds[ids[0]]))
        self._notes += kind in (Kind.PITCH, Kind.NOTE_ON)
        self.given.append(self._source(self._notes, kind))
        return self.given[-1][None]


def likes(tokenizer: EventTokenizer, **by_kind: dict[str, float]) -> Floats:
    """Logits: 0, but for words that are liked better: ``PITCH={"60": 12}``."""
    logits = np.zeros(tokenizer.vocab_size, np.float32)
    vocabulary = tokenizer.grammar().scheme.vocabulary
    for kind, words in by_kind.items():
        for token in vocabulary.of_kind[Kind[kind]].tolist():
            value = vocabulary.words[token].split("_", 1)[1]
            logits[token] = words.get(value, words.get("any", 0.0))
    return logits


def in_quarters(pitch: dict[str, float]) -> Floats:
    """A source in REMI of four quarter notes a bar, whose pitches are those liked."""
    positions = {"0": 50.0, "12": 46.0, "24": 42.0, "36": 38.0, "any": -50.0}
    return likes(REMI, POSITION=positions, BAR={"any": 30.0}, PITCH=pitch, DURATION={"0.6.12": 20.0})


def written(
    tokenizer: EventTokenizer, source: Source, guards: bool, bars: int = 24, **asked: Any
) -> tuple[list[NewMade], Decoded, Parrot]:
    """What a source of such logits writes."""
    parrot = Parrot(source, tokenizer)
    task = compile_request(Request(bars=bars, meter=(4, 4), **asked), tokenizer, 100)
    done = decode(parrot, tokenizer, task, 3, Sampling(0.7, guards=guards))
    state, notes = State(tokenizer.grammar().scheme), list[NewMade]()
    for base in (base for token in done.ids.tolist() for base in tokenizer.grammar().base(token)):
        state.read(base)
        notes += state.made
    return notes, done, parrot


def fallen(tokenizer: EventTokenizer, done: Decoded, bars: int = 24) -> tuple[str, ...]:
    return degeneration(tokenizer.decode(done.ids), bars).kinds


def against(tokenizer: EventTokenizer, ids: Iterable[int]) -> set[str]:
    """What guards press against anywhere in ``ids``."""
    grammar = tokenizer.grammar()
    cursor = grammar.cursor()
    guards = Guards(Ids(grammar), cursor)
    found: set[str] = set()
    for base in (base for token in ids for base in grammar.base(token)):
        cursor.read(base)
        guards.read(cursor.state)
        found.update(guards.against(cursor.state))
    return found


# -- failures are left ------------------------------------------------------------------------------------------------


def test_one_note_does_not_go_on_for_ever() -> None:
    source = in_quarters({"60": 8.0})
    for guards, kinds in ((False, ("loop", "one_note")), (True, ())):
        notes, done, _ = written(REMI, lambda *_: source, guards)
        assert fallen(REMI, done) == kinds
        assert (len({note.pitch for note in notes}) == 1) != guards


def test_a_figure_does_not_go_on_for_ever() -> None:
    figure = [60, 64, 67, 64, 60, 64, 69, 64]

    def source(notes: int, _: Kind) -> Floats:
        return in_quarters({str(figure[notes % len(figure)]): 8.0})

    assert fallen(REMI, written(REMI, source, guards=False)[1]) == ("loop",)
    notes, done, _ = written(REMI, source, guards=True)
    assert fallen(REMI, done) == ()
    again = [note.pitch == figure[i % len(figure)] for i, note in enumerate(notes)]
    assert all(again[:20]), "two and a half times is no failure yet"


def test_silence_does_not_go_on_for_ever() -> None:
    source = likes(REMI, BAR={"any": 9.0}, POSITION={"any": 0.0})
    assert fallen(REMI, written(REMI, lambda *_: source, guards=False)[1]) == ("silence",)
    early = likes(REMI, POSITION={"0": 20.0})

    def falls_silent(notes: int, _: Kind) -> Floats:
        return early if notes == 0 else source

    notes, _, _ = written(REMI, falls_silent, guards=True)
    assert len(notes) > 1
    longest = max(b.onset - a.onset - a.length for a, b in pairwise(notes))
    assert longest <= 5 * 4 * 48, "five bars at the most"


def test_notes_do_not_stay_at_the_end_of_the_keyboard() -> None:
    values = REMI.grammar().scheme.vocabulary.values
    slope = in_quarters({})
    pitches = REMI.grammar().scheme.vocabulary.of_kind[Kind.PITCH]
    slope[pitches] = 15 + (values[pitches] - 127) * 0.4
    high = np.mean([note.pitch for note in written(REMI, lambda *_: slope, guards=False)[0]][-32:])
    guarded = np.mean([note.pitch for note in written(REMI, lambda *_: slope, guards=True)[0]][-32:])
    assert high > 100 > guarded


@pytest.mark.parametrize("tokenizer", [TSD, MIDI_LIKE], ids=["TSD", "MIDILike"])
def test_other_tokens_are_steered_too(tokenizer: EventTokenizer) -> None:
    beat = {"1.0.12": 50.0, "any": -50.0}
    notes = {"60": 8.0}
    now = likes(tokenizer, PITCH=notes, NOTE_ON=notes, NOTE_OFF={"any": 50.0}, TIME_SHIFT={"any": -50.0}, DURATION=beat)
    later = likes(tokenizer, TIME_SHIFT=beat)

    def source(_: int, kind: Kind) -> Floats:
        return later if kind is tokenizer.grammar().scheme.after_note else now

    assert fallen(tokenizer, written(tokenizer, source, guards=False)[1]) == ("loop", "one_note")
    assert fallen(tokenizer, written(tokenizer, source, guards=True)[1]) == ()


def test_merged_ids_are_steered_too(merged: EventTokenizer) -> None:
    ids = Ids(merged.grammar())
    grammar = merged.grammar()
    which, pitches = ids.pitched
    assert len(which) > 500
    for token, pitch in list(zip(which.tolist(), pitches.tolist(), strict=True))[::97]:
        words = [grammar.scheme.vocabulary.words[base] for base in grammar.base(token)]
        assert next(word for word in words if word.startswith("Pitch_")) == f"Pitch_{pitch}"


# -- what is promised besides -----------------------------------------------------------------------------------------


def test_what_is_asked_is_kept_to_where_nothing_else_is_left() -> None:
    source = in_quarters({"60": 8.0})
    notes, done, _ = written(REMI, lambda *_: source, guards=True, pitches=(60, 60))
    assert {note.pitch for note in notes} == {60}
    assert done.cursor.state.ended
    assert done.cursor.state.bar == 23


def test_guards_take_finite_amounts() -> None:
    """So nothing that the grammar allows is ever ruled out, however long a failure lasts."""
    grammar = REMI.grammar()
    cursor = grammar.cursor()
    guards = Guards(Ids(grammar), cursor)
    _, done, _ = written(REMI, lambda *_: in_quarters({"60": 30.0}), guards=False, bars=64)
    everything, most, least = np.ones(REMI.vocab_size, np.bool_), 0.0, 0.0
    for token in done.ids.tolist():
        cursor.read(token)
        guards.read(cursor.state)
        logits = np.zeros(REMI.vocab_size, np.float32)
        guards.steer(logits, everything, cursor)
        most, least = max(most, float(logits.max())), min(least, float(logits.min()))
        assert (logits < 0).sum() < 10, "from few ids"
    assert -3 * MOST < least < -MOST / 2
    assert most < 0.1, "what is taken from one pitch is spread over all"


def test_a_note_stays_as_likely() -> None:
    """Else a source that knows but few pitches would be steered into silence."""
    source = in_quarters({"60": 8.0})
    plain = written(REMI, lambda *_: source, guards=False)[0]
    guarded = written(REMI, lambda *_: source, guards=True)[0]
    assert [note.onset for note in guarded] == [note.onset for note in plain]


def test_likelihood_is_the_models_own() -> None:
    notes, done, parrot = written(REMI, lambda *_: in_quarters({"60": 8.0}), guards=True)
    before = in_quarters({"60": 8.0})
    new = done.ids[-done.new_tokens :].tolist()
    nats = [-float(log_probabilities(row[None], [token])[0]) for row, token in zip([before, *parrot.given], new)]  # noqa: B905
    assert len({note.pitch for note in notes}) > 1, "nothing was steered: nothing was tested"
    assert done.nats == pytest.approx(sum(nats), rel=1e-4)


def test_the_same_seed_gives_the_same_notes_whoever_is_beside(tmp_path: Path) -> None:
    few = {"use_programs": False, "use_tempos": False, "use_time_signatures": False, "num_velocities": 1}
    model: Model = opened(tmp_path / "m", EventOptions("REMI", few), seed=1)
    asked: dict[str, Any] = {"bars": 12, "max_tokens": 900}
    sampling = Sampling(0.05)
    alone = [model.generate(n=1, seed=s, sampling=sampling, **asked)[0] for s in (5, 6, 7)]
    together = model.generate(n=3, seed=5, sampling=sampling, **asked)
    plain = model.generate(n=3, seed=5, sampling=Sampling(0.05, guards=False), **asked)
    assert [p.midi for p in alone] == [p.midi for p in together]
    assert [_notes(p.score) for p in together] != [_notes(p.score) for p in plain], "no guard had anything to do"
    assert together[0].origin["sampling"]["guards"] is True


def _notes(score: Score) -> list[tuple[int, int]]:
    return [(note.time, note.pitch) for track in score.tracks for note in track.notes]


# -- music is left alone ----------------------------------------------------------------------------------------------


def tune(bars: list[list[int]], *, drum: bool = False, tpq: int = 480) -> Score:
    """Each bar its pitches, one after the other, as long as each other; -1 is a rest."""
    score = Score(tpq)
    score.time_signatures = [TimeSignature(0, 4, 4)]
    track = Track("", 0, drum)
    for number, pitches in enumerate(bars):
        step = 4 * tpq // max(1, len(pitches))
        places = [(number * 4 * tpq + i * step, step, pitch) for i, pitch in enumerate(pitches) if pitch >= 0]
        track.notes.extend([Note(*place, 80) for place in places])
    score.tracks.append(track)
    return score


CHANGING = [[50 + (7 * i) % 29 + k for k in (0, 4, 7, 12)] for i in range(24)]
MUSIC = {
    "a bar four times": [[60, 62, 64, 65]] * 4 + CHANGING,
    "a note for three bars": [[60] * 8] * 3 + CHANGING,
    "Alberti bass": [[root, root + 7, root + 4, root + 7] * 2 for root in (48, 48, 53, 48, 55, 48, 55, 48) * 3],
    "eight bars twice": (CHANGING[:8] * 2) + CHANGING[8:],
    "two bars of rest": [*CHANGING[:4], [], [], *CHANGING[4:]],
}


@pytest.mark.parametrize("name", MUSIC)
def test_repetition_that_music_wants_is_left_alone(name: str) -> None:
    assert against(REMI, REMI.encode(tune(MUSIC[name])).ids.tolist()) == set()


def test_drums_may_go_round_and_round() -> None:
    tokenizer = EventTokenizer.build(EventOptions("REMI", {"program_changes": True}))
    assert against(tokenizer, tokenizer.encode(tune([[36, 42, 38, 42]] * 32, drum=True)).ids.tolist()) == set()
    assert degeneration(tune([[36, 42, 38, 42]] * 32, drum=True)) == Degeneration()


def test_music_by_people_is_left_alone(data: Path) -> None:
    touched, looked = [], 0
    files = [path for folder in ("bach/mutopia", "songs", "quartets") for path in find_midi(data / folder)[::90]]
    for path in files:
        score = clean(read_score(path))
        lines = bar_map(score)
        ids = passage(REMI, score, lines, 0, min(32, len(lines)), ended=False).ids.tolist()
        looked += 1
        touched += [path.name] * bool(against(REMI, ids))
    assert looked > 15
    assert len(touched) <= 1, touched


# -- the judge --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("bars", "found"),
    [
        ([[60, 62, 64, 65]] * 12, Degeneration(loop=12)),
        ([[60, 62, 64, 65], [65, 67, 69, 71]] * 6, Degeneration(loop=12)),
        (CHANGING[:3] * 3, Degeneration()),
        (CHANGING[:3] * 4, Degeneration(loop=12)),
        ([[60, 62, 64, 65]] * 9 + CHANGING, Degeneration()),
        (CHANGING + [[60, 60, 60]] * 4 + [[60, 60]] * 2, Degeneration(one_note=6)),
        (CHANGING + [[60, 60, 60]] * 4, Degeneration()),
        (CHANGING[:4] + [[]] * 4 + CHANGING, Degeneration(silence=4)),
        (CHANGING[:4] + [[]] * 3 + CHANGING, Degeneration()),
        ([[100 + (5 * i + k) % 9 for k in range(4)] for i in range(7)] + CHANGING, Degeneration(register=7)),
        ([[20 + (5 * i + k) % 9 for k in range(4)] for i in range(7)] + CHANGING, Degeneration(register=7)),
        (CHANGING, Degeneration()),
    ],
)
def test_failures_are_told_from_music(bars: list[list[int]], found: Degeneration) -> None:
    assert degeneration(tune(bars)) == found


def test_silence_after_the_last_note_counts_if_more_was_asked_for() -> None:
    assert degeneration(tune(CHANGING[:8])) == Degeneration()
    assert degeneration(tune(CHANGING[:8]), bars=16) == Degeneration(silence=8)
