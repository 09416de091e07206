"""A grid of steps: a few voices, and for each step one id a voice, its pitch or a rest.

The form in which chorales are mostly modelled: the score is read step by step (a sixteenth), in each step voice by
voice. What repeats the pitch before is a held note: the grid cannot tell it from one that is struck again. Nothing else
is written, neither meter nor tempo nor velocity, so the likelihood of the ids is that of the pitches.

With ``chords`` every step begins with a chord symbol that is computed from the pitches of that very step
(``grid_chords.py``).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from symusic import Note, Score, TimeSignature, Track

from toccata.errors import ModelError, RecipeError, RequestError, shown
from toccata.files import read_json, write_json
from toccata.tokenizers.base import Tokens, ids_of
from toccata.tokenizers.grammar import Grammar
from toccata.tokenizers.grid_chords import CHORDS, chord_of
from toccata.tokenizers.grid_features import NOTHING, REST, GridFeatures, GridLayout
from toccata.tokenizers.options import PLAIN_SPECIALS
from toccata.tokenizers.scheme import Clock, Scheme, Timing
from toccata.tokenizers.vocabulary import Kind, read_vocabulary

FILE = "grid.json"
LOWEST, KEYS = 21, 88
"""The lowest pitch, A0, and how many there are: the keys of a piano."""
VELOCITY = 80
"""The velocity of every note that is decoded."""
Grid = NDArray[np.int64]


@dataclass(frozen=True)
class GridOptions:
    """The recipe's options for a tokenizer of a grid.

    Attributes:
        scheme: ``grid``.
        voices: How many there are.
        steps: Steps a quarter note.
        order: The voices in the order of writing, from 0, the highest; none given: from the highest down.
        chords: Whether each step begins with its chord symbol.
        merges: 0; nothing is merged.
    """

    scheme: str = "grid"
    voices: int = 4
    steps: int = 4
    order: tuple[int, ...] = ()
    chords: bool = False
    merges: int = 0

    def __post_init__(self) -> None:
        for name, low, high in (("voices", 1, 8), ("steps", 1, 24), ("merges", 0, 0)):
            if not low <= getattr(self, name) <= high:
                raise RecipeError(f"tokenizer.{name} goes from {low} to {high}, not {shown(getattr(self, name))}")
        object.__setattr__(self, "order", tuple(self.order) or tuple(range(self.voices)))  # JSON has lists
        if sorted(self.order) != list(range(self.voices)):
            raise RecipeError(
                f"tokenizer.order must name each voice once, from 0 to {self.voices - 1}, not {shown(self.order)}"
            )


class GridTokenizer:
    """Steps of a few voices, as toccata's :class:`~toccata.tokenizers.base.Tokenizer`."""

    scheme = "grid"

    def __init__(self, options: GridOptions) -> None:
        self.options = options

    @classmethod
    def load(cls, folder: Path) -> GridTokenizer:
        """Read the tokenizer that :meth:`save` wrote.

        Raises:
            ModelError: The file is missing or is not one of ours.
        """
        path = folder / FILE
        try:
            return cls(GridOptions(**read_json(path)["options"]))
        except (OSError, ValueError, KeyError, TypeError, RecipeError) as error:
            why = "missing" if isinstance(error, FileNotFoundError) else f"no tokenizer ({error})"
            raise ModelError(f"{path} is {why}: copy the whole model folder again", path=path) from None

    def in_order(self, order: Sequence[int]) -> GridTokenizer:
        """This tokenizer with another order of writing; an id means the same in both.

        Raises:
            RecipeError: The order does not name each voice once.
        """
        return GridTokenizer(replace(self.options, order=tuple(order)))

    def save(self, folder: Path) -> None:
        """Write ``grid.json`` into ``folder``."""
        folder.mkdir(parents=True, exist_ok=True)
        write_json(folder / FILE, {"options": asdict(self.options)})

    # -- the vocabulary ------------------------------------------------------------------------------------------------

    @cached_property
    def layout(self) -> GridLayout:
        """Where in the vocabulary rests, pitches and chords are."""
        rest = len(PLAIN_SPECIALS)
        chords = rest + 1 + KEYS
        size = chords + len(CHORDS) * self.options.chords
        return GridLayout(self.options.voices, self.options.order, 4 * self.options.steps, rest, LOWEST, KEYS, size)

    @property
    def vocab_size(self) -> int:
        """Number of ids: the special ones, the rest, the pitches, the chord symbols where there are some."""
        return self.layout.size

    @property
    def fingerprint(self) -> str:
        """SHA-256 over the options and the words."""
        return self._fingerprint

    @cached_property
    def _fingerprint(self) -> str:
        content = [asdict(self.options), self._words]
        return hashlib.sha256(json.dumps(content).encode()).hexdigest()

    @property
    def bos(self) -> int:
        """The id that opens a piece."""
        return PLAIN_SPECIALS.index("BOS")

    @property
    def eos(self) -> int:
        """The id that closes a piece."""
        return PLAIN_SPECIALS.index("EOS")

    @property
    def features(self) -> GridFeatures:
        """The features that a model can read beside each token."""
        return self._features

    @cached_property
    def _features(self) -> GridFeatures:
        return GridFeatures(self.layout)

    @cached_property
    def _words(self) -> list[str]:
        chords = [f"Chord_{name}" for name in CHORDS] if self.options.chords else []
        return [*PLAIN_SPECIALS, "Rest", *(f"Pitch_{LOWEST + key}" for key in range(KEYS)), *chords]

    def words(self, ids: NDArray[np.int32] | Tokens) -> list[str]:
        """Each id as a word."""
        return [self._words[int(i)] for i in ids_of(self, ids)]

    def fit(self, scores: Iterable[Score]) -> None:
        """Do nothing: there is nothing to learn."""

    # -- music to ids and back -----------------------------------------------------------------------------------------

    def encode(self, score: Score, *, start: bool = True, end: bool = True, length: int | None = None) -> Tokens:
        """The ids of ``score``; a piece's ``end`` is that of its last note, whatever ``length`` says.

        A score with as many pitched tracks as there are voices has a voice in each, the highest first; of any other the
        pitches that sound at a step are shared out from the highest down, those too many are left out.
        """
        step = score.ticks_per_quarter / self.options.steps
        last = max((int(track.end()) for track in score.tracks if not track.is_drum and len(track.notes)), default=0)
        stop = last if end or length is None else length
        ids = self.ids_of_grid(self.grid(score, int(np.ceil(stop / step - 1e-9))))
        parts = [np.full(int(start), self.bos), ids, np.full(int(end), self.eos)]
        return Tokens(np.concatenate(parts).astype(np.int32), self.fingerprint)

    def grid(self, score: Score, steps: int) -> Grid:
        """The first ``steps`` steps of ``score`` as pitches ``int64[steps, voices]``, -1 for a rest."""
        tracks = [track for track in score.tracks if not track.is_drum]
        if len(tracks) != self.options.voices:
            return self._shared_out(score, steps)
        found = np.full((steps, self.options.voices), -1)
        for voice, track in enumerate(tracks):
            for first, last, pitch in self._notes(track, score.ticks_per_quarter):
                found[first:last, voice] = pitch
        return found

    def _shared_out(self, score: Score, steps: int) -> Grid:
        """The same of music in any number of tracks, by height."""
        sounds = np.zeros((steps, 128), np.bool_)
        for track in score.tracks:
            for first, last, pitch in [] if track.is_drum else self._notes(track, score.ticks_per_quarter):
                sounds[first:last, pitch] = True
        found = np.full((steps, self.options.voices), -1)
        at, below = np.nonzero(sounds[:, ::-1])  # from the highest pitch down
        rank = np.arange(len(at)) - np.searchsorted(at, at)
        kept = rank < self.options.voices
        found[at[kept], rank[kept]] = 127 - below[kept]
        return found

    def _notes(self, track: Track, ticks_per_quarter: int) -> list[tuple[int, int, int]]:
        """First step, step after the last one, and pitch of a track's notes, by their beginnings."""
        notes, steps = track.notes.numpy(), self.options.steps
        begin = np.asarray(notes["time"], np.int64)
        end = begin + np.asarray(notes["duration"], np.int64)
        first, last = ((2 * ticks * steps + ticks_per_quarter) // (2 * ticks_per_quarter) for ticks in (begin, end))
        pitch = _on_keys(np.asarray(notes["pitch"], np.int64))
        order = np.lexsort((pitch, first))
        rows = np.stack([first, np.maximum(last, first + 1), pitch], axis=1)[order]
        return [(int(a), int(b), int(p)) for a, b, p in rows]

    def ids_of_grid(self, grid: Grid) -> NDArray[np.int64]:
        """The ids of a grid of pitches ``int[T, voices]``, -1 for a rest: ``int64[T * ids a step]``."""
        grid = np.asarray(grid, np.int64)
        cells = np.where(grid < 0, self.layout.rest, self.layout.rest + 1 + grid - LOWEST)[:, list(self.options.order)]
        if not self.options.chords:
            return cells.reshape(-1)
        first = self.layout.rest + 1 + KEYS
        chords = np.array([first + chord_of(step) for step in grid.tolist()], np.int64).reshape(-1, 1)
        return np.concatenate([chords, cells], axis=1).reshape(-1)

    def grid_of_ids(self, ids: NDArray[np.integer[Any]]) -> Grid:
        """The pitches ``int64[T, voices]`` of ids; an incomplete step and ids that are no cell are left out."""
        cells = self.layout.cells(np.asarray(ids, np.int64))
        voices = self.options.voices
        cells = cells[: len(cells) // voices * voices].reshape(-1, voices)
        grid = np.empty_like(cells)
        grid[:, list(self.options.order)] = np.where(cells == REST, -1, cells - 1)
        return grid

    def decode(self, ids: NDArray[np.int32] | Tokens) -> Score:
        """The music of ``ids``, a track a voice, ``steps`` ticks a quarter.

        Raises:
            RequestError: Tokens of another tokenizer, or an id that does not exist.
        """
        plain = ids_of(self, ids)
        if len(plain) and not 0 <= int(plain.min()) <= int(plain.max()) < self.vocab_size:
            raise RequestError(f"there are ids outside this tokenizer's 0..{self.vocab_size - 1}")
        return score_of_grid(self.grid_of_ids(plain), self.options.steps)

    # -- the grammar ---------------------------------------------------------------------------------------------------

    def grammar(self) -> Grammar:
        """Return the grammar, which ids may follow which; built once."""
        return self._grammar

    @cached_property
    def _grammar(self) -> Grammar:
        special = [f"{name}_None" for name in PLAIN_SPECIALS]
        codes = [f"Code_{code}" for code in range(self.vocab_size - len(special))]
        vocabulary = read_vocabulary([*special, *codes], special)
        steps, nothing = self.options.steps, np.zeros(0, np.int64)
        timing = Timing(
            clock=Clock.SHIFTS,
            ticks_per_quarter=steps,
            ticks_per_beat={4: steps},
            ticks_per_position={4: 1},
            lengths={(kind, steps): nothing for kind in (Kind.DURATION, Kind.TIME_SHIFT, Kind.REST)},
            rest_from_note_end=False,
            default_length=0.5,
            duration_programs=frozenset(range(-1, 128)),
        )
        scheme = Scheme(vocabulary, timing, bos=self.bos, eos=self.eos, codebook=_Steps(self.layout))
        follows = {Kind.SPECIAL: frozenset({Kind.CODE}), Kind.CODE: frozenset({Kind.CODE})}
        return Grammar.of(scheme, follows)

    def __getstate__(self) -> dict[str, Any]:
        return {"options": self.options}


class _Steps:
    """Plays a step at a time: the ``codebook`` of the tokenizer's scheme. Voices in unison sound as one note."""

    ticks = 1

    def __init__(self, layout: GridLayout) -> None:
        cells = layout.size - layout.rest > 1 + layout.keys
        self._chords, self._lowest = int(cells), layout.lowest
        self.codes = self._chords + layout.voices
        ids = np.arange(layout.size - layout.rest)
        self._masks = ids > layout.keys, ids <= layout.keys

    def allowed(self, place: int) -> NDArray[np.bool_]:
        """Which codes may come as number ``place`` of a step, ``bool[codes]``."""
        return self._masks[place >= self._chords]

    def play(
        self, codes: tuple[int, ...], tick: int, held: Mapping[int, int]
    ) -> tuple[list[tuple[int, int, int]], Mapping[int, int], int]:
        """The step at ``tick``; see :class:`~toccata.tokenizers.scheme.Codebook`."""
        sounding = {code - 1 + self._lowest for code in codes[self._chords :] if code}
        done = [(pitch, onset, tick) for pitch, onset in held.items() if pitch not in sounding]
        kept = {pitch: held.get(pitch, tick) for pitch in sorted(sounding)}
        return done, kept, len(kept.keys() - held.keys())


def score_of_grid(grid: Grid, steps: int) -> Score:
    """A grid of pitches ``int[T, voices]``, -1 for a rest, as music: a track a voice, ``steps`` ticks a quarter."""
    score = Score(steps)
    score.time_signatures.append(TimeSignature(0, 4, 4))
    for voice, line in enumerate(np.asarray(grid).T):
        track = Track(f"voice {voice + 1}", 0, False)
        edges = np.flatnonzero(np.diff(line, prepend=NOTHING - 2, append=NOTHING - 2))
        for first, last in zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True):
            if line[first] >= 0:
                track.notes.append(Note(first, last - first, int(line[first]), VELOCITY))
        score.tracks.append(track)
    return score


def _on_keys(pitch: NDArray[np.int64]) -> NDArray[np.int64]:
    """Pitches moved by octaves to where there are ids for them."""
    below, above = LOWEST - pitch, pitch - (LOWEST + KEYS - 1)
    moved: NDArray[np.int64] = pitch + 12 * (np.maximum(-(-below // 12), 0) - np.maximum(-(-above // 12), 0))
    return moved
