"""``toccata evaluate``: one model in short, systems side by side, listening tests."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from toccata.cli.base import PATH, Face, Value, command, many, refuse_existing, table
from toccata.cli.writing import STYLE_FILES

_LISTEN = Path("listen.html")


@command(
    "evaluate",
    examples=(
        "toccata evaluate models/bach midi/bach",
        "toccata evaluate models/bach midi/of-another-system midi/bach --html board.html",
        "toccata evaluate models/bach models/gpt --listen",
    ),
)
@click.argument("systems", nargs=-1, required=True, type=Value("model"), metavar="SYSTEM...")
@click.argument("midi_dir", type=PATH)
@STYLE_FILES
@click.option("--all", "include_seen", is_flag=True, help="Measure on pieces it has seen, too.")
@click.option("-n", "--pieces", type=Value("pieces", verb="compare"), metavar="N", help="Each model writes N.  [32]")
@click.option("--bars", type=Value("bars", verb="compare"), metavar="N", help="Of N bars.  [32; to listen to, 8]")
@click.option("--seed", type=Value("seed", verb="compare"), metavar="S", help="Seed of the random numbers.  [0]")
@click.option("--html", type=PATH, metavar="FILE", help="Write a page, with pieces to see and to hear.")
@click.option("--listen", is_flag=True, help="Write a blind listening test of two systems.  [listen.html]")
@click.option("--rolls", is_flag=True, help="With --listen: show piano rolls, too.")
@click.option("--force", is_flag=True, help="Replace a page that is there.")
def evaluate(
    face: Face,
    systems: tuple[Path, ...],
    midi_dir: Path,
    style_files: Sequence[Any],
    include_seen: bool,
    html: Path | None,
    listen: bool,
    rolls: bool,
    force: bool,
    **asked: int | None,
) -> None:
    """Measure systems on music by people in MIDI_DIR, and what they write beside it.

    A SYSTEM is a model, or a folder of MIDI that another system wrote (which has no likelihood). One model
    without further options gets a short report: nats a note and validity.

    Nats a note: how surprised a model is by each note, over whole pieces that it has not seen, and that share no
    long passages with what it has; lower is better. Ranges are 95 % intervals from resampling the pieces (of
    distances: from drawing groups). What is written is compared with as many pieces by people; "=" marks what is
    within the human range.

    `toccata evaluate A B --listen` writes pairs of pieces by A and B to choose from by ear.
    """
    from toccata import api

    given = {name: value for name, value in asked.items() if value is not None}
    in_short = len(systems) == 1 and html is None and not given and not listen and not api.holds_midi(systems[0])
    if style_files and not in_short:
        raise click.UsageError("a style file is for one model alone: MODEL MIDI_DIR --style-file FILE")
    if rolls and not listen:
        raise click.UsageError("--rolls shows piano rolls in a listening test: say --listen, too")
    if html is not None or listen:
        refuse_existing([html or _LISTEN], force)
    if listen:
        _listen(face, [*systems, midi_dir], html or _LISTEN, given, rolls=rolls, include_seen=include_seen)
    elif in_short:
        _in_short(face, systems[0], midi_dir, style_files, include_seen)
    else:
        with face.progress() as progress:
            board = api.compare(systems, midi_dir, include_seen=include_seen, progress=progress, **given)
            if html is not None:
                progress.say(f"Making {html}")
                api.write_scoreboard(board, html, force=True)
        lines = [*table(api.table_rows(board)), "", *api.remarks(board)]
        face.result({**board.to_dict(), "html": None if html is None else str(html)}, lines)


def _listen(
    face: Face, systems: list[Path], out: Path, given: dict[str, int], *, rolls: bool, include_seen: bool
) -> None:
    from toccata import api

    if include_seen:
        raise click.UsageError("a listening test is measured on no pieces: leave out --all")
    if len(systems) != 2:
        raise click.UsageError(f"a listening test is of two systems, not of {len(systems)}")
    pairs = {"pairs": given.pop("pieces")} if "pieces" in given else {}
    with face.progress() as progress:
        api.listening_test(systems, out, rolls=rolls, force=True, progress=progress, **pairs, **given)
    value = {"page": str(out), "systems": [str(system) for system in systems]}
    face.result(value, [str(out)] if face.quiet else [f"page         {out}", "", "Open it in a browser."])


def _in_short(face: Face, model: Path, midi_dir: Path, style_files: Sequence[Any], include_seen: bool) -> None:
    from toccata import api

    with face.progress() as progress:
        found = api.evaluate(
            api.find_model(str(model)),
            midi_dir,
            style_files=style_files,
            include_seen=include_seen,
            progress=progress,
        )
    value = found.to_dict()
    lines = [
        f"model        {value['model']}",
        *(f"style file   {used['file']}, weight {used['weight']:g}" for used in value.get("style_files", ())),
        f"likelihood   {api.with_interval(value)}",
        f"             {value['nats_per_token']:.2f} nats a token, {value['tokens_per_note']:.2f} tokens a note",
        f"measured on  {many(value['pieces'], 'piece')}, {value['notes']:,} notes",
        *_notes_lost(value),
        *_sorted_out(value),
        f"validity     {value['validity']['valid']:.0%} of {value['validity']['pieces']} pieces without a fault",
    ]
    face.result(value, lines + [f"             {fault}" for fault in value["validity"]["faults"]])


def _notes_lost(value: dict[str, Any]) -> list[str]:
    """How many notes the model's tokens cannot represent, if any."""
    lost = value["notes_lost"]
    share = f"{100 * lost / value['notes']:.2g} %"
    return [f"             {many(lost, 'note')} of them ({share}) not in its tokens: they cost no nats"] if lost else []


def _sorted_out(value: dict[str, Any]) -> list[str]:
    """What was left out, and what among the pieces the model has seen."""
    unread = f"{len(value['unread']):,} that cannot be used"
    unread += f", {many(value['duplicates'], 'duplicate')}" if value["duplicates"] else ""
    if value["seen"] is None:
        return [f"left out     {unread}", "             this model does not record its training pieces"]
    seen = f"{value['seen']:,} it was trained on, {value['shared']:,} that share long passages with those"
    if value["seen_included"]:
        lines = [f"among them   {seen}", f"left out     {unread}"]
    else:
        lines = [f"left out     {seen}, {unread}"]
    if value["unknown"]:
        names = " and ".join(value["unknown"])
        lines.append(f"not known    what {names} learned: pieces that count as unseen may be among that")
    return lines
