"""A model that writes: a model folder, opened for generation. No torch."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, replace
from itertools import count
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from symusic import Score

from toccata import folder
from toccata.engine.codec import OnnxCodec
from toccata.engine.generate import Event, Finished, NewBar, NewNote, generate
from toccata.engine.music import Stats, joined, new_music
from toccata.engine.rewrite import Ask, Part, blocks, chosen_tracks, dealt, halves, rewritten
from toccata.engine.rewrite import written as fill_in
from toccata.engine.sampling import Sampling
from toccata.engine.session import Session
from toccata.errors import MidiError, RequestError
from toccata.midi.bars import bar_map
from toccata.midi.splice import continue_file, drop_before, new_file
from toccata.model.config import DecoderConfig
from toccata.piece import Piece, origin_text
from toccata.tasks.fill import TOO_LONG, can_fill
from toccata.tasks.prompt import Prompt, open_prompt
from toccata.tasks.request import Request, Task, compile_request
from toccata.tokenizers.base import Tokenizer
from toccata.tokenizers.load import load_tokenizer

Precision = Literal["8bit", "fp32"]
MAX_TOKENS = 4096
"""New ids a piece may have if bars are not asked for; with bars, this many for every 8 of them."""
_MOST_ROWS = 16


class Model:
    """A model, ready to write. Made by ``toccata.load``.

    Attributes:
        folder: Its model folder.
        config: Its shape.
        tokenizer: Its tokenizer.
    """

    def __init__(self, path: Path, *, precision: Precision = "8bit", threads: int | None = None) -> None:
        """Open a model folder.

        Args:
            path: The folder.
            precision: ``8bit`` is two to three times as fast as ``fp32`` and a little coarser.
            threads: Processors to use; by default all.

        Raises:
            ModelError: The folder is no model, or a file is missing or was changed.
        """
        self.folder = folder.open_folder(path)
        self.config = DecoderConfig.from_json(self.folder.config)
        self.tokenizer: Tokenizer = load_tokenizer(self.folder.tokenizer(), OnnxCodec)
        self.precision, self.threads = precision, threads
        self._session: Session | None = None
        self.stats = Stats()

    @property
    def name(self) -> str:
        """What the model is called."""
        return self.folder.name

    def generate(
        self,
        prompt: str | Path | bytes | Score | None = None,
        *,
        n: int = 1,
        bars: int | None = 16,
        seed: int = 0,
        sampling: Sampling | None = None,
        prompt_bars: int | None = None,
        prompt_tokens: int | None = None,
        prompt_seconds: float | None = None,
        continuation_only: bool = False,
        key: str | None = None,
        tempo: float | None = None,
        meter: tuple[int, int] | None = None,
        programs: Sequence[int] | None = None,
        max_tokens: int | None = None,
        on_event: Callable[[Event], None] | None = None,
    ) -> list[Piece]:
        """Write new pieces, or go on from a prompt.

        Args:
            prompt: A MIDI file or its bytes, or a Score; None for new music. Its last part is what the model reads if
                it is long.
            n: How many pieces.
            bars: New bars, exactly; None: until the model ends the piece.
            seed: Piece i is that of ``seed + i``, however many are written with it.
            sampling: How bold; see :class:`Sampling`.
            prompt_bars: Use only the first so many bars of the prompt, and go on from there.
            prompt_tokens: Only its first so many tokens.
            prompt_seconds: Only its first so many seconds.
            continuation_only: Leave the prompt out of the pieces.
            key: Keep pitched notes to a key, e.g. ``"D minor"``.
            tempo: Quarters a minute.
            meter: For new music, e.g. ``(3, 4)``.
            programs: General MIDI programs that may play, -1 for the drums.
            max_tokens: Come to the end after about so many new tokens.
            on_event: Called with notes and bars as they are written; what it raises stops the writing.

        Raises:
            MidiError: The prompt cannot be read.
            RequestError: What is asked for cannot be had, and why.
        """
        opened = open_prompt(self.tokenizer, prompt, bars=prompt_bars, tokens=prompt_tokens, seconds=prompt_seconds)
        request = Request(
            prompt=None if opened is None else opened.score,
            seam=None if opened is None else opened.seam,
            bars=bars,
            key=key,
            tempo=tempo,
            meter=meter,
            programs=None if programs is None else tuple(programs),
        )
        pieces: dict[int, Piece] = {}
        for event, piece in self.stream(
            request,
            opened,
            n=n,
            seed=seed,
            sampling=sampling,
            max_tokens=max_tokens,
            continuation_only=continuation_only,
        ):
            if on_event is not None:
                on_event(event)
            if piece is not None and isinstance(event, Finished):
                pieces[event.row] = piece
        return [pieces[i] for i in sorted(pieces)]

    def stream(
        self,
        request: Request,
        prompt: Prompt | None = None,
        *,
        n: int = 1,
        seed: int = 0,
        sampling: Sampling | None = None,
        max_tokens: int | None = None,
        continuation_only: bool = False,
    ) -> Iterator[tuple[Event, Piece | None]]:
        """As :meth:`generate`, event by event; a finished piece comes with its last event. Stop by leaving the loop."""
        if n < 1:
            raise RequestError(f"at least one piece must be asked for, not {n}")
        sampling = sampling or Sampling()
        task = compile_request(request, self.tokenizer, self.config.context * 3 // 4)
        limit = max_tokens or (MAX_TOKENS if request.bars is None else MAX_TOKENS * -(-request.bars // 8))
        self.stats = Stats()
        began = time.perf_counter()
        for first in range(0, n, _MOST_ROWS):
            seeds = [seed + i for i in range(first, min(first + _MOST_ROWS, n))]
            session = self._ready(len(seeds))
            for event in generate(session, self.tokenizer, task, seeds, sampling, limit):
                self.stats.seconds = time.perf_counter() - began
                if isinstance(event, Finished):
                    self.stats.tokens += event.written
                    self.stats.notes += event.notes
                    piece = self._piece(event, task, request, prompt, seeds[event.row], sampling, continuation_only)
                    yield (
                        Finished(first + event.row, event.ids, event.written, event.nats, event.notes, event.cursor),
                        piece,
                    )
                else:
                    moved = (
                        NewNote(first + event.row, event.note)
                        if isinstance(event, NewNote)
                        else NewBar(first + event.row, event.bar)
                    )
                    yield moved, None

    def infill(
        self,
        song: str | Path | bytes | Score,
        bars: Sequence[tuple[int, int]],
        *,
        tracks: Sequence[int | str] | None = None,
        n: int = 1,
        seed: int = 0,
        sampling: Sampling | None = None,
        key: str | None = None,
        on_event: Callable[[Event], None] | None = None,
    ) -> list[Piece]:
        """Write some bars of a song anew, from what stands around them; the rest stays, event for event.

        Notes that ring into the bars from before stay; those that begin in them go, also where they ring out of them;
        new ones end with the bars.

        Args:
            song: A MIDI file or its bytes, or a Score.
            bars: First and last bar of each span, counted from 1.
            tracks: The tracks to write anew: numbers from 1, or names of theirs or of their instruments; None: all.
            n: How many versions.
            seed: Version i is that of ``seed + i``.
            sampling: How bold.
            key: Keep pitched notes to a key.
            on_event: Called with notes and bars as they are written.

        Raises:
            MidiError: The song cannot be read, or not be taken apart.
            RequestError: There are no such bars or tracks, or the model has not learned to fill.
        """
        opened = self._song(song)
        chosen = None if tracks is None else chosen_tracks(opened.score, tracks)
        holes = blocks(bar_map(opened.score), [(first - 1, last) for first, last in bars], chosen)
        asks = [Ask(hole) for hole in holes]
        return self._rewrite(opened, asks, Request(key=key), n, seed, sampling or Sampling(), on_event)

    def accompany(
        self,
        song: str | Path | bytes | Score,
        programs: Sequence[int],
        *,
        bars: Sequence[tuple[int, int]] | None = None,
        n: int = 1,
        seed: int = 0,
        sampling: Sampling | None = None,
        key: str | None = None,
        on_event: Callable[[Event], None] | None = None,
    ) -> list[Piece]:
        """Add instruments to a song; what is there stays, event for event.

        Args:
            song: A MIDI file or its bytes, or a Score.
            programs: General MIDI programs, -1 the drums; each gets a track of its own.
            bars: Where they play: first and last bar of each span, counted from 1; None: all along.
            n: How many versions.
            seed: Version i is that of ``seed + i``.
            sampling: How bold.
            key: Keep pitched notes to a key.
            on_event: Called with notes and bars as they are written.

        Raises:
            MidiError: The song cannot be read or not be taken apart, or it has no channel left.
            RequestError: There are no such bars, or the model has not learned to fill, or knows no instruments.
        """
        opened = self._song(song)
        if not self.tokenizer.grammar().scheme.has_programs:
            raise RequestError(f"{self.name} writes for one instrument: it cannot add others")
        lines = bar_map(opened.score)
        spans = [(0, len(lines))] if bars is None else [(first - 1, last) for first, last in bars]
        asks = [Ask(hole, tuple(programs)) for hole in blocks(lines, spans, frozenset())]
        return self._rewrite(opened, asks, Request(key=key), n, seed, sampling or Sampling(), on_event)

    def _song(self, song: str | Path | bytes | Score) -> Prompt:
        if not can_fill(self.tokenizer) or not self.folder.about["recipe"].get("examples", {}).get("fill"):
            raise RequestError(f"{self.name} has not learned to fill: train a model with examples.fill=0.25")
        opened = open_prompt(self.tokenizer, song)
        assert opened is not None
        return opened

    def _rewrite(
        self,
        song: Prompt,
        asks: Sequence[Ask],
        request: Request,
        n: int,
        seed: int,
        sampling: Sampling,
        on_event: Callable[[Event], None] | None,
    ) -> list[Piece]:
        if n < 1:
            raise RequestError(f"at least one piece must be asked for, not {n}")
        self.stats, began = Stats(), time.perf_counter()
        pieces = [self._rewritten(song, asks, request, row, seed + row, sampling, on_event) for row in range(n)]
        self.stats.seconds = time.perf_counter() - began
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
    ) -> Piece:
        """One version: hole after hole, each with those before it already filled."""
        stands, bars = song.score, bar_map(song.score)
        parts: list[Part] = []
        tokens, notes, nats, before = 0, 0, 0.0, 0
        waiting = list(asks)
        for number in count():
            if not waiting:
                break
            ask = waiting.pop(0)
            length = ask.hole.last - ask.hole.first
            asked = replace(request, prompt=stands, hole=ask.hole, bars=length, programs=ask.programs)
            try:
                task = compile_request(asked, self.tokenizer, self.config.context * 2 // 3)
            except RequestError as error:
                if error.kind != TOO_LONG or length == 1:
                    raise
                waiting[:0] = halves(ask)
                continue
            draw = int(np.random.SeedSequence([seed, number]).generate_state(1)[0]) if number else seed
            limit = MAX_TOKENS * -(-length // 8)
            for event in generate(self._ready(1), self.tokenizer, task, [draw], sampling, limit):
                if isinstance(event, Finished):
                    tokens, notes, nats = tokens + event.written, notes + event.notes, nats + event.nats
                    made = dealt(new_music(self.tokenizer, event, task, asked), stands, bars, ask)
                    stands = fill_in(stands, bars, ask, made)
                    parts += made
                elif isinstance(event, NewBar) and on_event is not None:
                    on_event(NewBar(row, before + event.bar))
            before += length
        self.stats.tokens, self.stats.notes = self.stats.tokens + tokens, self.stats.notes + notes
        about = {
            "bars": [[ask.hole.first + 1, ask.hole.last] for ask in asks],
            "tracks": sorted(asks[0].hole.tracks) if asks[0].hole.tracks is not None else None,
            "key": request.key,
            "programs": asks[0].programs,
            "prompt": song.about,
            "tokens": tokens,
            "notes": notes,
            "nats_per_note": round(nats / max(1, notes), 4),
        }
        origin = {**self._origin(seed, sampling), **about}
        midi = rewritten(song.midi, song.score, bars, asks, parts, origin_text(origin))
        return Piece(midi, origin)

    def _origin(self, seed: int, sampling: Sampling) -> dict[str, Any]:
        return {
            "model": self.name,
            "digest": self.folder.digest,
            "precision": self.precision,
            "seed": seed,
            "sampling": asdict(sampling),
        }

    def logits(self, ids: NDArray[np.int32]) -> NDArray[np.float32]:
        """The logits ``float32[T, V]`` after each of ``ids``, at most a context of them."""
        return self._ready(1).logits(ids)

    def _ready(self, rows: int) -> Session:
        session = self._session
        if session is None or session.rows < rows:
            name = (
                folder.GRAPH_8BIT if self.precision == "8bit" and self.folder.has(folder.GRAPH_8BIT) else folder.GRAPH
            )
            session = Session(self.folder.file(name), self.config, rows=rows, threads=self.threads)
            self._session = session
        session.active = 0
        session.lengths[:] = 0
        return session

    # -- from ids to a file --------------------------------------------------------------------------------------------

    def _piece(
        self,
        done: Finished,
        task: Task,
        request: Request,
        prompt: Prompt | None,
        seed: int,
        sampling: Sampling,
        only: bool,
    ) -> Piece:
        new = new_music(self.tokenizer, done, task, request)
        origin: dict[str, Any] = {
            **self._origin(seed, sampling),
            "bars": request.bars,
            "key": request.key,
            "tempo": request.tempo,
            "meter": request.meter,
            "programs": request.programs,
            "prompt": None if prompt is None else prompt.about,
            "tokens": done.written,
            "notes": done.notes,
            "nats_per_note": round(done.nats / max(1, done.notes), 4),
        }
        text = origin_text(origin)
        if prompt is None:
            return Piece(new_file(new, text=text), origin)
        try:
            whole = continue_file(prompt.midi, task.seam, new, keep_until=prompt.keep_until, text=text)
        except MidiError:
            # Files that tell time by the clock, or hold several songs, have no place to go on from: they are written
            # anew.
            whole = joined(prompt.score, task.seam, new, text)
        if only:
            return Piece(drop_before(whole, task.seam), origin)
        return Piece(whole, origin, task.seam)
