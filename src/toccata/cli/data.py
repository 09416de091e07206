"""``toccata check``, ``clean``, ``prepare`` and ``dataset``: the music to learn from."""

from __future__ import annotations

import sys
from collections.abc import Callable
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from toccata.cli.base import PATH, F, Face, Value, command, hours, many, refuse_existing, refuse_file, refuse_remote
from toccata.cli.screen import show

if TYPE_CHECKING:
    from toccata.api import CleanOptions

_SHOWN = 8
"""Files of a kind named on the screen; reports and --json have all."""


@command(
    "check",
    examples=(
        "toccata check midi/bach",
        "toccata check midi/bach --report check.html",
        "toccata check midi/bach --report check.csv --report check.json --force",
    ),
)
@click.argument("midi_dir", type=PATH)
@click.option("--report", "reports", type=PATH, multiple=True, metavar="FILE",
              help="Write all of it to a .html, .csv or .json file; may be repeated.")  # fmt: skip
@click.option("--force", is_flag=True, help="Replace reports that are there.")
def check(face: Face, midi_dir: Path, reports: tuple[Path, ...], force: bool) -> None:
    """Say what is in a folder of MIDI files.

    Notes, hours, instruments, meters, how much is on the grid, what is there twice (same notes, whatever the name, key
    or tempo), and which files cannot be used and why. Nothing is changed.
    """
    from toccata import api

    _refuse_reports(reports, force)
    with face.progress() as progress:
        report = api.check(midi_dir, progress)
        for path in reports:
            report.write(path)
    value = {**report.to_dict(), "reports": [str(path) for path in reports]}
    value["rejected"] = [{**row, "path": api.display_url(row["path"])} for row in value["rejected"]]
    value["duplicates"] = [[api.display_url(path) for path in group] for group in value["duplicates"]]
    face.result(value, _checked(value, midi_dir))


def _refuse_reports(reports: tuple[Path, ...], force: bool) -> None:
    for path in reports:
        if path.suffix.lower() not in (".html", ".htm", ".csv", ".json"):
            raise click.BadParameter(f"{path}: a report is .html, .csv or .json", param_hint="'--report'")
    refuse_existing(reports, force)


def _checked(value: dict[str, Any], folder: Path) -> list[str]:
    twice = sum(len(group) - 1 for group in value["duplicates"])
    lines = [
        f"files        {value['files']:,}: {value['accepted']:,} can be used, {len(value['rejected']):,} cannot",
        f"music        {value['notes']:,} notes, {hours(value['hours'])}, {value['quantised']:.0%} on the grid",
        f"instruments  {_most(value['instruments'])}",
        f"meters       {_most(value['meters'])}",
        f"duplicates   {twice:,}",
    ]
    if value["rejected"]:
        lines += ["", "cannot be used"]
        lines += [f"  {_short(r['path'], folder)}: {r['reason']}" for r in value["rejected"][:_SHOWN]]
        lines += _more(len(value["rejected"]))
    if value["duplicates"]:
        lines += ["", "the same notes"]
        lines += ["  " + " = ".join(_short(p, folder) for p in group) for group in value["duplicates"][:_SHOWN]]
        lines += _more(len(value["duplicates"]))
    if value["reports"]:
        lines += ["", *(f"report       {path}" for path in value["reports"])]
    return lines


def _most(counts: dict[str, int]) -> str:
    named = ", ".join(f"{name} ({count:,})" for name, count in list(counts.items())[:5])
    return (named or "none") + (f", and {len(counts) - 5} more" if len(counts) > 5 else "")


def _more(count: int) -> list[str]:
    return [f"  and {count - _SHOWN:,} more: --report FILE names all"] if count > _SHOWN else []


def _short(path: str, folder: Path) -> str:
    from toccata import api

    whole = Path(path)
    inside = str(whole.relative_to(folder) if whole.is_relative_to(folder) else whole)
    return inside.removeprefix(f"{api.display_url(folder)}/")


