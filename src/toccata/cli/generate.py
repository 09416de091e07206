"""``toccata generate``: new music, or a continuation."""

from __future__ import annotations

import re
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from toccata.cli.base import Face, clock, command, many, refuse_existing
from toccata.cli.settings import setting

if TYPE_CHECKING:
    from toccata.piece import Piece

_SOUNDS, _PICTURES = ("wav", "ogg", "flac", "mp3"), ("png", "svg")
_AT_ONCE = 16
"""Pieces written at a time; those that are done are on disk before the next begin."""


class Meter(click.ParamType[Any]):
    """A meter as musicians write it."""

    name = "N/D"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[int, int]:
        """``3/4`` as (3, 4)."""
        if isinstance(value, tuple):
            return value
        found = re.fullmatch(r"(\d{1,2})/(1|2|4|8|16|32)", str(value).strip())
        if not found or not int(found[1]):
            self.fail(f"{value!r} is no meter: write it like 3/4 or 6/8", param, ctx)
        return int(found[1]), int(found[2])


class Program(click.ParamType[Any]):
    """A General MIDI instrument by number or name."""

    name = "NAME"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Its number; -1 for the drums."""
        if isinstance(value, int):
            return value
        from toccata import api
        from toccata.errors import RequestError

        try:
            return api.program_number(str(value))
        except RequestError as error:
            self.fail(error.message, param, ctx)


class Bars(click.ParamType[Any]):
    """The first bars of a piece, or some in its middle."""

    name = "N|A-B"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[int, int]:
        """``4`` as (1, 4), ``5-8`` as (5, 8)."""
        if isinstance(value, tuple):
            return value
        found = re.fullmatch(r"(?:(\d{1,6})-)?(\d{1,6})", str(value).strip())
        first, last = (int(found[1] or 1), int(found[2])) if found else (0, 0)
        if not 1 <= first <= last:
            self.fail(f"{value!r} is no number of bars: write 8 for the first eight, or 5-8", param, ctx)
        return first, last


@command(
    "generate",
    examples=(
        "toccata generate --model models/bach --bars 16 --seed 7 --audio --plot",
        "toccata generate song.mid --prompt-bars 4 --bars 8 -n 4 -o ideas",
        'toccata generate --key "D minor" --meter 3/4 --program violin --program cello -o duo.mid',
    ),
    optional_values={"--audio": ("wav", _SOUNDS), "--plot": ("png", _PICTURES)},
)
@click.argument("prompt", required=False, type=click.Path(path_type=Path))
@click.option("--model", "-m", metavar="DIR|NAME", help="The model; else TOCCATA_MODEL, or the newest.")
@click.option("-n", "--count", type=click.IntRange(1), default=1, metavar="N", help="How many pieces.  [1]")
@click.option("--bars", type=click.IntRange(0), metavar="B", help="New bars; 0: until it ends.  [16]")
@click.option("--max-tokens", type=click.IntRange(1), metavar="N", help="End after N new tokens, not after 16 bars.")
@click.option("--seed", type=click.IntRange(0), metavar="S", help="The first piece's seed; same seed, same music.")
@click.option("--temperature", type=float, metavar="T", help="Below 1 safer, above 1 bolder.  [1]")
@click.option("--top-p", type=float, metavar="P", help="Only the likeliest, P in all.  [0.97]")
@click.option("--top-k", type=int, metavar="K", help="Only the K likeliest; 0: all.  [0]")
@click.option("--min-p", type=float, metavar="P", help="Only those P times as likely as the best.  [0]")
@click.option("--repetition", type=float, metavar="R", help="Above 1, recent pitches are less likely.  [1]")
@click.option("--prompt-bars", type=Bars(), help="Go on after the prompt's first N bars, or its bars A to B.")
@click.option("--prompt-tokens", type=click.IntRange(1), metavar="N", help="... after its first N tokens.")
@click.option("--prompt-seconds", type=float, metavar="S", help="... after its first S seconds.")
@click.option("--continuation-only", is_flag=True, help="Write the new bars without the prompt.")
@click.option("--key", metavar="KEY", help='Keep to a key: "C major", "F# minor".')
@click.option("--tempo", type=click.FloatRange(10, 500), metavar="BPM", help="Quarter notes a minute.")
@click.option("--meter", type=Meter(), help="For new music: 3/4, 6/8.")
@click.option("--program", "programs", type=Program(), multiple=True, help="Only this instrument: name, 0-127, drums.")
@click.option(
    "--audio", type=click.Choice(_SOUNDS), metavar="[wav|ogg|flac|mp3]", help="Sound beside it; wav if nothing is said."
)
@click.option("--plot", type=click.Choice(_PICTURES), metavar="[png|svg]", help="A piano roll beside it, else png.")
@click.option("--soundfont", metavar="FILE", help="Play with this SoundFont (.sf2, .sf3).")
@click.option("--precision", type=click.Choice(["8bit", "fp32"]), help="8bit is fast, fp32 exact.  [8bit]")
@click.option("-o", "--output", type=click.Path(path_type=Path), metavar="PATH", help="A .mid file, or a folder.")
@click.option("--force", is_flag=True, help="Replace files that are there.")
def generate(face: Face, **said: Any) -> None:
    """Write new music, or go on from PROMPT, a MIDI file.

    Each piece gets a file of its own; with -n, NAME.mid becomes NAME-1.mid, NAME-2.mid, ...
    """
    from toccata import api

    suffixes = [f".{said[kind]}" for kind in ("audio", "plot") if said[kind]]
    path = api.find_model(setting("model", said["model"]))
    precision: Any = setting("precision", said["precision"]) or "8bit"
    soundfont = setting("soundfont", said["soundfont"])
    sampling = api.Sampling(
        **{
            name: said[name]
            for name in ("temperature", "top_p", "top_k", "min_p", "repetition")
            if said[name] is not None
        }
    )
    model = api.load(path, precision=precision)
    count, bars = said["count"], _new_bars(said)
    seed = said["seed"] if said["seed"] is not None else _new_seed()
    places = _places(said["output"], model.name, seed, count, suffixes, said["force"])
    face.place = places[0].parent
    written: list[dict[str, Any]] = []
    tokens, notes, seconds = 0, 0, 0.0
    with face.progress() as heard, _prompt(said) as (prompt, prompt_bars):
        if said["model"] is None:
            heard.say(f"with {api.told(path)}")
        for first in range(0, count, _AT_ONCE):
            some = min(_AT_ONCE, count - first)
            pieces = model.generate(
                prompt,
                n=some,
                bars=bars,
                seed=seed + first,
                sampling=sampling,
                prompt_bars=prompt_bars,
                prompt_tokens=said["prompt_tokens"],
                prompt_seconds=said["prompt_seconds"],
                continuation_only=said["continuation_only"],
                key=said["key"],
                tempo=said["tempo"],
                meter=said["meter"],
                programs=said["programs"] or None,
                max_tokens=said["max_tokens"],
                on_event=_Bars(heard, first, count, bars),
            )
            tokens, notes = tokens + model.stats.tokens, notes + model.stats.notes
            seconds += model.stats.seconds
            for piece, place in zip(pieces, places[first:], strict=False):
                written.append(_write(piece, place, said, soundfont))
                face.kept = f"{len(written)} of {count} pieces are written"
    value = {
        "pieces": written,
        "tokens_per_second": round(tokens / max(seconds, 1e-9), 1),
        "notes_per_second": round(notes / max(seconds, 1e-9), 1),
        "seconds": round(seconds, 3),
        "model": model.name,
        "digest": model.folder.digest,
    }
    face.result(value, _lines(face, written))


class _Bars:
    """Counts the bars of all pieces as they are written."""

    def __init__(self, heard: Any, first: int, count: int, bars: int | None) -> None:
        self.heard, self.first, self.bars = heard, first, bars
        self.total = count * (bars or 0)
        self.reached: dict[int, int] = {}

    def __call__(self, event: Any) -> None:
        from toccata import api

        if isinstance(event, api.NewBar):
            self.reached[event.row] = event.bar if self.bars is None else min(event.bar, self.bars)
        elif isinstance(event, api.Finished) and self.bars is not None:
            self.reached[event.row] = self.bars
        else:
            return
        done = sum(self.reached.values()) + self.first * (self.bars or 0)
        self.heard.update("writing bars", done, self.total)


@contextmanager
def _prompt(said: dict[str, Any]) -> Iterator[tuple[Path | None, int | None]]:
    """The prompt's file, from the bar on that was asked for, and how many bars of it to go on from."""
    from toccata import api

    first, last = said["prompt_bars"] or (1, None)
    bars = None if last is None else last - first + 1
    if first == 1 or said["prompt"] is None:
        yield said["prompt"], bars
        return
    with tempfile.TemporaryDirectory(prefix="toccata-") as place:
        yield api.from_bar(said["prompt"], first, place), bars


