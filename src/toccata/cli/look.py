"""``toccata inspect``, ``render``, ``models``, ``recipes`` and ``doctor``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from toccata.cli.base import PATH, Face, Value, command, millions, refuse_address, refuse_existing, refuse_own, table
from toccata.cli.settings import setting
from toccata.cli.writing import SOUNDS


@command(
    "inspect",
    examples=(
        "toccata inspect song.mid --bars 1-4",
        "toccata inspect song.mid --tokenizer bach-gpt --json",
        "toccata inspect song.mid --tokenizer models/bach --decode heard.mid",
    ),
)
@click.argument("file", type=PATH)
@click.option(
    "--tokenizer", type=Value("tokenizer"), default="toccata", metavar="RECIPE|MODEL", help="Whose.  [toccata]"
)
@click.option("--bars", type=Value("bar_range"), metavar="A-B", help="Show only these bars, counted from 1.")
@click.option("--decode", type=PATH, metavar="OUT.mid", help="Write what the tokens say as MIDI.")
@click.option("--force", is_flag=True, help="Replace OUT.mid if it is there.")
def inspect(
    face: Face, file: Path, tokenizer: str, bars: tuple[int, int | None] | None, decode: Path | None, force: bool
) -> None:
    """Show how a tokenizer writes FILE, bar by bar.

    --decode writes the music back from the tokens, so that one can hear or compare what they leave out. A recipe shows
    its tokens before any merges are learned; a model, as it reads them.
    """
    from toccata import api

    first, last = bars or (1, None)
    refuse_address(file)
    if decode is not None:
        refuse_own(file, [decode])
        refuse_existing([decode], force)
    found = api.inspect(file, tokenizer, decode=decode)
    shown = [{"bar": i, "tokens": list(tokens)} for i, tokens in enumerate(found.bars, 1) if first <= i <= (last or i)]
    value = {
        "path": str(file),
        "tokenizer": found.tokenizer,
        "scheme": found.scheme,
        "vocab": found.vocab,
        "notes": found.notes,
        "tokens": found.tokens,
        "bars": shown,
        "decoded": None if decode is None else str(decode),
    }
    width = len(str(len(found.bars)))
    lines = [f"{row['bar']:>{width}}  {' '.join(row['tokens'])}" for row in shown]  # type: ignore[arg-type]
    each = found.tokens / max(1, found.notes)
    lines += [
        "",
        f"{len(found.bars):,} bars, {found.notes:,} notes, {found.tokens:,} tokens ({each:.2f} a note); "
        f"{found.scheme} of {found.tokenizer}, {found.vocab:,} different ones",
    ]
    if decode is not None:
        lines.append(f"written back to {decode}")
    face.result(value, lines)


@command(
    "render",
    examples=(
        "toccata render song.mid -o song.png",
        "toccata render song.mid -o song.wav -o song.svg",
        "toccata render song.mid -o song.mp3 --force",
    ),
)
@click.argument("file", type=PATH)
@click.option("-o", "--output", "outs", type=PATH, multiple=True, required=True, metavar="PATH",
              help="A .png, .svg, .wav, .ogg, .flac or .mp3 file; may be repeated.")  # fmt: skip
@click.option(
    "--soundfont",
    type=Value("soundfont"),
    metavar="FILE",
    help="Play with this SoundFont; else TOCCATA_SOUNDFONT, or one found.",
)
@click.option("--force", is_flag=True, help="Replace files that are there.")
def render(face: Face, file: Path, outs: tuple[Path, ...], soundfont: str | None, force: bool) -> None:
    """Write FILE as sound or as a piano roll, by the suffix of PATH.

    Without a SoundFont on this machine a built-in synthesis plays.
    """
    from toccata import api

    refuse_address(file)
    refuse_existing(outs, force)
    sounds = any(out.suffix.lower().strip(".") in SOUNDS for out in outs)
    api.render(file, outs, soundfont=setting("soundfont", soundfont) if sounds else soundfont)
    face.result({"path": str(file), "written": [str(out) for out in outs]}, [str(out) for out in outs])


@command(
    "models",
    examples=(
        "toccata models",
        "toccata models models",
        "toccata models --json",
    ),
)
@click.argument("folder", required=False, type=PATH)
def models(face: Face, folder: Path | None) -> None:
    """List the models in FOLDER; by default those in ./models, here, and in toccata itself."""
    from toccata import api

    rows = api.model_rows(folder)
    lines = []
    if rows:
        good = [row for row in rows if row["error"] is None]
        cells = [("name", "recipe", "parameters", "nats/note", "path")] if good else []
        cells += [
            (r["name"], r["recipe"], millions(r["parameters"]), _figure(r["nats_per_note"]), r["path"]) for r in good
        ]
        lines = table(cells, right=(2, 3)) if cells else []
        lines += [line for row in good if (line := _known(row))]
        lines += [f"{row['name']}: knows the styles {', '.join(row['styles'])}" for row in good if row["styles"][1:]]
        lines += [line for row in good if (line := _own_sampling(row))]
        lines += [line for row in good if (line := _lineage(row))]
        lines += [f"{row['name']}: cannot be used: {row['error']}" for row in rows if row["error"] is not None]
    else:
        where = folder or "./models or here"
        lines = [f"no model in {where}; `toccata train MIDI_DIR -o models/mine` makes one"]
    face.result({"models": rows}, lines)


def _known(row: dict[str, Any]) -> str:
    """What a model has learned of instruments, meters and tempos; empty where its folder does not say."""
    from toccata.api import Coverage

    coverage = Coverage.from_json(row["coverage"])
    return "" if coverage is None else f"{row['name']}: knows {coverage.summary()}"


def _own_sampling(row: dict[str, Any]) -> str:
    """The sampling parameters with which a model writes; empty where none were chosen for it."""
    if not (own := row["sampling"]):
        return ""
    values = f"temperature {own['temperature']:g}, top-p {own['top_p']:g} and repeat penalty {own['repeat_penalty']:g}"
    return f"{row['name']}: writes with {values}"


def _lineage(row: dict[str, Any]) -> str:
    """How many pieces a finetuned model and those before it were trained on; empty for other models."""
    generations = row["learned"]
    if len(generations) < 2:
        return ""
    learned = (f"{g['model']} ({'unknown' if g['pieces'] is None else g['pieces']})" for g in generations)
    return f"{row['name']}: pieces learned, from the last model to the first: {', '.join(learned)}"


def _figure(value: Any) -> str:
    return "" if value is None else f"{value:.2f}"


@command(
    "recipes",
    examples=(
        "toccata recipes",
        "toccata recipes --no-time --json",
        "toccata train midi/bach --recipe toccata -o models/bach --minutes 10",
    ),
)
@click.option("--no-time", is_flag=True, help="Do not say how long each would train here.")
@click.option("--measure", is_flag=True, help="Measure again how fast this machine trains.")
def recipes(face: Face, no_time: bool, measure: bool) -> None:
    """List the recipes: the ways to make a model.

    How long each trains here is about right: ten seconds of training small models are measured, once, and kept. Any
    value of a recipe is changed by SECTION.KEY=VALUE behind `toccata train`; a .toml file of your own that begins with
    extends = "toccata" is a recipe too.
    """
    if no_time and measure:
        raise click.UsageError("--measure is for the times that --no-time leaves out: say one of them")
    from toccata import api

    with face.progress() as progress:
        found = api.recipe_table(times=not no_time, again=measure, say=progress.say)
    rows, measured = found["recipes"], found["measured"]
    cells = [("recipe", "tokens", "parameters", "context", "trains here for", "follows")]
    cells += [
        (r["name"], _tokens(r), millions(r["parameters"]), f"{r['context']:,}", _about(r["seconds"]), r["seed"] or "")
        for r in rows
    ]
    head, *body = table(cells if not no_time else [(*row[:4], row[5]) for row in cells], right=(2, 3))
    lines = [head]
    for row, line in zip(rows, body, strict=True):
        lines += [line, f"  {row['about']}"]
    if measured is not None:
        busy = " beside other busy programs (--measure does it again)" if measured["busy"] else ""
        lines += ["", f"times: about, from ten seconds of training on {measured['date']} on {_where(measured)}{busy}"]
        lines += ["`toccata train --minutes M` takes as long as you have"]
    elif not no_time:
        lines += ["", f"no times: {found['why']}"]
    face.result(found, lines)


def _tokens(row: dict[str, Any]) -> str:
    return f"{row['scheme']}, {row['tokens']:,}" + (" learned" if row["learned"] else "")


def _about(seconds: float | None) -> str:
    """A length of time, as exactly as it is known."""
    if seconds is None:
        return "-"
    if seconds < 90:
        return f"about {max(5, round(seconds / 5) * 5)} s"
    minutes = seconds / 60
    if minutes < 57:
        return f"about {round(minutes) if minutes < 10 else round(minutes / 5) * 5} min"
    return f"about {round(minutes / 60)} h" if minutes < 36 * 60 else f"about {round(minutes / 1440)} days"


def _where(measured: dict[str, Any]) -> str:
    device = {"cpu": "the processor", "cuda": "the GPU", "mps": "Apple's GPU"}[measured["device"]]
    return f"{device} in {measured['precision']}"


@command(
    "doctor",
    examples=(
        "toccata doctor",
        "toccata doctor --json",
        "toccata doctor --quiet",
    ),
)
def doctor(face: Face) -> None:
    """Say what works on this machine, and how to get what is missing."""
    from toccata import api

    with face.progress() as progress:
        progress.say("looking around ...")
        found = api.doctor()
    packages = found["packages"]
    memory = "" if found["memory_gb"] is None else f", {found['memory_gb']:g} GB memory"
    processor = f", {found['compute']['processor']}" if found["compute"]["processor"] else ""
    writes = "yes, " + _installed(packages, ("onnxruntime", "symusic")) if found["engine"] else "no"
    lines = [
        f"toccata      {found['toccata']} on Python {found['python']}",
        f"machine      {found['system']}, {found['cores']} cores{memory}{processor}",
        f"writing      {writes}",
        f"training     {_training(found, packages)}",
        *_computing(found),
        f"SoundFont    {found['soundfont'] or 'none found, so the built-in synthesis plays'}",
        f"datasets     {_installed(packages, ('music21',)) or 'no'}",
        f"models       {', '.join(found['models']) or 'none here'}",
    ]
    for row in found["missing"]:
        lines.append(f"missing      {', '.join(row['packages'])}, for {row['for']}: {row['command']}")
    face.result(found, [*lines, *([] if found["missing"] else ["", "nothing is missing"])])


def _computing(found: dict[str, Any]) -> list[str]:
    """How trainings compute here: what was tried, and what came of it."""
    if found["training"] is None or "error" in found["training"]:
        return []
    trials, compiler = found["compute"]["trials"], found["compute"]["compiler"]
    if not trials:
        how = f"compiling with {compiler}" if compiler else "no compiling, as there is no C++ compiler"
        return [f"computes     as is usual; the first training of two minutes tries attention, one of ten {how}"]
    lines = []
    for shape, trial in trials.items():
        phrases = []
        if known := trial.get("attention"):
            best, *others = sorted(known, key=known.__getitem__)
            phrases.append(
                f"attention {best} ({known[best]:.2f} s; {', '.join(f'{n} {known[n]:.2f}' for n in others)})"
            )
        if "compiled" in trial:
            faster = trial["eager"] / trial["compiled"]
            phrases.append(f"compiled {faster:.2f} times as fast" if "why" not in trial else "compiling failed")
        lines.append(f"computes     {shape}: {', '.join(phrases)}")
    return lines


def _installed(packages: dict[str, str | None], names: tuple[str, ...]) -> str:
    return ", ".join(f"{name} {packages[name]}" for name in names if packages[name])


def _training(found: dict[str, Any], packages: dict[str, str | None]) -> str:
    devices = found["training"]
    if devices is None:
        return "no"
    if "error" in devices:
        return str(devices["error"])
    where = ", ".join(devices["cuda"]) or ("Apple's GPU" if devices["mps"] else "the processor")
    return (
        f"yes, on {where} in {'bf16' if devices['bf16'] else 'fp32'}, {_installed(packages, ('torch', 'accelerate'))}"
    )