def _cleaning(min_notes: int) -> Callable[[F], F]:
    """The options of cleaning, as ``prepare`` and ``clean`` have them; ``min_notes`` is their default of that."""
    options = (
        click.option("--drop-drums", is_flag=True, help="Leave the drums out."),
        click.option("--merge", is_flag=True, help="Put all pitched tracks into one."),
        click.option("--as", "merge_program", type=Value("program", "NAME"), help="What plays that one.  [piano]"),
        click.option("--program", "programs", type=Value("program", "NAME"), multiple=True,
                     help="Keep only this: name, 0-127, drums."),
        click.option("--min-bars", type=Value("min_bars"), default=1, metavar="N", help="Leave out shorter pieces."),
        click.option("--max-bars", type=Value("max_bars"), metavar="N", help="Leave out longer pieces."),
        click.option("--min-notes", type=Value("min_notes"), default=min_notes, metavar="N",
                     help=f"Leave out emptier ones.  [{min_notes}]"),
        click.option("--quantize", type=Value("quantize"), metavar="N",
                     help="Move notes to a grid of N lines a quarter."),
        click.option("--cut-short", is_flag=True, help="Use files that break off, as far as they go."),
    )  # fmt: skip

    def decorate(function: F) -> F:
        for option in reversed(options):
            function = option(function)
        return function

    return decorate


def _clean_options(options: dict[str, Any]) -> CleanOptions:
    from toccata import api

    program = options["merge_program"]
    if program is not None and not options["merge"]:
        raise click.UsageError("--as says what plays the track that --merge makes: add --merge")
    if program is not None and program < 0:
        raise click.BadParameter("drums stay a track of their own: name an instrument", param_hint="'--as'")
    return api.CleanOptions(
        drop_drums=options["drop_drums"],
        merge=options["merge"],
        merge_program=program or 0,
        programs=options["programs"] or None,
        min_bars=options["min_bars"],
        max_bars=options["max_bars"],
        min_notes=options["min_notes"],
        quantize=options["quantize"],
        cut_short=options["cut_short"],
    )


@command(
    "clean",
    examples=(
        "toccata clean midi/found midi/clean --merge --drop-drums",
        "toccata clean song.mid song-for-piano.mid --merge --as piano --quantize 12",
        "toccata clean midi/found midi/long --min-bars 16 --report left-out.csv",
    ),
)
@click.argument("source", metavar="MIDI_DIR|FILE", type=PATH)
@click.argument("out", type=PATH)
@_cleaning(1)
@click.option("--report", "reports", type=PATH, multiple=True, metavar="FILE",
              help="Also a .html, .csv or .json file that says all of each.")  # fmt: skip
@click.option("--force", is_flag=True, help="Replace files that are there.")
def clean(face: Face, source: Path, out: Path, reports: tuple[Path, ...], force: bool, **options: Any) -> None:
    """Write cleaned copies of the MIDI files in MIDI_DIR to the folder OUT.

    The folders in it stay as they are, and so do the originals. In each copy: no empty tracks, no notes that never end,
    double, or overlap in their pitch. Each file that is left out is told with its reason. Several songs in one file
    (type 2) follow one another in one copy. Run again, it makes the copies that are missing.
    """
    from toccata import api

    cleaning = _clean_options(options)
    _refuse_reports(reports, force)
    face.place = out
    face.saved = f"the copies made so far are in {api.display_url(out)}, each whole: the same command goes on"
    with face.progress() as progress:
        made = api.clean(source, out, cleaning, force=force, report=bool(reports), progress=progress)
        if made.report is not None:
            for path in reports:
                made.report.write(path)
    value = {**made.to_dict(), "reports": [str(path) for path in reports]}
    if not face.as_json:
        for row in value["rejected"]:  # even when it shall be quiet: no file is left out in silence
            show(sys.stderr, f"left out: {row['path']}: {row['reason']}")
    left = many(len(made.rejected), "file")
    if not made.written:
        first = made.rejected[0]
        message = f"nothing was written: {left} left out; the first, {first.path}: {first.reason}"
        face.result({**value, "error": {"kind": "nothing-written", "message": message, "path": str(out)}}, [])
        show(sys.stderr, f"error: {message}")
        click.get_current_context().exit(1)
    why, place = ", each with its reason above" if made.rejected else "", api.display_url(out)
    before = f", {made.before:,} of them before" if made.before else ""
    line = (
        f"{many(len(made.written), 'file')} with {made.notes:,} notes written to {place}{before}; {left} left out{why}"
    )
    face.result(value, [line, *(f"report       {path}" for path in value["reports"])])


