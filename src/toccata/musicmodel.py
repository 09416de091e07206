"""A model for generation: an opened model folder. Needs no torch."""

from __future__ import annotations

import threading
import time
import warnings
from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from functools import cached_property, partial, wraps
from importlib import import_module
from pathlib import Path
from typing import Any, Literal, ParamSpec

import numpy as np
from numpy.typing import NDArray

from toccata import folder
from toccata.arguments import checked
from toccata.arguments.together import refuse_no_prompt
from toccata.engine.cache import KeyValueCache
from toccata.engine.codec import OnnxCodec
from toccata.engine.guidance import ControlIds
from toccata.engine.job import Decoded, DecodeJob
from toccata.engine.network import Bits, Network
from toccata.engine.sampling import Sampling
from toccata.engine.scheduler import Handle as Handle
from toccata.engine.scheduler import Scheduler as Scheduler
from toccata.engine.scheduler import Verb
from toccata.engine.seeds import Seed, seeds_of
from toccata.errors import ArgumentError, ModelError, PieceWarning, RequestError, shown
from toccata.events import Event, PieceFinished
from toccata.midi.bars import bar_map
from toccata.midi.locks import Lock
from toccata.midi.repitch import Keys
from toccata.model.config import DecoderConfig
from toccata.model.stylefile import open_style_files
from toccata.piece import Piece, Pieces
from toccata.tasks.conditioning import Levels, with_controls
from toccata.tasks.coverage import Coverage
from toccata.tasks.prompt import Prompt, Source, open_prompt
from toccata.tasks.request import Request, Task
from toccata.tasks.vary import Change, Keep, span
from toccata.tokenizers.base import Tokenizer
from toccata.tokenizers.load import load_tokenizer
from toccata.verbs.form import Form, write_form
from toccata.verbs.harmonise import harmony_of
from toccata.verbs.holes import InfillJob, blocks
from toccata.verbs.infill import Infill, infill_of, write_infill
from toccata.verbs.new import NewMusic, write_new
from toccata.verbs.vary import Variation, refuse_unable, write_variation
from toccata.verbs.writer import Writer, accepted

Precision = Literal["8bit", "fp32"]
VerbName = Literal["generate", "infill", "accompany", "harmonise", "vary"]
_MOST_ROWS = 16
_P = ParamSpec("_P")


@dataclass
class Stats:
    """Statistics of one call.

    Attributes:
        tokens: Ids decoded.
        notes: Notes decoded.
        seconds: Elapsed time.
    """

    tokens: int = 0
    notes: int = 0
    seconds: float = 0.0


@dataclass(frozen=True)
class Plan:
    """Pieces to be written by one call.

    Attributes:
        model: The model that writes them.
        verbs: One verb for each piece, in the order of the seeds.
        each: The number of rows of the model for each piece.
        on_event: Called with every event.
        sort: Turns the verbs' results into the pieces to return, in their order.
    """

    model: Model
    verbs: Sequence[Verb]
    each: int = 1
    on_event: Callable[[Event], None] | None = None
    sort: Callable[[Sequence[Any]], list[Piece]] = Pieces


_PLANS: dict[str, Callable[..., Plan]] = {}


def verb(method: Callable[_P, Plan]) -> Callable[_P, list[Piece]]:
    """Turn a method that plans pieces into one that writes them, and register the plan for :meth:`Model.stream`."""
    planned = checked(method)
    _PLANS[method.__name__] = planned

    @wraps(planned)
    def write(*args: _P.args, **kwargs: _P.kwargs) -> list[Piece]:
        call_plan = planned(*args, **kwargs)
        results: list[Any] = []
        carried_out = call_plan.model.carry_out(call_plan, results, call_plan.on_event is not None, some=True)
        with closing(carried_out) as events:  # frees its rows at once
            for event in events:
                if call_plan.on_event is not None:
                    call_plan.on_event(event)
        return call_plan.sort(results)

    return write


