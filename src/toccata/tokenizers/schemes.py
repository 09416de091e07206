"""How MidiTok's schemes tell time, and what they let follow what."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from toccata.tokenizers.options import library
from toccata.tokenizers.scheme import Clock, Timing
from toccata.tokenizers.vocabulary import KINDS, Kind, Vocabulary


def timing(tok: Any, vocabulary: Vocabulary) -> Timing:
    """How a MidiTok tokenizer tells time."""
    scheme, config = type(tok).__name__, tok.config
    per_tok = scheme == "PerTok"
    clock = Clock.POSITIONS if scheme == "REMI" else Clock.BAR_SHIFTS if per_tok else Clock.SHIFTS
    if config.use_time_signatures:
        beats = {int(d): int(t) for d, t in tok._tpb_per_ts.items()}
    else:
        beats = {4: int(tok.tpq if per_tok else tok.time_division)}
    lengths: dict[tuple[Kind, int], NDArray[np.int64]] = {}
    for beat in set(beats.values()):
        for kind in (Kind.DURATION, Kind.TIME_SHIFT, Kind.REST):
            lengths[kind, beat] = np.array([_length(text, beat) for text in vocabulary.times(kind)], np.int64)
    steps = 1 if per_tok else config.max_num_pos_per_beat
    return Timing(
        clock=clock,
        ticks_per_quarter=beats[4] if 4 in beats else int(tok.time_division),
        ticks_per_beat=beats,
        ticks_per_position={d: 1 if per_tok else t // steps for d, t in beats.items()},
        lengths=lengths,
        rest_from_note_end=scheme != "MIDILike",
        default_length=config.default_note_duration,
        duration_programs=frozenset(config.use_note_duration_programs),
    )


def follows_of(tok: Any, vocabulary: Vocabulary, clock: Clock) -> dict[Kind, frozenset[Kind]]:
    """MidiTok's graph of token types as kinds, and what may open a piece."""
    present = {Kind(int(k)) for k in np.unique(vocabulary.kinds)}
    follows: dict[Kind, frozenset[Kind]] = {}
    for name, after in _graph(tok).items():
        if name in KINDS:
            kinds = frozenset(KINDS[a] for a in after if a in KINDS) & present
            follows[KINDS[name]] = follows.get(KINDS[name], frozenset()) | kinds
    # MidiTok lets a controller follow anything; inside a note its decoder would lose the note.
    inside = {Kind.VELOCITY, Kind.DURATION, Kind.MICRO_TIMING}
    for kind, kinds in follows.items():
        if kinds & inside:
            follows[kind] = kinds - {Kind.CONTROL}
    if Kind.CONTROL in follows:
        follows[Kind.CONTROL] -= inside
    if clock is Clock.POSITIONS:
        follows[Kind.SPECIAL] = frozenset({Kind.BAR})
    elif Kind.TIME_SIG in present:
        follows[Kind.SPECIAL] = frozenset({Kind.TIME_SIG})
    else:
        after_time = follows.get(Kind.TIME_SHIFT, frozenset())
        alone = Kind.TIME_SHIFT not in after_time  # Structured: every note has its time shift
        follows[Kind.SPECIAL] = frozenset({Kind.TIME_SHIFT}) if alone else after_time | {Kind.TIME_SHIFT}
    return follows


def _graph(tok: Any) -> dict[str, set[str]]:
    """Which token types may follow which.

    MidiTok draws no graph for PerTok: it is that of TSD, with bars beside the time shifts.
    """
    if type(tok).__name__ != "PerTok":
        graph: dict[str, set[str]] = tok.tokens_types_graph
        return graph
    move = "Position" if tok.use_position_toks else "TimeShift"
    shifts = library().TSD._create_token_types_graph(tok)
    graph = {a: {move if b == "TimeShift" else b for b in after} for a, after in shifts.items()}
    if move not in graph:
        graph[move] = graph.pop("TimeShift") - {move}
    for after in graph.values():
        if move in after:
            after.add("Bar")
    graph["Bar"] = graph[move] | {"Bar", move}
    return graph


def _length(text: str, ticks_per_beat: int) -> int:
    beats, steps, resolution = map(int, text.split("."))
    return (beats * resolution + steps) * ticks_per_beat // resolution
