"""PerTok, written and read by MidiTok: the one scheme that still needs it, with a model as well as to train one."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from symusic import Score, Tempo, TimeSignature

from toccata.errors import MissingExtra
from toccata.tokenizers import quantise
from toccata.tokenizers.scheme import Clock, Scheme, Timing
from toccata.tokenizers.schemes import finished, length
from toccata.tokenizers.simplify import one_track
from toccata.tokenizers.vocabulary import KINDS, Kind, Vocabulary, read_words
from toccata.tokenizers.writer import Written


def library(what: str) -> Any:
    """MidiTok.

    Raises:
        MissingExtra: It is not installed; ``what`` needs it.
    """
    try:
        import miditok
    except ImportError:
        raise MissingExtra(f'{what} needs MidiTok: pip install "toccata[train]"') from None
    return miditok


def opened(document: Mapping[str, Any], what: str) -> Any:
    """MidiTok's tokenizer for a saved one.

    Raises:
        MissingExtra: MidiTok is not installed; ``what`` needs it.
    """
    kind = getattr(library(what), document["tokenization"])
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "tokenizer.json"
        path.write_text(json.dumps(document), encoding="utf-8")
        return kind(params=path)


def document_of(settings: Mapping[str, Any]) -> dict[str, Any]:
    """What MidiTok saves of a PerTok tokenizer with these settings of its ``TokenizerConfig``.

    Raises:
        MissingExtra: MidiTok is not installed.
    """
    miditok = library("PerTok")
    made = miditok.PerTok(miditok.TokenizerConfig(**settings))
    document: dict[str, Any] = json.loads(json.dumps(made.to_dict()))
    return document


class PerTokEncoding:
    """PerTok: bars of four quarters, time shifts in them, and small shifts of every note beside the grid."""

    def __init__(self, document: Mapping[str, Any]) -> None:
        """An encoding by what MidiTok has saved.

        Raises:
            MissingExtra: MidiTok is not installed.
        """
        self.miditok = opened({name: document[name] for name in document if not name.startswith("_model")}, "PerTok")
        ids: dict[str, int] = self.miditok.vocab
        self.words = sorted(ids, key=ids.__getitem__)

    @cached_property
    def scheme(self) -> Scheme:
        """The vocabulary on its grid."""
        vocabulary = read_words(self.words)
        bos, eos = self.words.index("BOS_None"), self.words.index("EOS_None")
        return Scheme(vocabulary, self._timing(vocabulary), bos=bos, eos=eos)

    def _timing(self, vocabulary: Vocabulary) -> Timing:
        beat, config = int(self.miditok.tpq), self.miditok.config
        lengths: dict[tuple[Kind, int], NDArray[np.int64]] = {}
        for kind in (Kind.DURATION, Kind.TIME_SHIFT, Kind.REST):
            lengths[kind, beat] = np.array([length(text, beat) for text in vocabulary.times(kind)], np.int64)
        return Timing(
            clock=Clock.BAR_SHIFTS,
            ticks_per_quarter=beat,
            ticks_per_beat={4: beat},
            ticks_per_position={4: 1},
            lengths=lengths,
            rest_from_note_end=True,
            default_length=config.default_note_duration,
            duration_programs=frozenset(config.use_note_duration_programs),
        )

    @property
    def follows(self) -> Mapping[Kind, frozenset[Kind]]:
        """What may come after what.

        MidiTok draws no graph for PerTok: it is that of TSD, with bars beside the shifts.
        """
        move = "Position" if self.miditok.use_position_toks else "TimeShift"
        shifts = library("PerTok").TSD._create_token_types_graph(self.miditok)
        graph = {a: {move if b == "TimeShift" else b for b in after} for a, after in shifts.items()}
        if move not in graph:
            graph[move] = graph.pop("TimeShift") - {move}
        for after in graph.values():
            if move in after:
                after.add("Bar")
        graph["Bar"] = graph[move] | {"Bar", move}
        kinds: dict[Kind, set[Kind]] = {}
        for name, after in graph.items():
            if name in KINDS:
                kinds.setdefault(KINDS[name], set()).update(KINDS[a] for a in after if a in KINDS)
        return finished(kinds, self.scheme.vocabulary, Clock.BAR_SHIFTS)

    def write(self, score: Score) -> Written:
        """The base tokens of music, from tick 0 on."""
        config = self.miditok.config
        score = score.copy()
        score.tracks = [track for track in score.tracks if len(track.notes)]
        if not config.use_programs:
            score = one_track(score)
        score.time_signatures = [TimeSignature(0, 4, 4)]
        for track in score.tracks:
            track.notes.sort(key=lambda n: (n.time, n.pitch, n.duration, n.velocity))
        found = self.miditok.encode(score, encode_ids=False)
        sequence = found[0] if isinstance(found, list) else found
        split = config.encode_ids_split
        lines = {"bar": sequence._ticks_bars, "beat": sequence._ticks_beats}.get(split, [0])
        times = np.array([event.time for event in sequence.events], np.int64)
        return Written(np.array(sequence.ids, np.int64), quantise.cuts(times, np.array(lines[1:], np.int64)))

    def read(self, tokens: Sequence[int]) -> Score:
        """The music of base tokens, none of them a special one."""
        sequence = library("PerTok").TokSequence(ids=list(tokens))
        one = self.miditok.config.one_token_stream_for_programs
        score = self.miditok.decode(sequence if one else [sequence])
        score.tempos = [Tempo(t.time, self._tempos.get(round(t.qpm, 2), t.qpm)) for t in score.tempos]
        return score

    @cached_property
    def _tempos(self) -> dict[float, float]:
        """The tempo that is played for each that MidiTok reads."""
        vocabulary = self.scheme.vocabulary
        ids = vocabulary.of_kind[Kind.TEMPO].tolist()
        return {float(self.words[i].partition("_")[2]): int(vocabulary.values[i]) / 1000 for i in ids}
