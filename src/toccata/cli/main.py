"""The entry point of the command line: runs a command, and turns any error into one line and an exit code.

Exit codes: 0 done, 1 failed, 2 wrong usage, 130 interrupted.
"""

from __future__ import annotations

import contextlib
import io
import os
import re
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import click

from toccata import __version__
from toccata.cli.screen import show, show_json
from toccata.cli.settings import user_file
from toccata.errors import ArgumentError, MidiWarning, PieceWarning, RecipeError, RecipeWarning, ToccataError
from toccata.files import DISK_FULL

_COMMANDS: dict[str, tuple[str, str, str]] = {
    # name: (module, heading, what it does in a line)
    "generate": ("generate", "Write", "New music, or a continuation of yours."),
    "infill": ("rewrite", "Write", "Some bars of a song anew, the rest untouched."),
    "accompany": ("rewrite", "Write", "More instruments to a song, the rest untouched."),
    "harmonise": ("rewrite", "Write", "Alto, tenor and bass under a melody."),
    "vary": ("vary", "Write", "A song as it might also be: rhythm, contour, melody or harmony kept."),
    "studio": ("studio", "Write", "All of that in the browser, with your pieces and their takes."),
    "serve": ("serve", "Write", "All of that over HTTP, for other programs."),
    "train": ("train", "Learn", "A model of your own, from a folder of MIDI."),
    "finetune": ("train", "Learn", "A model that knows you, from one that knows music."),
    "evaluate": ("evaluate", "Learn", "How good models are, beside one another and beside people."),
    "check": ("data", "Music to learn from", "What is in a folder of MIDI, and what is wrong with it."),
    "clean": ("data", "Music to learn from", "Cleaned copies of a folder of MIDI, or of one file."),
    "prepare": ("data", "Music to learn from", "A corpus, cleaned and split, for big folders."),
    "dataset": ("data", "Music to learn from", "MIDI to begin with: the Bach chorales."),
    "inspect": ("look", "Look", "How a tokenizer writes a file, bar by bar."),
    "render": ("look", "Look", "A MIDI file as sound and as a piano roll."),
    "models": ("look", "Look", "The models there are."),
    "recipes": ("look", "Look", "The ways to make a model."),
    "doctor": ("look", "Look", "What works on this machine, and what is missing."),
}
_EXAMPLES = (
    "toccata dataset bach midi/bach",
    "toccata train midi/bach --minutes 10 -o models/bach",
    "toccata generate --model models/bach -n 4 --audio --plot",
)


class Lazy(click.Group):
    """A group that imports a command only when it is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names of all commands."""
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import and return a command."""
        if cmd_name not in _COMMANDS:
            return None
        from importlib import import_module

        module = import_module(f"toccata.cli.{_COMMANDS[cmd_name][0]}")
        found: click.Command = getattr(module, cmd_name)
        return found

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Resolve a command like click, and suggest a similar name for an unknown one."""
        if args and args[0] not in _COMMANDS and not args[0].startswith("-"):
            import difflib

            near = difflib.get_close_matches(args[0], _COMMANDS, 1)
            hint = f": do you mean {near[0]}?" if near else ""
            raise click.UsageError(f"there is no command {args[0]!r}{hint}", ctx)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the commands under their headings, without importing them."""
        for heading in dict.fromkeys(entry[1] for entry in _COMMANDS.values()):
            with formatter.section(heading):
                formatter.write_dl([(n, e[2]) for n, e in _COMMANDS.items() if e[1] == heading], col_max=12)

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the examples and where settings come from."""
        formatter.write("\nExamples:\n")
        for line in _EXAMPLES:
            formatter.write(f"  {line}\n")
        formatter.write(
            "\n`toccata COMMAND --help` tells more of each. model, soundfont, precision and recipe may also be\n"
        )
        formatter.write(
            "set by TOCCATA_MODEL, ..., in ./toccata.toml, or in " + _short(user_file()) + ", in this order.\n"
        )


def _short(path: Path) -> str:
    return f"~/{path.relative_to(Path.home()).as_posix()}" if path.is_relative_to(Path.home()) else str(path)


@click.group(
    "toccata",
    cls=Lazy,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
)
@click.version_option(__version__, message="toccata %(version)s")
def cli() -> None:
    """Train a music model on your own MIDI files, and let it write with you."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command line.

    Args:
        argv: The arguments; by default those of this process.

    Returns:
        The exit code.
    """
    args = list(sys.argv[1:] if argv is None else argv)
    plain = args[: args.index("--")] if "--" in args else args
    as_json, debug = "--json" in plain, "--debug" in plain
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # file names may hold what the terminal cannot say
    context: dict[str, Any] = {"stdout": sys.stdout}
    try:
        with _orderly(), _calm(as_json, debug):
            return _run(args, context)
    except KeyboardInterrupt:
        face = context.get("face")
        saved = face.saved if face is not None else "nothing was written"
        return _fail(f"stopped; {saved}", "interrupted", None, 130, as_json)
    except click.UsageError as error:
        return _usage(error, as_json)
    except click.ClickException as error:
        return _fail(error.format_message(), "error", None, 1, as_json)
    except BrokenPipeError:
        # The reader closed the pipe: write nothing more.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except Exception as error:
        if debug:
            import traceback

            show(sys.stderr, *traceback.format_exc().rstrip("\n").split("\n"))
        face = context.get("face")
        wrong = isinstance(error, ArgumentError | RecipeError) or getattr(error, "kind", "") == "bad-settings"
        return _fail(*_explained(error, None if face is None else face.place, debug), 2 if wrong else 1, as_json)