@command(
    "prepare",
    examples=(
        "toccata prepare midi/bach corpora/bach",
        "toccata prepare midi/bach corpora/solo --merge --drop-drums --min-bars 8 --text",
        "toccata train corpora/bach -o models/bach --minutes 10",
    ),
)
@click.argument("midi_dir", type=PATH)
@click.argument("out", type=PATH)
@_cleaning(16)
@click.option("--valid", type=Value("share"), default=0.08, metavar="SHARE", help="Share for validation.  [0.08]")
@click.option("--test", type=Value("share"), default=0.08, metavar="SHARE", help="Share for testing.  [0.08]")
@click.option("--text", is_flag=True, help="Write it as text to read, too: a note a character.")
def prepare(face: Face, midi_dir: Path, out: Path, text: bool, **options: Any) -> None:
    """Make a corpus of the MIDI files in MIDI_DIR, in the folder OUT.

    Cleaned, without duplicates, split by piece; `toccata train` takes it in place of MIDI_DIR. Run again, it adds what
    is new. Only worth it for big folders, or to clean: `toccata train` does it by itself.
    """
    from toccata import api

    refuse_file(out, "the corpus")
    face.place = out
    face.saved = f"what was read so far is kept in {api.display_url(out)}: run the same command again to go on"
    with face.progress() as progress:
        corpus = api.prepare(
            midi_dir, out, api.PrepareOptions(_clean_options(options), options["valid"], options["test"]), progress
        )
        texts = api.prepare_text(corpus, progress) if text else []
    about = corpus.about
    value = {
        "corpus": api.display_url(out),
        **{k: v for k, v in about.items() if k not in ("options", "format", "left_out")},
    }
    if face.as_json:
        value |= {"rejected": list(corpus.rejected()), "duplicates": corpus.duplicates()}
    value |= {"text": [api.display_url(path) for path in texts]} if text else {}
    splits, left_out = about["splits"], about["rejected"]
    lines = [
        f"corpus       {api.display_url(out)}",
        f"music        {many(about['pieces'], 'piece')}, {about['notes']:,} notes, {hours(about['hours'])}",
        f"split        {splits['train']:,} to train, {splits['valid']:,} to validate, {splits['test']:,} to test",
        f"left out     {left_out:,} that cannot be used, {about['duplicates']:,} duplicates",
    ]
    lines += [f"  {r['path']}: {r['reason']}" for r in islice(corpus.rejected(), _SHOWN)]
    if left_out > _SHOWN:
        lines.append(f"  and {left_out - _SHOWN:,} more: {out / 'left-out.jsonl'} names all")
    if texts:
        place = api.display_url(texts[0].parent)
        lines.append(f"text         {place}: a note a character; {texts[-1].name} says what each means")
    if not face.quiet:
        lines += ["", "and now", f"  toccata train {api.display_url(out)} --minutes 10 -o models/{out.resolve().name}"]
    face.result(value, lines)


@command(
    "dataset",
    examples=(
        "toccata dataset bach midi/bach",
        "toccata dataset bach midi/few --limit 20",
        "toccata dataset bach midi/bach --json",
    ),
)
@click.argument("name", type=click.Choice(["bach"]))
@click.argument("out", metavar="DIR", type=PATH)
@click.option("--limit", type=Value("limit"), metavar="N", help="At most so many pieces.")
def dataset(face: Face, name: str, out: Path, limit: int | None) -> None:
    """Write MIDI to begin with into DIR.

    bach: the chorales of J. S. Bach, four voices each, from the music21 library (pip install "toccata[dataset]"). For
    your own training: Bach's music is free, the encodings are under the terms that NOTICE.txt in DIR names.
    """
    from toccata import api

    refuse_remote([out])
    refuse_file(out, "the MIDI files")
    face.place = out
    face.saved = f"what was written so far is in {out}; the same command goes on"
    with face.progress() as progress:
        report = api.bach(out, limit=limit, progress=progress)
    value = {"dataset": name, "path": str(out), **report}
    lines = [
        f"{report['files']:,} chorales, {report['notes']:,} notes in {out} ({report['written']:,} new); "
        f"for your own training, see {out / 'NOTICE.txt'}"
    ]
    if not face.quiet:
        lines += ["", "and now", f"  toccata train {out} --minutes 10 -o models/{out.resolve().name}"]
    face.result(value, lines)