def _new_bars(said: dict[str, Any]) -> int | None:
    """How many bars to write; None: until the piece ends, which a limit on its tokens sees to."""
    if said["bars"] is None:
        return 16 if said["max_tokens"] is None else None
    return said["bars"] or None


def _new_seed() -> int:
    """A seed that is new each time and short enough to be told."""
    return time.time_ns() // 1_000_000 % 1_000_000


def _places(output: Path | None, name: str, seed: int, count: int, suffixes: Sequence[str], force: bool) -> list[Path]:
    """Where each piece goes: each its own name, none that is taken, unless it was asked for by name and ``force``."""
    if output is not None and output.suffix.lower() in (".mid", ".midi"):
        places = [output]
        if count > 1:
            places = [output.with_name(f"{output.stem}-{i + 1}{output.suffix}") for i in range(count)]
        refuse_existing([p.with_suffix(s) for p in places for s in (output.suffix, *suffixes)], force)
        return places
    if output is not None and not output.is_dir() and output.suffix.lower().strip(".") in (*_SOUNDS, *_PICTURES):
        raise click.BadParameter(f"{output} is to be MIDI: say -o {output.with_suffix('.mid')} --audio or --plot")
    folder = output or Path()
    if folder.exists() and not folder.is_dir():
        raise click.BadParameter(f"{folder} is a file that is no .mid: name a folder or a .mid file")
    places = []
    for i in range(count):
        stem, copy = f"{name}-{seed + i}", 2
        place = folder / f"{stem}.mid"
        while not force and any(place.with_suffix(s).exists() for s in (".mid", *suffixes)):
            place = folder / f"{stem}-{copy}.mid"
            copy += 1
        places.append(place)
    refuse_existing(places, force)
    return places


def _write(piece: Piece, place: Path, said: dict[str, Any], soundfont: str | None) -> dict[str, Any]:
    """Write a piece and what was asked for beside it; what there is to say of it.

    Raises:
        RequestError: It has no note, as the limit on its tokens was too low for one.
    """
    from toccata.errors import RequestError

    if not piece.origin["notes"] and (piece.origin["prompt"] is None or said["continuation_only"]):
        raise RequestError("no note was written: give more bars (--bars) or tokens (--max-tokens)")
    piece.save(place, force=said["force"])
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
        "audio": None,
        "plot": None,
    }
    if said["plot"]:
        row["plot"] = str(piece.plot(place.with_suffix(f".{said['plot']}")))
    if said["audio"]:
        row["audio"] = str(piece.audio(place.with_suffix(f".{said['audio']}"), soundfont=soundfont))
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
    return out
