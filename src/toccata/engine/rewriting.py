"""The part of a model that writes songs anew in part: bars, and instruments."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from itertools import count
from typing import Any

import numpy as np

from toccata.arguments import checked
from toccata.engine.generate import Event, Finished, NewBar, generate
from toccata.engine.music import MAX_TOKENS, Stats, new_music
from toccata.engine.rewrite import Ask, Part, alone, bars_of, blocks, dealt, halves, locks_of, rewritten, written
from toccata.engine.sampling import Sampling
from toccata.engine.seeds import Seed, seeds_of
from toccata.engine.session import Session
from toccata.errors import ArgumentError, RequestError
from toccata.folder import ModelFolder
from toccata.midi.bars import bar_map
from toccata.midi.locks import Lock, kept_notes
from toccata.midi.tracks import chosen_tracks
from toccata.model.config import DecoderConfig
from toccata.piece import Piece, origin_text
from toccata.tasks.fill import TOO_LONG, can_fill
from toccata.tasks.prompt import Prompt, Source, open_prompt
from toccata.tasks.request import Request, compile_request
from toccata.tasks.wishes import Levels, part, told, wished
from toccata.tokenizers.base import Tokenizer


class Rewriting(ABC):
    """What :class:`~toccata.engine.model.Model` can do with a song that is there already."""

    folder: ModelFolder
    config: DecoderConfig
    tokenizer: Tokenizer
    stats: Stats

    @property
    @abstractmethod
    def name(self) -> str:
        """What the model is called."""

    @abstractmethod
    def ready(self, rows: int) -> AbstractContextManager[Session]:
        """Lend a session with at least so many rows, none of them in use."""

    @property
    @abstractmethod
    def styles(self) -> list[str]:
        """The styles that the model has learned to tell apart, by number."""

    @abstractmethod
    def has_learned(self, what: str) -> bool:
        """Whether the model was trained on passages of a kind."""

    @abstractmethod
    def about(self, seed: int, sampling: Sampling) -> dict[str, Any]:
        """What the origin of every piece says of who wrote it, and how."""

    @checked
    def infill(
        self,
        song: Source,
        bars: Sequence[tuple[int, int]],
        *,
        tracks: Sequence[int | str] | None = None,
        locks: Sequence[Lock] = (),
        n: int = 1,
        seed: Seed = None,
        sampling: Sampling | None = None,
        key: str | None = None,
        pitches: tuple[int, int] | None = None,
        controls: Levels | None = None,
        style: Sequence[str] = (),
        chords: str | None = None,
        on_event: Callable[[Event], None] | None = None,
    ) -> list[Piece]:
        """Write some bars of a song anew, from what stands around them; the rest stays, event for event.

        Notes that ring into the bars from before stay; those that begin in them go, also where they ring out of them;
        new ones end with the bars.

        Args:
            song: A MIDI file or its bytes, a Score, or a Piece; what a Piece has locked stays.
            bars: First and last bar of each span, counted from 1.
            tracks: The tracks to write anew: numbers from 1, or names of theirs or of their instruments; None: all.
            locks: Notes that stay all the same, beside those that a Piece has locked.
            n: How many versions.
            seed: Version i is that of ``seed + i``. A list: one for each. None: new ones.
            sampling: How bold.
            key: Keep pitched notes to a key.
            pitches: Lowest and highest pitch of new pitched notes.
            controls: Levels the model is told, for all the bars or for each of them.
            style: Styles the model is told.
            chords: A chart for the bars.
            on_event: Called with notes and bars as they are written.

        Raises:
            MidiError: The song cannot be read, or not be taken apart.
            RequestError: There are no such bars or tracks, or the model has not learned to fill.
        """
        opened = self._song(song)
        chosen = None if tracks is None else chosen_tracks(opened.score, tracks)
        lines = bar_map(opened.score)
        held = (*locks_of(song), *locks)
        kept = kept_notes(opened.score, lines, held)
        holes = blocks(lines, [(first - 1, last) for first, last in bars], chosen, kept)
        asks = [Ask(hole) for hole in holes]
        request = wished(Request(key=key, pitches=pitches), len(bars_of(holes)), self.styles, controls, style, chords)
        said = {"locks": [str(lock) for lock in held]} if held else None
        return self._rewrite(opened, asks, request, n, seed, sampling or Sampling(), on_event, said)

    @checked
    def accompany(
        self,
        song: Source,
        programs: Sequence[int],
        *,
        bars: Sequence[tuple[int, int]] | None = None,
        n: int = 1,
        seed: Seed = None,
        sampling: Sampling | None = None,
        key: str | None = None,
        pitches: tuple[int, int] | None = None,
        controls: Levels | None = None,
        style: Sequence[str] = (),
        chords: str | None = None,
        on_event: Callable[[Event], None] | None = None,
    ) -> list[Piece]:
        """Add instruments to a song; what is there stays, event for event.

        Args:
            song: A MIDI file or its bytes, a Score, or a Piece.
            programs: General MIDI programs, -1 the drums; each gets a track of its own.
            bars: Where they play: first and last bar of each span, counted from 1; None: all along.
            n: How many versions.
            seed: Version i is that of ``seed + i``. A list: one for each. None: new ones.
            sampling: How bold.
            key: Keep pitched notes to a key.
            pitches: Lowest and highest pitch of new pitched notes.
            controls: Levels the model is told, for all the bars or for each of them.
            style: Styles the model is told.
            chords: A chart for the bars.
            on_event: Called with notes and bars as they are written.

        Raises:
            MidiError: The song cannot be read or not be taken apart, or it has no channel left.
            RequestError: There are no such bars, or the model has not learned to fill, or knows no instruments.
        """
        if len(set(programs)) < len(programs):
            raise ArgumentError("an instrument is named twice, and each is added once: name others, or add it again")
        opened = self._song(song)
        if not self.tokenizer.grammar().scheme.has_programs:
            raise RequestError(f"{self.name} writes for one instrument: it cannot add others")
        lines = bar_map(opened.score)
        spans = [(0, len(lines))] if bars is None else [(first - 1, last) for first, last in bars]
        # One instrument after the other, so that each plays, and hears those before it.
        own, holes = len(opened.score.tracks), blocks(lines, spans, frozenset())
        asks = [Ask(hole, (program,), own=own) for hole in holes for program in programs]
        request = wished(Request(key=key, pitches=pitches), len(bars_of(holes)), self.styles, controls, style, chords)
        return self._rewrite(opened, asks, request, n, seed, sampling or Sampling(), on_event)

    def _song(self, song: Source) -> Prompt:
        if not can_fill(self.tokenizer) or not self.has_learned("fill"):
            raise RequestError(f"{self.name} has not learned to fill: {self._how_to_fill()}")
        opened = open_prompt(self.tokenizer, song, edit=True)
        assert opened is not None
        return opened

    def _how_to_fill(self) -> str:
        """What a model needs that shall fill."""
        other = "" if can_fill(self.tokenizer) else " and recipe toccata, as the tokens of this one cannot say it"
        return f"train a model with examples.fill=0.25{other}"

    def _rewrite(
        self,
        song: Prompt,
        asks: Sequence[Ask],
        request: Request,
        n: int,
        seed: Seed,
        sampling: Sampling,
        on_event: Callable[[Event], None] | None,
        said: Mapping[str, Any] | None = None,
        there: Sequence[int] | None = None,
    ) -> list[Piece]:
        """Versions of a song; wishes are counted through the bars ``there``, by default those of the asks."""
        if not asks:
            raise RequestError("no bars are asked for")
        there = there or bars_of([ask.hole for ask in asks])
        began = time.perf_counter()
        pieces = [
            self._rewritten(song, asks, request, row, own, sampling, on_event, said or {}, there)
            for row, own in enumerate(seeds_of(seed, n))
        ]
        self.stats = Stats.of(pieces, time.perf_counter() - began)
        return pieces

    def _rewritten(
        self,
        song: Prompt,
        asks: Sequence[Ask],
        request: Request,
        row: int,
        seed: int,
        sampling: Sampling,
        on_event: Callable[[Event], None] | None,
        said: Mapping[str, Any],
        there: Sequence[int],
    ) -> Piece:
        """One version: hole after hole, each with those before it already filled; its origin says ``said``, too."""
        stands, bars = song.score, bar_map(song.score)
        parts: list[Part] = []
        tokens, notes, nats = 0, 0, 0.0
        waiting = list(asks)
        for number in count():
            if not waiting:
                break
            ask = waiting.pop(0)
            length, before = ask.hole.last - ask.hole.first, there.index(ask.hole.first)
            asked = replace(part(request, before, length), prompt=stands, hole=ask.hole, programs=ask.programs)
            if ask.moving is not None:
                asked = replace(asked, moving=(*request.moving, *ask.moving(ask.hole)))
            if ask.script is not None:
                asked = replace(asked, script=ask.script(ask.hole))
            try:
                task = compile_request(
                    asked, self.tokenizer, self.config.context * 2 // 3, controls=self.has_learned("controls")
                )
            except RequestError as error:
                if error.kind != TOO_LONG or length == 1:
                    raise
                waiting[:0] = halves(ask)
                continue
            draw = int(np.random.SeedSequence([seed, number]).generate_state(1)[0]) if number else seed
            limit = MAX_TOKENS * -(-length // 8)
            for event in generate(self.ready, self.tokenizer, task, [draw], sampling, limit):
                if isinstance(event, Finished):
                    tokens, notes, nats = tokens + event.written, notes + event.notes, nats + event.nats
                    made = (ask.deal or dealt)(new_music(self.tokenizer, event, task, asked), stands, bars, ask)
                    stands = written(stands, bars, ask, made)
                    parts += made
                elif isinstance(event, NewBar) and on_event is not None:
                    on_event(NewBar(row, before + event.bar))
        about = {
            "bars": [list(span) for span in dict.fromkeys((ask.hole.first + 1, ask.hole.last) for ask in asks)],
            "tracks": sorted(asks[0].hole.tracks) if asks[0].hole.tracks is not None else None,
            "key": request.key,
            **told(request, self.styles),
            "programs": tuple(dict.fromkeys(program for ask in asks for program in ask.programs or ())) or None,
            "prompt": song.about,
            "tokens": tokens,
            "notes": notes,
            "nats_per_note": round(nats / max(1, notes), 4),
        }
        origin = {**self.about(seed, sampling), **about, **said}
        midi = rewritten(song.midi, song.score, bars, asks, parts, origin_text(origin))
        return Piece(midi, origin, new=alone(song.score, parts))
