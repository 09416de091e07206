"""Shared code of the commands that write music: their options, output files and printed results."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import click

from toccata.cli.base import PATH, F, Face, Value, clock, many, refuse_address, refuse_existing, refuse_own
from toccata.cli.screen import show
from toccata.cli.settings import setting
from toccata.errors import RequestError

if TYPE_CHECKING:
    from toccata.api import Judge, Model, Ranked, Ranker, Sampling
    from toccata.piece import Piece

SOUNDS, PICTURES = ("wav", "ogg", "flac", "mp3"), ("png", "svg")
CHOICE = 2
"""So many times as many pieces are written as are wanted where no seed is given. That takes about twice the time."""
AT_ONCE = 16
"""The most pieces that are written at a time."""
BESIDE: dict[str, tuple[str, Sequence[str]]] = {"--audio": ("wav", SOUNDS), "--plot": ("png", PICTURES)}
"""Options whose value is optional: the default value, and the choices."""
_SAMPLING = (
    "temperature",
    "top_p",
    "top_k",
    "min_p",
    "repetition",
    "guards",
    "figure_bonus",
    "repeat_penalty",
    "guidance",
)


def musical_options(options: dict[str, Any]) -> dict[str, Any]:
    """Return the options for the music itself, as arguments that all verbs take."""
    names = [name for name, _ in options["control"]]
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise click.BadParameter(
            f"{twice} is given twice: write its levels bar by bar like {twice}=2,5", param_hint="'--control'"
        )
    return {
        "key": options["key"],
        "pitches": options["range"],
        "controls": dict(options["control"]) or None,
        "style": options["style"],
        "chords": options["chords"],
        **({"anyway": options["anyway"], "without": _without(options)} if "anyway" in options else {}),
    }


def _without(options: dict[str, Any]) -> tuple[str, ...]:
    """Return what the new music is to be without."""
    named = [name for several in options["without"] for name in several]
    return (*named, "players") if options.get("anyone") else tuple(named)


STYLE_FILES = click.option(
    "--style-file", "style_files", type=Value("style_file"), multiple=True, metavar="FILE[:W]",
    help="What finetune wrote; W: how much it counts.",
)  # fmt: skip
BEST_OF = click.option(
    "--best-of", type=Value("best_of"), metavar="N", help="Write N, keep the best.  [2n without --seed]"
)
WHOLE = click.option("--whole", is_flag=True, help="Draw and play the whole song, not the bars around what is new.")
ENSEMBLE: tuple[Callable[[Any], Any], ...] = (
    click.option("--anyway", is_flag=True, help="Also instruments that the model has not learned."),
    click.option("--without", type=Value("without"), multiple=True, metavar="RULE",
                 help="Lift a rule: players, ranges, lines, ..."),
)  # fmt: skip
"""Options of the commands whose instruments are the model's or the user's choice."""
_FILES: tuple[Callable[[Any], Any], ...] = (
    click.option("--audio", type=click.Choice(SOUNDS), metavar="[wav|ogg|flac|mp3]",
                 help="Sound beside it; wav if nothing is said."),
    click.option("--plot", type=click.Choice(PICTURES), metavar="[png|svg]",
                 help="A piano roll beside it, else png."),
    click.option("--soundfont", type=Value("soundfont"), metavar="FILE",
                 help="Play with this SoundFont (.sf2, .sf3)."),
    click.option("--precision", type=Value("precision"), metavar="[8bit|fp32]",
                 help="8bit is fast, fp32 exact.  [8bit]"),
    click.option("-o", "--output", type=PATH, metavar="PATH",
                 help="A .mid file, or a folder."),
    click.option("--force", is_flag=True, help="Replace files that are there."),
)  # fmt: skip


_HOW: tuple[Callable[[Any], Any], ...] = (
    click.option("--seed", type=Value("seed"), metavar="S", help="Same seed, same music.  [new ones]"),
    click.option(
        "--temperature",
        type=Value("temperature"),
        metavar="T",
        help="Below 1 safer, above 1 bolder.  [the model's]",
    ),
    click.option("--top-p", type=Value("top_p"), metavar="P", help="Only the likeliest, P in all.  [the model's]"),
    click.option("--top-k", type=Value("top_k"), metavar="K", help="Only the K likeliest; 0: all.  [0]"),
    click.option("--min-p", type=Value("min_p"), metavar="P", help="Only those P times as likely as the best.  [0]"),
    click.option(
        "--repetition", type=Value("repetition"), metavar="R", help="Above 1, recent pitches are less likely.  [1]"
    ),
    click.option("--no-guards", "guards", flag_value=False, default=None, help="Let loops and silence be."),
    click.option(
        "--figure-bonus",
        type=Value("figure_bonus"),
        metavar="F",
        help="Above 0, figures come back transposed.  [0]",
        hidden=True,  # as the page of a command has room for fifty lines
    ),
    click.option(
        "--repeat-penalty",
        type=Value("repeat_penalty"),
        metavar="F",
        help="Above 0, figures come back literally less often.  [the model's]",
        hidden=True,  # as the page of a command has room for fifty lines
    ),
    click.option("--key", type=Value("key"), metavar="KEY", help='Keep to a key: "C major", "F# minor".'),
)
"""The options of how the next token is drawn."""


def writing(*own: Callable[[Any], Any], count: int = 1, controls: bool = True) -> Callable[[F], F]:
    """Decorate a command that writes music with the shared options, and with ``own`` after the first few.

    Args:
        own: The command's own options.
        count: The default number of pieces.
        controls: Whether it has options for levels, styles and chords.
    """
    first: tuple[Callable[[Any], Any], ...] = (
        click.option(
            "--model",
            "-m",
            type=Value("model"),
            metavar="DIR|NAME",
            help="Else TOCCATA_MODEL, the newest, or base.",
        ),
        STYLE_FILES,
        click.option("-n", "--count", type=Value("n"), default=count, metavar="N", help=f"How many pieces.  [{count}]"),
    )
    levels: tuple[Callable[[Any], Any], ...] = (
        click.option("--range", type=Value("pitches", "LOW-HIGH"), help="Lowest and highest pitch: C3-C6, 48-84."),
        click.option(
            "--control",
            type=Value("level", "NAME=L|L,L,..."),
            multiple=True,
            help="density, polyphony, register, length, velocity.",
        ),
        click.option(
            "--style", type=Value("style_name"), multiple=True, metavar="NAME", help="Like this training folder."
        ),
        click.option(
            "--guidance", type=Value("guidance"), metavar="G", help="How much controls and styles count.  [2]"
        ),
        click.option("--chords", type=Value("chords"), metavar="CHART", help='A chart: "Dm7 | G7 | Cmaj7 | %".'),
    )

    def decorate(function: F) -> F:
        decorated: Any = function
        for option in reversed((*first, *own, *_HOW, *(levels if controls else ()), *_FILES)):
            decorated = option(decorated)
        return cast(F, decorated)

    return decorate


@dataclass
class Session:
    """The model, arguments and output files of one command.

    Attributes:
        model: The model.
        sampling: The sampling parameters.
        seeds: The seed of each piece.
        places: The file of each piece.
        options: The command's options.
        path: The model's folder.
        soundfont: The SoundFont for audio.
        judge: Finds copied passages; None: the model has no index of its training pieces.
        best: Collects the best pieces; None: all pieces are written.
        silent: Seed and reason of each piece that is not written because it has no new note.
        beside: For each file with new notes, the text of what is usual beside its longest known passage.
    """

    model: Model
    sampling: Sampling
    seeds: Sequence[int]
    places: Sequence[Path]
    options: dict[str, Any]
    path: Path
    soundfont: str | None
    judge: Judge | None
    best: Best | None
    silent: list[dict[str, Any]] = field(default_factory=list)
    beside: dict[str, str] = field(default_factory=dict)

    def sounds(self, piece: Piece) -> bool:
        """Return whether a piece has a note, and record it as silent otherwise: its token limit may be too low."""
        if piece.origin["notes"] or (piece.origin["prompt"] is not None and not self.options.get("continuation_only")):
            return True
        self.silent.append({"seed": piece.origin["seed"], "total": None, "why": "it has no note"})
        return False

    def write(self, piece: Piece, number: int) -> dict[str, Any]:
        """Write a piece with the requested audio and plot; return its row of the result."""
        row = _write(piece, self.places[number], self.options, self.soundfont)
        row["copied"] = None
        if self.judge is not None and row["new_notes"]:
            row["copied"] = self.judge.of(piece).to_dict()
            self.beside[row["path"]] = self.judge.beside(piece)
        return row

    def write_best(self) -> list[dict[str, Any]]:
        """Write the best pieces, in order; return their rows of the result, with rank and reason."""
        assert self.best is not None
        rows = []
        for number, ranked in enumerate(ranked for ranked in self.best.ranked if self.sounds(ranked.piece)):
            row = self.write(ranked.piece, number)
            rows.append(row | {"rank": {"place": number + 1, **ranked.to_dict()}})
        return rows


class Best:
    """Collects the best of many pieces, and records why the others are left out.

    Attributes:
        ranked: The best pieces so far, in order.
        left_out: Seed, total and reason of each of the others.
    """

    def __init__(self, ranker: Ranker, count: int) -> None:
        self.ranker, self.count = ranker, count
        self.ranked: list[Ranked] = []
        self.left_out: list[dict[str, Any]] = []

    def add(self, pieces: Sequence[Piece]) -> None:
        """Add more pieces."""
        found = sorted([*self.ranked, *map(self.ranker.weigh, pieces)], key=lambda ranked: ranked.total)
        self.ranked = found[: self.count]
        for ranked in found[self.count :]:
            row = ranked.to_dict()
            self.left_out.append({"seed": ranked.piece.origin["seed"], "total": row["total"], "why": row["why"]})


def open_session(face: Face, options: dict[str, Any], song: Path | None) -> Session:
    """Load the model, and check and choose the output files, before anything is written.

    Args:
        face: Prints.
        options: The command's options. ``choose`` says that the best of several are kept where neither a seed nor
            ``best_of`` is given; without it all are.
        song: The song or prompt that is read; None: there is none.
    """
    from toccata import api

    if (options.get("best_of") or options["count"]) < options["count"]:
        raise click.BadParameter(f"{options['count']} pieces cannot be the best of fewer", param_hint="'--best-of'")
    if song is not None:
        refuse_address(song)
    suffixes = [f".{options[kind]}" for kind in ("audio", "plot") if options[kind]]
    path = api.find_model(setting("model", options["model"]))
    precision: Any = setting("precision", options["precision"]) or "8bit"
    if options["soundfont"] is not None and not options["audio"]:
        raise click.UsageError("--soundfont says what plays the sound: add --audio")
    soundfont = setting("soundfont", options["soundfont"]) if options["audio"] else None
    sampling = api.Sampling(**{name: options[name] for name in _SAMPLING if options.get(name) is not None})
    model = api.load(path, precision=precision, style_files=options["style_files"])
    judge = api.Judge(model) if api.Judge.has(model) else None
    usual = api.ReferenceStats.of_model(model.folder, [used.file for used in model.style_files])
    best_of = options.get("best_of")
    if best_of is None and options.get("choose") and options["seed"] is None and usual is not None:
        best_of = CHOICE * options["count"]
    seeds = api.seeds_of(options["seed"], best_of or options["count"])
    ranked = bool(best_of)
    in_order = ranked or bool(options.get("in_order"))
    places = _places(options["output"], model.name, seeds, options["count"], suffixes, options["force"], in_order)
    files = [place.with_suffix(suffix) for place in places for suffix in (place.suffix, *suffixes)]
    refuse_own(song, files)
    refuse_existing(files, options["force"])
    face.place = places[0].parent
    best = Best(api.Ranker(usual, judge), options["count"]) if ranked else None
    return Session(model, sampling, seeds, places, options, path, soundfont, judge, best)


def print_result(
    face: Face, session: Session, written: Sequence[dict[str, Any]], tokens: int, notes: int, seconds: float
) -> None:
    """Print the result: the pieces that were written, and those that were left out.

    Raises:
        RequestError: No piece has a note.
    """
    how = "give more bars (--bars) or tokens (--max-tokens)"
    if not written:
        raise RequestError(f"no note was written: {how}")
    if session.silent and not face.as_json:  # even with --quiet
        seeds = ", ".join(str(row["seed"]) for row in session.silent)
        show(sys.stderr, f"left out, as no note was written: seed {seeds}; {how}")
    for remark in dict.fromkeys(remark for row in written for remark in row["remarks"]):
        if not face.as_json and not face.quiet:
            show(sys.stderr, remark)
    value = {
        "pieces": written,
        "tokens_per_second": round(tokens / max(seconds, 1e-9), 1),
        "notes_per_second": round(notes / max(seconds, 1e-9), 1),
        "seconds": round(seconds, 3),
        "model": session.model.name,
        "digest": session.model.folder.digest,
    }
    if session.model.style_files:
        value["style_files"] = [used.to_json() for used in session.model.style_files]
    lines = _lines(face, written)
    left = [*(session.best.left_out if session.best is not None else ()), *session.silent]
    if session.best is not None or left:
        value["left_out"] = left
    if session.best is not None and not face.quiet:
        lines.append(f"The best of {len(written) + len(left)}; --json has the figures of each.")
    if session.judge is not None and not face.quiet:
        lines += _longest(written, session.beside)
        if session.model.style_files:
            lines.append("Whether passages are from the music of style files is not known: they have no index of it.")
    face.result(value, lines)


def _longest(written: Sequence[dict[str, Any]], beside: Mapping[str, str]) -> list[str]:
    """Return lines on the longest written passage that is also in the training pieces, and what is usual."""
    found = max((row for row in written if row["copied"]), key=lambda row: row["copied"]["notes"], default=None)
    usual = "" if found is None else beside[found["path"]]
    if found is None or not found["copied"]["notes"]:
        return [f"No passage occurs in the training music{usual}."]
    copied, name = found["copied"], Path(found["path"]).name
    learned = f" of {copied['model']}" if copied["model"] else ""
    where = f"{copied['path']}{learned}" + ("" if copied["bar"] is None else f", bar {copied['bar']}")
    length = many(copied["notes"], "note")
    longest = f"At least {length} in a row occur" if copied["at_least"] else f"Nothing longer than {length} occurs"
    return [f"{longest} in the training music{usual} ({name}, bar {copied['piece_bar']}, is like {where})."]


class BarCount:
    """Shows the number of bars of all pieces as they are written."""

    def __init__(self, progress: Any, first: int, count: int, bars: int | None) -> None:
        self.progress, self.first, self.bars = progress, first, bars
        self.total = count * (bars or 0)
        self.reached: dict[int, int] = {}

    def __call__(self, event: Any) -> None:
        from toccata import api

        if isinstance(event, api.BarBegun):
            self.reached[event.piece] = event.bar if self.bars is None else min(event.bar, self.bars)
        elif isinstance(event, api.PieceFinished) and self.bars is not None:
            self.reached[event.piece] = self.bars
        else:
            return
        done = sum(self.reached.values()) + self.first * (self.bars or 0)
        self.progress.update("writing bars", done, self.total)


def _places(
    output: Path | None, name: str, seeds: Sequence[int], count: int, suffixes: Sequence[str], force: bool, ranked: bool
) -> list[Path]:
    """Return the file of each piece: distinct names, none that exists, unless it is named by ``output`` or ``force``.

    The names have the seeds, or the ranks.
    """
    if output is not None and output.suffix.lower() in (".mid", ".midi"):
        places = [output]
        if count > 1:
            places = [output.with_name(f"{output.stem}-{i + 1}{output.suffix}") for i in range(count)]
        return places
    if output is not None and not output.is_dir() and output.suffix.lower().strip(".") in (*SOUNDS, *PICTURES):
        raise click.BadParameter(f"{output} is to be MIDI: say -o {output.with_suffix('.mid')} --audio or --plot")
    folder = output or Path()
    if folder.exists() and not folder.is_dir():
        raise click.BadParameter(f"{folder} is a file that is no .mid: name a folder or a .mid file")
    places = []
    for i in range(count):
        stem, copy = f"{name}-{seeds[0]}-{i + 1}" if ranked else f"{name}-{seeds[i]}", 2
        place = folder / f"{stem}.mid"
        while not force and any(os.path.lexists(place.with_suffix(s)) for s in (".mid", *suffixes)):
            place = folder / f"{stem}-{copy}.mid"
            copy += 1
        places.append(place)
    return places


def _write(piece: Piece, place: Path, options: dict[str, Any], soundfont: str | None) -> dict[str, Any]:
    """Write a piece with the requested audio and plot; return its row of the result."""
    piece.save(place, force=options["force"])
    row = {
        "path": str(place),
        "seed": piece.origin["seed"],
        "bars": piece.bars,
        "seconds": round(piece.seconds, 2),
        "notes": piece.score.note_num(),
        "new_notes": piece.origin["notes"],
        "tokens": piece.origin["tokens"],
        "nats_per_note": piece.origin["nats_per_note"],
        "model": piece.origin["model"],
        "prompt": piece.origin["prompt"],
        "remarks": list(piece.origin.get("remarks", ())),
        "audio": None,
        "plot": None,
    }
    whole = bool(options.get("whole"))
    if options["plot"]:
        row["plot"] = str(piece.plot(place.with_suffix(f".{options['plot']}"), whole=whole))
    if options["audio"]:
        row["audio"] = str(piece.audio(place.with_suffix(f".{options['audio']}"), soundfont=soundfont, whole=whole))
    return row


def _lines(face: Face, written: Sequence[dict[str, Any]]) -> list[str]:
    out = []
    for row in written:
        paths = [row[kind] for kind in ("path", "audio", "plot") if row[kind]]
        if face.quiet:
            out += paths
            continue
        about = f"{many(row['bars'], 'bar')}, {many(row['notes'], 'note')}, {clock(row['seconds'])}, seed {row['seed']}"
        beside = "".join(f" {Path(p).suffix}" for p in paths[1:])
        out.append(f"{row['path']}{' +' if beside else ''}{beside}   {about}")
        if rank := row.get("rank"):
            out.append(f"  {rank['words']}")
        if row.get("changed"):
            out.append(f"  distance {row['distance']:.2f}: {row['changed']}")
    return out
