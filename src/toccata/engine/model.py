"""A model that writes: a model folder, opened for generation. No torch."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from functools import cached_property, partial
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from toccata import folder
from toccata.arguments import checked
from toccata.arguments.together import refuse_no_prompt
from toccata.engine.codec import OnnxCodec
from toccata.engine.form import Form, stream_form
from toccata.engine.generate import Event, Finished, NewBar, NewNote, generate
from toccata.engine.harmonise import Harmonising
from toccata.engine.music import MAX_TOKENS, Stats, new_music
from toccata.engine.network import Bits, Network
from toccata.engine.reader import hearings
from toccata.engine.sampling import Sampling
from toccata.engine.seeds import Seed, seeds_of
from toccata.engine.session import Session
from toccata.engine.varying import Varying
from toccata.errors import ModelError, RequestError
from toccata.midi.splice import continue_file, drop_before, new_file
from toccata.model.config import DecoderConfig
from toccata.piece import Piece, origin_text
from toccata.tasks.prompt import Prompt, Source, open_prompt
from toccata.tasks.request import Request, Task, compile_request
from toccata.tasks.wishes import Levels, told, wished
from toccata.tokenizers.base import Tokenizer
from toccata.tokenizers.load import load_tokenizer

Precision = Literal["8bit", "fp32"]
_MOST_ROWS = 16
TRIES = 16
"""So many times a piece is written at most, where not all are accepted."""


class Model(Varying, Harmonising):
    """A model, ready to write. Made by ``toccata.load``.

    Attributes:
        folder: Its model folder.
        config: Its shape.
        tokenizer: Its tokenizer.
    """

    @checked
    def __init__(self, path: str | Path, *, precision: Precision = "8bit", threads: int | None = None) -> None:
        """Open a model folder.

        Args:
            path: The folder.
            precision: ``8bit`` is two to three times as fast as ``fp32`` and a little coarser.
            threads: Processors to use; by default all, up to four.

        Raises:
            ArgumentError: There is no such precision, or no such number of processors.
            ModelError: The folder is no model, or a file is missing or was changed.
        """
        self.folder = folder.open_folder(Path(path))
        self.config = DecoderConfig.from_json(self.folder.config, self.folder.path / folder.CONFIG)
        place = self.folder.tokenizer()
        self.tokenizer: Tokenizer = load_tokenizer(place, OnnxCodec)
        if self.tokenizer.vocab_size != self.config.vocab:
            raise ModelError(
                f"{place} has {self.tokenizer.vocab_size:,} ids, but {folder.CONFIG} says {self.config.vocab:,}: copy "
                "the whole model folder again",
                path=place,
            )
        self.precision, self.threads = precision, threads
        self._session: Session | None = None  # the one that nobody has borrowed
        self._lending = threading.Lock()
        self.stats = Stats()

    @property
    def name(self) -> str:
        """What the model is called."""
        return self.folder.name

    @checked
    def generate(
        self,
        prompt: Source | None = None,
        *,
        n: int = 1,
        bars: int | None = 16,
        seed: Seed = None,
        sampling: Sampling | None = None,
        prompt_bars: int | None = None,
        prompt_tokens: int | None = None,
        prompt_seconds: float | None = None,
        continuation_only: bool = False,
        key: str | None = None,
        tempo: float | None = None,
        meter: tuple[int, int] | None = None,
        programs: Sequence[int] | None = None,
        pitches: tuple[int, int] | None = None,
        controls: Levels | None = None,
        style: Sequence[str] = (),
        chords: str | None = None,
        end: bool = False,
        form: str | None = None,
        max_tokens: int | None = None,
        accept: Callable[[Piece], bool] | None = None,
        on_event: Callable[[Event], None] | None = None,
    ) -> list[Piece]:
        """Write new pieces, or go on from a prompt.

        Args:
            prompt: A MIDI file or its bytes, a Score, or a Piece; None for new music. Its last part is what the model
                reads if it is long.
            n: How many pieces.
            bars: New bars, exactly; None: until the model ends the piece. With a form, all its bars, a prompt's
                included.
            seed: Piece i is that of ``seed + i``, however many are written with it. A list: one for each piece. None:
                new ones, from the system's randomness; each piece's ``origin`` has its own, which gives it again.
            sampling: How bold; see :class:`Sampling`.
            prompt_bars: Use only the first so many bars of the prompt, and go on from there.
            prompt_tokens: Only its first so many tokens.
            prompt_seconds: Only its first so many seconds.
            continuation_only: Leave the prompt out of the pieces.
            key: Keep pitched notes to a key, e.g. ``"D minor"``.
            tempo: Quarters a minute; after a prompt, from the new music on.
            meter: For new music, e.g. ``(3, 4)``; not after a prompt, whose meter goes on.
            programs: General MIDI programs that may play, -1 for the drums.
            pitches: Lowest and highest pitch of pitched notes.
            controls: Levels the model is told, for the whole or for each new bar: ``{"density": 3}``; see
                :mod:`toccata.tasks.controls`.
            style: Styles the model is told: names of folders it was trained on.
            chords: A chart for the new bars, e.g. ``"Dm7 | G7 | Cmaj7 | %"``.
            end: Come to an end, on a cadence, in the last bar.
            form: A letter for each section, e.g. ``"AABA"``; see :class:`~toccata.engine.form.Form`. A prompt is how A
                begins, or all of A.
            max_tokens: Come to the end after about so many new tokens.
            accept: Asked of every piece; one that is not accepted is written again with another seed.
            on_event: Called with notes and bars as they are written; what it raises stops the writing.

        Raises:
            MidiError: The prompt cannot be read.
            ArgumentError: A value that an argument cannot have.
            RequestError: What is asked for cannot be had, and why.
        """
        refuse_no_prompt(prompt, continuation_only)
        self._refuse_useless(sampling)
        if max_tokens is not None and end and form is None:
            raise RequestError("an ending needs all of its bars: ask without a limit of tokens")
        opened = open_prompt(self.tokenizer, prompt, bars=prompt_bars, tokens=prompt_tokens, seconds=prompt_seconds)
        request = Request(
            prompt=None if opened is None else opened.score,
            seam=None if opened is None else opened.seam,
            bars=bars,
            key=key,
            tempo=tempo,
            meter=meter,
            programs=None if programs is None else tuple(programs),
            pitches=pitches,
            end=end,
        )
        request = wished(request, bars, self.styles, controls, style, chords)
        stream = self.stream if form is None else partial(stream_form, self, Form.read(form))
        write = partial(
            stream, request, opened, sampling=sampling, max_tokens=max_tokens, continuation_only=continuation_only
        )
        pieces: dict[int, Piece] = {}
        for event, piece in write(n=n, seed=seed):
            if on_event is not None:
                on_event(event)
            if piece is not None and isinstance(event, Finished):
                pieces[event.row] = piece
        if accept is None:
            return [pieces[i] for i in sorted(pieces)]
        return [_accepted(pieces[i], accept, write) for i in sorted(pieces)]

    @checked
    def stream(
        self,
        request: Request,
        prompt: Prompt | None = None,
        *,
        n: int = 1,
        seed: Seed = None,
        sampling: Sampling | None = None,
        max_tokens: int | None = None,
        continuation_only: bool = False,
    ) -> Iterator[tuple[Event, Piece | None]]:
        """As :meth:`generate`, event by event; a finished piece comes with its last event. Stop by leaving the loop."""
        return self._stream(request, prompt, seeds_of(seed, n), sampling or Sampling(), max_tokens, continuation_only)

    def _stream(
        self,
        request: Request,
        prompt: Prompt | None,
        all_seeds: Sequence[int],
        sampling: Sampling,
        max_tokens: int | None,
        continuation_only: bool,
    ) -> Iterator[tuple[Event, Piece | None]]:
        task = compile_request(
            request, self.tokenizer, self.config.context * 3 // 4, controls=self.has_learned("controls")
        )
        limit = max_tokens
        if limit is None:
            limit = MAX_TOKENS if request.bars is None else MAX_TOKENS * -(-request.bars // 8)
        stats = self.stats = Stats()  # another thread may set it to its own
        began = time.perf_counter()
        rows = max(1, _MOST_ROWS // len(hearings(task, self.tokenizer, sampling.guidance).deaf))
        for first in range(0, len(all_seeds), rows):
            seeds = list(all_seeds[first : first + rows])
            for event in generate(self.ready, self.tokenizer, task, seeds, sampling, limit):
                stats.seconds = time.perf_counter() - began
                if isinstance(event, Finished):
                    stats.tokens += event.written
                    stats.notes += event.notes
                    about = self.about(seeds[event.row], sampling)
                    if max_tokens is not None:
                        about["max_tokens"] = max_tokens
                    piece = self._piece(event, task, request, prompt, about, continuation_only)
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

    @property
    def styles(self) -> list[str]:
        """The styles that the model has learned to tell apart, by number."""
        styles: list[str] = self.folder.about.get("styles") or []
        return styles if len(styles) > 1 and self.has_learned("controls") else []

    def has_learned(self, what: str) -> bool:
        """Whether the model was trained on passages of a kind: ``fill`` or ``controls``."""
        return bool(self.folder.about["recipe"].get("examples", {}).get(what))

    def about(self, seed: int, sampling: Sampling) -> dict[str, Any]:
        """What the origin of every piece says of who wrote it, and how."""
        return {
            "model": self.name,
            "digest": self.folder.digest,
            "precision": self.precision,
            "seed": seed,
            "sampling": asdict(sampling),
        }

    def logits(self, ids: NDArray[np.int32]) -> NDArray[np.float32]:
        """The logits ``float32[T, V]`` after each of ``ids``, at most a context of them."""
        with self.ready(1) as session:
            return session.logits(ids)

    @contextmanager
    def ready(self, rows: int) -> Iterator[Session]:
        """Lend a session with at least so many rows, none of them in use.

        To nobody else at the same time: who asks while one is lent, from this thread or another, gets one more.
        """
        with self._lending:
            session, self._session = self._session, None
        if session is None or session.rows < rows:
            session = Session(self._network, rows=rows, features=self.tokenizer.features)
        session.active = 0
        session.lengths[:] = 0
        try:
            yield session
        finally:
            with self._lending:
                if self._session is None or self._session.rows < session.rows:
                    self._session = session

    def _refuse_useless(self, sampling: Sampling | None) -> None:
        """Refuse what would make no difference with this model.

        Raises:
            RequestError: Something would not.
        """
        if sampling is not None and sampling.repetition != 1 and not self.tokenizer.grammar().scheme.has_notes:
            raise RequestError(f"{self.name} writes whole beats at a time: repetition finds no pitches to hold back")

    @cached_property
    def _network(self) -> Network:
        """Built from the weights when something is first written; all sessions share it."""
        bits: Bits = 8 if self.precision == "8bit" else 32
        return Network.open(self.folder, self.config, bits=bits, threads=self.threads)

    # -- from ids to a file --------------------------------------------------------------------------------------------

    def _piece(
        self,
        done: Finished,
        task: Task,
        request: Request,
        prompt: Prompt | None,
        about: Mapping[str, Any],
        only: bool,
    ) -> Piece:
        new = new_music(self.tokenizer, done, task, request)
        origin: dict[str, Any] = {
            **about,
            "bars": request.bars,
            "key": request.key,
            "tempo": request.tempo,
            "meter": request.meter,
            "programs": request.programs,
            **told(request, self.styles),
            "prompt": None if prompt is None else prompt.about,
            "tokens": done.written,
            "notes": done.notes,
            "nats_per_note": round(done.nats / max(1, done.notes), 4),
        }
        text = origin_text(origin)
        if prompt is None:
            return Piece(new_file(new, text=text), origin)
        whole = continue_file(prompt.midi, task.seam, new, keep_until=prompt.keep_until, text=text)
        if only:
            return Piece(drop_before(whole, task.seam), origin)
        return Piece(whole, origin, task.seam)


def _accepted(
    piece: Piece, accept: Callable[[Piece], bool], again: Callable[..., Iterator[tuple[Event, Piece | None]]]
) -> Piece:
    """``piece``, or the first of those written with other seeds that is accepted.

    Raises:
        RequestError: None of them is.
    """
    seed = int(piece.origin["seed"])
    for attempt in range(TRIES):
        if accept(piece):
            return piece
        other = int(np.random.SeedSequence([seed, attempt]).generate_state(1)[0])
        piece = next(found for _, found in again(seed=other) if found is not None)
    raise RequestError(f"none of {TRIES} pieces was accepted: ask for less, or for more than these bars")