def plan(model: Model, verb: str, *args: Any, **arguments: Any) -> Plan:
    """Return the plan of a verb, from the arguments of the method of that name, to be run by another scheduler.

    Raises:
        ArgumentError: There is no such verb, or an argument cannot have its value.
    """
    if verb not in _PLANS:
        raise ArgumentError(f"verb must be one of {', '.join(sorted(_PLANS))}, not {shown(verb)}")
    return _PLANS[verb](model, *args, **arguments)


class Model:
    """A model, ready to generate. Made by ``toccata.load``.

    Attributes:
        folder: Its model folder.
        config: Its shape.
        tokenizer: Its tokenizer.
        style_files: The style files that change its weights, each with how many times it counts.
        stats: Statistics of the latest call.
        copies_within: Returns a test that a piece copies no passage of more than so many notes; as ``best_first``.
        best_first: Returns a function that sorts pieces, the best first; set by ``toccata.load``.
    """

    @checked
    def __init__(
        self,
        path: str | Path,
        *,
        precision: Precision = "8bit",
        threads: int | None = None,
        style_files: Sequence[str | Path | tuple[str | Path, float]] = (),
    ) -> None:
        """Open a model folder.

        Args:
            path: The folder.
            precision: ``8bit`` is two to three times as fast as ``fp32`` and a little coarser.
            threads: Processors to use; by default all, up to four.
            style_files: Style files that change its weights; what they change adds up. Each is a path, or a path and
                how many times it counts: ``("mine.safetensors", 0.5)`` or ``"mine.safetensors:0.5"``.

        Raises:
            ArgumentError: There is no such precision, or no such number of processors.
            ModelError: The folder is no model, or a file is missing or was changed; or a style file is damaged, is
                none, or is for another model.
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
        self.style_files = open_style_files(style_files, self.config, self.name, self.folder.weights)
        self._scheduler: Scheduler | None = None  # an idle one
        self._lock = threading.Lock()
        self.stats = Stats()
        self.copies_within: Callable[[int], Callable[[Piece], bool]] | None = None
        self.best_first: Callable[[], Callable[[Sequence[Piece]], list[Piece]]] | None = None

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle the paths of the model and its style files, which are opened again when unpickled."""
        files = tuple((used.file.path, used.weight) for used in self.style_files)
        reopened = partial(_reopened, precision=self.precision, threads=self.threads, style_files=files)
        return reopened, (self.folder.path,)

    @property
    def name(self) -> str:
        """The model's name."""
        return self.folder.name

    @property
    def styles(self) -> list[str]:
        """The styles that the model was trained to distinguish, by number."""
        styles: list[str] = self.folder.about.get("styles") or []
        return styles if len(styles) > 1 and self.has_learned("controls") else []

    def has_learned(self, what: str) -> bool:
        """Whether the model was trained on passages of a kind: ``fill`` or ``controls``."""
        return bool(self.folder.about["recipe"].get("examples", {}).get(what))

    @property
    def coverage(self) -> Coverage | None:
        """What the model, and its style files, have learned of instruments, meters and tempos; None: unknown."""
        sources = (self.folder.about, *(used.file.about for used in self.style_files))
        return Coverage.of_trainings(source.get(folder.COVERAGE) for source in sources)

    @cached_property
    def sampling(self) -> Sampling:
        """The sampling parameters where none are given: with those that were chosen for the model in training.

        Raises:
            ModelError: The model's folder says them in a way that cannot be read.
        """
        own = self.folder.sampling
        return (Sampling() if own is None else Sampling(**own._asdict())).or_else(Sampling())

    @cached_property
    def _of_styles(self) -> dict[str, Sampling]:
        """The sampling parameters of styles that have their own."""
        return {style: Sampling(**own._asdict()) for style, own in self.folder.sampling_by_style.items()}

    @verb
    def generate(
        self,
        prompt: Source | None = None,
        *,
        n: int = 1,
        bars: int | None = 16,
        seed: Seed = None,
        sampling: Sampling | None = None,
        prompt_bars: int | tuple[int, int] | None = None,
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
        max_copy: int | None = None,
        best_of: int | None = None,
        modulate: bool = False,
        anyway: bool = False,
        without: Sequence[str] = (),
        accept: Callable[[Piece], bool] | None = None,
        on_event: Callable[[Event], None] | None = None,
    ) -> Plan:
        """Write new pieces, or go on from a prompt.

        Args:
            prompt: A MIDI file or its bytes, a Score, or a Piece; None for new music. Its last part is what the model
                reads if it is long.
            n: How many pieces.
            bars: New bars, exactly; None: until the model ends the piece. With a form, all its bars, a prompt's
                included.
            seed: Piece i is that of ``seed + i``, however many are written with it. A list: one for each piece. None:
                new ones, from the system's randomness; each piece's ``origin`` has its own, which gives it again.
            sampling: The sampling parameters; see :class:`Sampling`. Those that are None are the model's own; see
                :attr:`sampling`. Where temperature, top-p and repeat penalty are all None and one style is requested,
                they are those of that style, if the model has some.
            prompt_bars: Use only the first so many bars of the prompt, or its bars ``(5, 8)``, and go on from there.
            prompt_tokens: Only its first so many tokens.
            prompt_seconds: Only its first so many seconds.
            continuation_only: Leave the prompt out of the pieces.
            key: Keep pitched notes to a key, e.g. ``"D minor"``.
            tempo: Quarters a minute; after a prompt, from the new music on.
            meter: For new music, e.g. ``(3, 4)``; not after a prompt, whose meter goes on.
            programs: General MIDI programs, -1 for the drums: they all play, and no other does.
            pitches: Lowest and highest pitch of pitched notes.
            controls: Levels of controls, for all the new music or for each new bar: ``{"density": 3}``; see
                :mod:`toccata.tasks.controls`.
            style: Styles of the new music: names of folders the model was trained on.
            chords: A chart for the new bars, e.g. ``"Dm7 | G7 | Cmaj7 | %"``.
            end: Come to an end, on a cadence, in the last bar.
            form: A letter for each section, e.g. ``"AABA"``; see :class:`~toccata.verbs.form.Form`. A prompt is how A
                begins, or all of A.
            max_tokens: Come to the end after about so many new tokens.
            max_copy: Write a piece again while more than so many notes in a row are known from the training music.
            best_of: Write so many pieces and return the best ``n``, the best first; see ``toccata.rank``.
            modulate: Let a new piece without ``key`` leave the key of its first bars.
            anyway: Let instruments play that the model has not learned.
            without: What a musician takes for granted and is not wanted: ``players`` (each of ``programs`` plays in
                three quarters of the bars, others play together as in a training piece), ``ranges`` (instruments keep
                to theirs), ``lines`` (solo strings and winds play one note at a time), ``roles`` (none is below the
                bass), ``voicing`` (a chord has its root or bass lowest where it begins, and its third and seventh are
                heard), ``tempos`` (those learned), ``levels`` (a new piece in a style has the levels of one of that
                style's training pieces, where none are requested).
            accept: Called with every piece; one that it rejects is written again with another seed.
            on_event: Called with notes and bars as they are written; what it raises stops the writing.

        Raises:
            MidiError: The prompt cannot be read.
            ArgumentError: A value that an argument cannot have.
            RequestError: The request cannot be fulfilled, and why.
        """
        refuse_no_prompt(prompt, continuation_only)
        sampling = self._resolved(sampling, style)
        self._refuse_useless(sampling)
        if max_tokens is not None and end and form is None:
            raise RequestError("an ending needs all of its bars: ask without a limit of tokens")
        part = (1, prompt_bars) if isinstance(prompt_bars, int) else prompt_bars
        opened = open_prompt(self.tokenizer, prompt, bars=part, tokens=prompt_tokens, seconds=prompt_seconds)
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
            modulate=modulate,
            anyway=anyway,
            without=frozenset(without),
        )
        request = with_controls(request, bars, self.styles, controls, style, chords)
        accept, sort = self._accepting(max_copy, accept), self._best(n, best_of)
        new_music = NewMusic(request, opened, sampling, max_tokens, continuation_only)
        if form is None:
            task = self._writer.compile(request, self.config.context * 3 // 4)
            write = partial(write_new, self._writer, new_music, task)
        else:
            write = partial(write_form, self._writer, Form.read(form), new_music)
        seeds = seeds_of(seed, best_of or n)
        verbs = [accepted(write, own, accept, number) for number, own in enumerate(seeds)]
        return Plan(self, verbs, _rows(sampling, controls, style), on_event, sort)

    @verb
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
        anyway: bool = False,
        without: Sequence[str] = (),
        best_of: int | None = None,
        accept: Callable[[Piece], bool] | None = None,
        on_event: Callable[[Event], None] | None = None,
    ) -> Plan:
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
            sampling: The sampling parameters.
            key: Keep pitched notes to a key.
            pitches: Lowest and highest pitch of new pitched notes.
            controls: Levels of controls, for all the bars or for each of them.
            style: Styles of the new music.
            chords: A chart for the bars.
            anyway: Let instruments play that the model has not learned.
            without: What is not wanted: ``players`` (who played in a bar plays in it again), ``ranges``,
                ``lines``, ``fit`` (no new part clashes with the song), ``roles``, ``voicing``; see :meth:`generate`.
            best_of: Write so many versions and return the best ``n``, the best first, by what is around the new notes.
            accept: Called with every piece; one that it rejects is written again with another seed.
            on_event: Called with notes and bars as they are written.

        Raises:
            MidiError: The song cannot be read, or not be taken apart.
            RequestError: There are no such bars or tracks, or the model has not learned to fill.
        """
        opened = self._song(song)
        lines = bar_map(opened.score)
        chosen = None if tracks is None else opened.tracks(tracks)
        held = (*_locks_of(song), *locks)
        holes = blocks(lines, [(first - 1, last) for first, last in bars], chosen, opened.locked(held))
        top = opened.melody(held)
        infill = infill_of(
            opened,
            [InfillJob(hole, melody=top) for hole in holes],
            Request(key=key, pitches=pitches, anyway=anyway, without=frozenset(without)),
            self._resolved(sampling),
            extra_origin={"locks": [str(lock) for lock in held]} if held else None,
        )
        return self._infilling(infill, n, seed, controls, style, chords, best_of, accept, on_event)

    @verb
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
        anyway: bool = False,
        without: Sequence[str] = (),
        best_of: int | None = None,
        accept: Callable[[Piece], bool] | None = None,
        on_event: Callable[[Event], None] | None = None,
    ) -> Plan:
        """Add instruments to a song; what is there stays, event for event.

        Args:
            song: A MIDI file or its bytes, a Score, or a Piece.
            programs: General MIDI programs, -1 the drums; each gets a track of its own.
            bars: Where they play: first and last bar of each span, counted from 1; None: all along.
            n: How many versions.
            seed: Version i is that of ``seed + i``. A list: one for each. None: new ones.
            sampling: The sampling parameters.
            key: Keep pitched notes to a key.
            pitches: Lowest and highest pitch of new pitched notes.
            controls: Levels of controls, for all the bars or for each of them.
            style: Styles of the new music.
            chords: A chart for the bars.
            anyway: Let instruments play that the model has not learned.
            without: What is not wanted: ``players`` (each plays in three quarters of the bars), ``ranges``,
                ``lines``, ``fit`` (no new part clashes with the song), ``roles``, ``voicing``; see :meth:`generate`.
            best_of: Write so many versions and return the best ``n``, the best first, by what is around the new notes.
            accept: Called with every piece; one that it rejects is written again with another seed.
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
        # One instrument after the other, so that each plays, with those before it as context.
        own, holes = len(opened.score.tracks), blocks(lines, spans, frozenset())
        jobs = [InfillJob(hole, (program,), original_tracks=own) for hole in holes for program in programs]
        request = Request(key=key, pitches=pitches, anyway=anyway, without=frozenset(without))
        infill = infill_of(opened, jobs, request, self._resolved(sampling))
        return self._infilling(infill, n, seed, controls, style, chords, best_of, accept, on_event)

    @verb
    def harmonise(
        self,
        song: Source,
        *,
        voices: Sequence[str] = ("alto", "tenor", "bass"),
        melody: int | str | None = None,
        bars: Sequence[tuple[int, int]] | None = None,
        n: int = 1,
        seed: Seed = None,
        sampling: Sampling | None = None,
        key: str | None = None,
        pitches: tuple[int, int] | None = None,
        controls: Levels | None = None,
        style: Sequence[str] = (),
        chords: str | None = None,
        best_of: int | None = None,
        accept: Callable[[Piece], bool] | None = None,
        on_event: Callable[[Event], None] | None = None,
    ) -> Plan:
        """Voices under a melody; what is there stays, event for event.

        Every voice gets a track of its own, sings one note at a time, in its range, below the voice above it, while the
        melody sounds. They are played by the melody's instrument.

        Args:
            song: A MIDI file or its bytes, a Score, or a Piece.
            voices: Some of ``alto``, ``tenor`` and ``bass``.
            melody: The track of the melody: its number from 1, its name or its instrument's; None: the highest.
            bars: Where they sing: first and last bar of each span, counted from 1; None: all along.
            n: How many versions.
            seed: Version i is that of ``seed + i``. A list: one for each. None: new ones.
            sampling: The sampling parameters.
            key: Keep to a key.
            pitches: Lowest and highest pitch of the voices.
            controls: Levels of controls, for all the bars or for each of them.
            style: Styles of the new music.
            chords: A chart for the bars.
            best_of: Write so many versions and return the best ``n``, the best first, by what is around the new notes.
            accept: Called with every piece; one that it rejects is written again with another seed.
            on_event: Called with notes and bars as they are written.

        Raises:
            MidiError: The song cannot be read or not be taken apart, or it has no channel left.
            RequestError: There are no such bars or voices, no melody, or one of two notes at once; or the model has not
                learned to fill.
        """
        spans = None if bars is None else [(first - 1, last) for first, last in bars]
        infill = harmony_of(self._writer, self._song(song), voices, melody, spans, self._resolved(sampling))
        infill = replace(infill, request=Request(key=key, pitches=pitches))
        return self._infilling(infill, n, seed, controls, style, chords, best_of, accept, on_event)

    @verb
    def vary(
        self,
        song: Source,
        *,
        keep: Keep = "rhythm",
        strength: float = 0.5,
        bars: Sequence[tuple[int, int]] | None = None,
        tracks: Sequence[int | str] | None = None,
        locks: Sequence[Lock] = (),
        n: int = 4,
        seed: Seed = None,
        sampling: Sampling | None = None,
        key: str | None = None,
        on_event: Callable[[Event], None] | None = None,
    ) -> Plan:
        """Variations of some bars, from the closest to the farthest; the rest of the song stays, event for event.

        - ``rhythm``: every note keeps its beginning, length and loudness exactly; pitches change, but not the drums.
          The order of pitches within a chord stays.
        - ``contour``: the same, and the highest notes of each track go up, stay and go down where they did.
        - ``melody``: the top line of the highest track (of ``tracks``) stays note for note; other notes are written
          anew.
        - ``harmony``: notes are written anew, and in each beat begin only pitch classes that sounded in it.

        What can keep rhythm and contour is any model whose tokens say pitches and lengths; one that has learned to fill
        reads what comes after the bars, too. Melody and harmony need one that has.

        Args:
            song: A MIDI file or its bytes, a Score, or a Piece; what a Piece has locked stays.
            keep: What stays.
            strength: How much of the rest may change: the share of its notes that are open, 0 to 1. Above 0, something
                does where it can.
            bars: First and last bar of each span, counted from 1; None: all.
            tracks: The tracks to vary: numbers from 1, or names of theirs or of their instruments; None: all.
            locks: Notes that stay all the same, beside those that a Piece has locked.
            n: How many versions.
            seed: The versions are those of ``seed``, ``seed + 1``, ..., in order of their distance. A list: one for
                each. None: new ones.
            sampling: The sampling parameters.
            key: Keep new pitches to a key.
            on_event: Called with bars as they are written.

        Returns:
            The versions; ``origin`` has for each ``distance`` (0 the same, 1 nothing is left; see
            :class:`~toccata.tasks.vary.Change`) and in words what ``changed``.

        Raises:
            MidiError: The song cannot be read, or not be taken apart.
            RequestError: There are no such bars, tracks or notes, or the model cannot preserve ``keep``.
        """
        refuse_unable(self._writer, keep)
        opened = open_prompt(self.tokenizer, song, edit=True)
        assert opened is not None
        lines = bar_map(opened.score)
        chosen = None if tracks is None else opened.tracks(tracks)
        held = (*_locks_of(song), *locks)
        locked = opened.locked(held)
        holes = blocks(lines, [(0, len(lines))] if bars is None else [(a - 1, b) for a, b in bars], chosen)
        spans = [span(opened.score, lines, hole) for hole in holes]
        variation = Variation(
            opened, lines, holes, spans, chosen, held, locked, keep, strength, key, self._resolved(sampling)
        )
        keys = Keys(opened.midi)
        verbs = [
            write_variation(self._writer, variation, keys, own, number) for number, own in enumerate(seeds_of(seed, n))
        ]
        return Plan(self, verbs, on_event=on_event, sort=_by_distance)

    def stream(self, *args: Any, verb: VerbName = "generate", **arguments: Any) -> Iterator[Event]:
        """Yield the events of a verb as it writes, with the arguments of the method called ``verb``.

        Notes and bars come as they are written, at their place in the finished piece, and each piece when it is done.
        Stop by leaving the loop.

        Args:
            args: Positional arguments of the verb.
            verb: The method to run.
            arguments: Keyword arguments of the verb; its ``on_event`` is not called.

        Raises:
            ArgumentError: There is no such verb, or an argument cannot have its value.
        """
        return self.carry_out(plan(self, verb, *args, **arguments), [], some=True)

    def compile(self, request: Request) -> Task:
        """Compile a request for new music or a continuation into the prompt the model reads, and constraints.

        Raises:
            RequestError: The request contradicts itself, or the model cannot do it.
        """
        return self._writer.compile(request, self.config.context * 3 // 4)

    def decode(
        self, task: Task, seeds: Sequence[int], *, sampling: Sampling | None = None, limit: int = 4096
    ) -> list[Decoded]:
        """Decode ids for a task, one sequence for each seed, in a batch; for research and benchmarks.

        Args:
            task: The compiled request.
            seeds: One for each sequence.
            sampling: The sampling parameters.
            limit: The most new ids of a sequence.

        Raises:
            ModelError: The model is damaged.
        """
        how = self._resolved(sampling)

        def decoded(seed: int) -> Verb:
            return (yield DecodeJob(task, seed, how, limit))

        each = len(ControlIds(self.tokenizer).rows(task, how.guidance).dropped_ids)
        with self.scheduler(max(each, min(_MOST_ROWS, each * len(seeds)))) as scheduler:
            handles = [scheduler.submit(decoded(seed)) for seed in seeds]
            while scheduler.busy:
                scheduler.step()
                for handle in handles:
                    _raise(handle)
        return [handle.result for handle in handles]

    def logits(self, ids: NDArray[np.int32]) -> NDArray[np.float32]:
        """Return the logits ``float32[T, V]`` after each of ``ids``, which fit in the context."""
        with self.scheduler(1) as scheduler:
            return scheduler.cache.logits(ids)

    @contextmanager
    def scheduler(self, rows: int) -> Iterator[Scheduler]:
        """Yield an idle scheduler with at least ``rows`` rows; all schedulers share the weights.

        It is exclusive: while it is in use, another call, from this thread or another, yields another scheduler.
        """
        with self._lock:
            scheduler, self._scheduler = self._scheduler, None
        if scheduler is None or scheduler.cache.rows < rows:
            cache = KeyValueCache(self._network, rows=rows, features=self.tokenizer.features)
            scheduler = Scheduler(cache, self.tokenizer)
        try:
            yield scheduler
        finally:
            scheduler.close()
            with self._lock:
                if self._scheduler is None or self._scheduler.cache.rows < scheduler.cache.rows:
                    self._scheduler = scheduler

    def carry_out(
        self, plan: Plan, results: list[Any], watched: bool = True, *, some: bool = False
    ) -> Generator[Event, None, None]:
        """Write the pieces of a plan, and yield events.

        Args:
            plan: What to write.
            results: Receives the results of the verbs, in their order.
            watched: Whether to yield all events, at a small cost, or only those of finished pieces.
            some: Whether to go on when a piece fails, and to warn with a `PieceWarning` if others are finished.

        Raises:
            Exception: That of a piece that failed.
        """
        stats = self.stats = Stats()  # another thread may replace the attribute
        began = time.perf_counter()
        waiting: deque[Event] = deque()
        rows = max(plan.each, min(_MOST_ROWS, plan.each * len(plan.verbs)))
        with self.scheduler(rows) as scheduler:
            handles: list[Handle] = []
            finished: set[int] = set()
            for written in plan.verbs:
                handles.append(scheduler.submit(written, waiting.append if watched else None))
                _raise(handles[-1])
            while True:
                for number, handle in enumerate(handles):
                    if not some:
                        _raise(handle)
                    if handle.done and handle.error is None and number not in finished:
                        finished.add(number)
                        waiting.append(PieceFinished(number, piece_of(handle.result)))
                stats.tokens, stats.notes = (sum(getattr(h, name) for h in handles) for name in ("tokens", "notes"))
                stats.seconds = time.perf_counter() - began
                while waiting:
                    yield waiting.popleft()
                if not scheduler.busy:
                    break
                scheduler.step()
        results += [handle.result for handle in handles if handle.error is None]
        if failed := [handle for handle in handles if handle.error is not None]:
            if not finished:
                _raise(failed[0])
            what = f"{len(finished)} of {len(handles)} pieces are written, the others failed: {failed[0].error}"
            warnings.warn(what, PieceWarning, stacklevel=2)

    def _infilling(
        self,
        infill: Infill,
        n: int,
        seed: Seed,
        controls: Levels | None,
        style: Sequence[str],
        chords: str | None,
        best_of: int | None,
        accept: Callable[[Piece], bool] | None,
        on_event: Callable[[Event], None] | None,
    ) -> Plan:
        """Return the plan for versions of a song; controls and chords are those of the requested bars."""
        request = with_controls(infill.request, len(infill.bars), self.styles, controls, style, chords)
        write = partial(write_infill, self._writer, replace(infill, request=request))
        sort, seeds = self._best(n, best_of), seeds_of(seed, best_of or n)
        verbs = [accepted(write, own, accept, number) for number, own in enumerate(seeds)]
        return Plan(self, verbs, _rows(infill.sampling, controls, style), on_event, sort)

    def _accepting(self, most: int | None, accept: Callable[[Piece], bool] | None) -> Callable[[Piece], bool] | None:
        """Return ``accept``, combined with the test that a piece copies no passage of more than ``most`` notes."""
        if most is None:
            return accept
        if self.copies_within is None:
            raise RequestError(f"{self.name} was opened without its training music's index: use toccata.load")
        original = self.copies_within(most)
        return original if accept is None else lambda piece: original(piece) and accept(piece)

    def _best(self, n: int, best_of: int | None) -> Callable[[Sequence[Any]], list[Piece]]:
        """Return the function that selects the best ``n`` of the written pieces."""
        if best_of is None:
            return Pieces
        if best_of < n:
            raise ArgumentError(f"best_of is {best_of}, and the best {n} of fewer pieces cannot be had: give more")
        if self.best_first is None:
            raise RequestError(f"{self.name} was opened without what its pieces are ranked by: use toccata.load")
        order = self.best_first()
        return lambda pieces: Pieces(order(pieces)[:n])

    def _song(self, song: Source) -> Prompt:
        self._writer.refuse_no_fill()
        opened = open_prompt(self.tokenizer, song, edit=True)
        assert opened is not None
        return opened

    def _resolved(self, sampling: Sampling | None, style: Sequence[str] = ()) -> Sampling:
        """Return the sampling parameters of a request; those of its style, or the model's own, where it has none."""
        own = self._of_styles.get(style[0]) if len(style) == 1 else None
        if own is None or (sampling is not None and sampling.chosen):
            return self.sampling if sampling is None else sampling.or_else(self.sampling)
        return (Sampling() if sampling is None else sampling).or_else(own)

    def _refuse_useless(self, sampling: Sampling) -> None:
        """Refuse sampling parameters that have no effect with this model.

        Raises:
            RequestError: One of them has none.
        """
        if sampling.repetition != 1 and not self.tokenizer.grammar().scheme.has_notes:
            raise RequestError(f"{self.name} writes whole beats at a time: repetition finds no pitches to hold back")

    @cached_property
    def _writer(self) -> Writer:
        """The model, as the verbs see it."""
        return Writer(
            self.name, self.folder.digest, self.precision, self.tokenizer, self.config.context, tuple(self.styles),
            self.has_learned("controls"), self.has_learned("fill"), self.coverage,
            [used.to_json() for used in self.style_files], self.folder.version,
        )  # fmt: skip

    @cached_property
    def _network(self) -> Network:
        """The network, built from the weights on first use; all schedulers share it."""
        bits: Bits = 8 if self.precision == "8bit" else 32
        return Network.open(self.folder, self.config, bits=bits, threads=self.threads, style_files=self.style_files)


def _reopened(path: Path, **how: Any) -> Any:
    """Unpickle a model, by ``toccata.load``, which this module cannot import at the top."""
    return import_module("toccata.api").load(path, **how)


def _rows(sampling: Sampling, controls: Levels | None, style: Sequence[str]) -> int:
    """Return the rows of a piece: one for each style, and an unconditional one for classifier-free guidance."""
    return max(1, len(set(style))) + bool(sampling.guidance != 1 and (controls or style))


def _locks_of(song: Source) -> tuple[Lock, ...]:
    """Return the locks of a song; only a Piece has any."""
    return song.locks if isinstance(song, Piece) else ()


def piece_of(result: Piece | tuple[Piece, Change]) -> Piece:
    """Return the piece in the result of a verb."""
    return result if isinstance(result, Piece) else result[0]


def _by_distance(results: Sequence[tuple[Piece, Change]]) -> list[Piece]:
    """Sort variations from the closest to the farthest."""
    return Pieces(piece for piece, _ in sorted(results, key=lambda result: result[1].distance))


def _raise(handle: Handle) -> None:
    if handle.error is not None:
        raise handle.error