def _run(args: list[str], context: dict[str, Any]) -> int:
    try:
        # Not click's own main, which handles Ctrl-C and a closed pipe in its own way.
        with cli.make_context("toccata", args, obj=context) as ctx:
            cli.invoke(ctx)
    except click.exceptions.Exit as left:
        return left.exit_code
    except click.exceptions.NoArgsIsHelpError as nothing:
        show(sys.stderr, *nothing.format_message().split("\n"))
        return 2
    return 0


@contextlib.contextmanager
def _orderly() -> Iterator[None]:
    """Treat SIGTERM, which machines and clusters send, like Ctrl-C."""
    if threading.current_thread() is not threading.main_thread():
        yield  # only the main thread may set signal handlers
        return
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before or signal.SIG_DFL)


@contextlib.contextmanager
def _calm(as_json: bool, debug: bool) -> Iterator[None]:
    """Hide the warnings of libraries, and with --json keep their output off stdout."""
    import warnings

    with contextlib.ExitStack() as stack:
        if not debug:
            stack.enter_context(warnings.catch_warnings())
            warnings.simplefilter("ignore")
            warnings.simplefilter("always", MidiWarning)
            warnings.simplefilter("always", PieceWarning)
            warnings.simplefilter("always", RecipeWarning)
            warnings.showwarning = _note_shower()
        if as_json:
            stack.enter_context(contextlib.redirect_stdout(sys.stderr))
        yield


def _note_shower() -> Callable[..., None]:
    """Return the function that prints warnings for the user: one line each, once per command."""
    shown: set[str] = set()

    def note(message: Warning | str, *_: object) -> None:
        if str(message) not in shown:
            shown.add(str(message))
            show(sys.stderr, f"note: {message}")

    return note


def _usage(error: click.UsageError, as_json: bool) -> int:
    where = error.ctx.command_path if error.ctx is not None else "toccata"
    message = " ".join(error.format_message().split())  # choices stand on lines of their own
    return _fail(f"{message.rstrip('.')} (`{where} --help` tells how)", "usage", None, 2, as_json)


_ARGUMENT = re.compile(r"\b(prompt_bars|bars|force|include_seen|anyway)=(\.\.\.|[\w-]+)")
_OPTIONS = {"include_seen": "--all"}


def as_options(message: str) -> str:
    """Replace Python arguments in a message (``prompt_bars=4``) by options of the command line."""

    def option(found: re.Match[str]) -> str:
        name = _OPTIONS.get(found[1], f"--{found[1].replace('_', '-')}")
        return name if found[2] in ("True", "...") else f"{name} {found[2]}"

    return _ARGUMENT.sub(option, message)


def _explained(error: Exception, place: Path | None, debug: bool) -> tuple[str, str, str | None]:
    """Return message, kind and path of an error; ``place`` is where the command writes."""
    if isinstance(error, ToccataError):
        return as_options(error.message), error.kind, None if error.path is None else str(error.path)
    path = getattr(error, "filename", None)
    at = f"{path}: " if path else ""
    number = error.errno if isinstance(error, OSError) else None
    text = " ".join(str(error).split())
    # safetensors reports a full disk in its own words.
    os_error = re.search(r"\(os error (\d+)\)", text)
    if (int(os_error[1]) if os_error else number) in DISK_FULL:
        where = path or (None if place is None else str(place))
        of = f" of {where}" if where else ""
        message = f"the disk{of} is full: make room and run the same command again; what is whole there is kept"
        return message, "disk-full", where
    if isinstance(error, PermissionError):
        return f"{at}may not be read or written: change its permissions, or name another place", "no-permission", path
    if isinstance(error, OSError) and error.strerror:
        return f"{at}{error.strerror}", "file-error", path
    if isinstance(error, MemoryError):
        return "out of memory: close other programs, or ask for less at a time", "out-of-memory", None
    hint = "" if debug else " (a fault in toccata: --debug shows the whole story)"
    return f"{type(error).__name__}: {text}{hint}", "unexpected", None


def _fail(message: str, kind: str, path: str | None, code: int, as_json: bool) -> int:
    with contextlib.suppress(BrokenPipeError):
        if as_json:
            show_json(sys.stdout, {"error": {"kind": kind, "message": message, "path": path}})
        show(sys.stderr, message if code == 130 else f"error: {message}")
    return code


if __name__ == "__main__":
    sys.exit(main())
