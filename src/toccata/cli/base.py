"""Shared code of all commands: help, common options, and the output of results."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import Any, TypeVar

import click

from toccata.arguments import kind_of, parsed_value
from toccata.cli.progress import Quiet, progress
from toccata.cli.screen import show, show_json
from toccata.errors import ArgumentError, RequestError

F = TypeVar("F", bound=Callable[..., Any])
_COMMON = ("as_json", "quiet", "debug")


class Value(click.ParamType[Any]):
    """The type of an option or an argument, from the table of arguments.

    Attributes:
        row: Its name in the table.
        verb: The function whose row it is, if the function has its own.
        name: Its name in the help.
    """

    def __init__(self, row: str, name: str = "", *, verb: str = "") -> None:
        self.row, self.verb, self.name = row, verb, name or row

    def get_missing_message(self, param: click.Parameter, ctx: click.Context | None) -> str | None:
        """Return the choices, if there are any."""
        words = getattr(kind_of(self.row, self.verb), "words", ())
        return f"Choose from: {', '.join(words)}" if words else None

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return the parsed value; a default is parsed already."""
        if not isinstance(value, str):
            return value
        try:
            return parsed_value(self.row, value, verb=self.verb)
        except ArgumentError as error:
            self.fail(error.message, param, ctx)


PATH = Value("path")
"""A file or a folder."""


class Command(click.Command):
    """A command whose help fits a screen and ends in examples.

    Args:
        examples: Command lines that run.
        optional_values: For options whose value is optional, the default value and the choices.
    """

    def __init__(
        self,
        *args: Any,
        examples: Sequence[str] = (),
        optional_values: Mapping[str, tuple[str, Sequence[str]]] | None = None,
        **kwargs: Any,
    ) -> None:
        kwargs.setdefault("context_settings", {"help_option_names": ["-h", "--help"], "max_content_width": 110})
        super().__init__(*args, **kwargs)
        self.examples, self.optional_values = examples, optional_values or {}

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Give options without a value their default, so that they do not take the argument after them."""
        whole: list[str] = []
        rest = list(args)
        while rest:
            arg = rest.pop(0)
            if arg in self.optional_values:
                default, values = self.optional_values[arg]
                arg = f"{arg}={rest.pop(0) if rest and rest[0] in values else default}"
            whole.append(arg)
        return super().parse_args(ctx, whole)

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the command's own options, one per line, and the common options in one line."""
        rows = []
        for parameter in self.get_params(ctx):
            record = parameter.get_help_record(ctx)
            shared = parameter.name in _COMMON or "--help" in parameter.opts
            if isinstance(parameter, click.Option) and record is not None and not shared:
                # Without click's "[x>=1]": the error says that to the few who need it.
                rows.append((record[0], re.sub(r"\s+\[[^\]]*x[<>=\d.]*\]$", "", record[1])))
        rows.append(("--json, -q, --quiet", "One JSON object on stdout; no progress."))
        rows.append(("--debug, -h, --help", "The whole traceback of an error; this page."))
        with formatter.section("Options"):
            formatter.write_dl(rows, col_max=34)

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the examples, one per line."""
        if self.examples:
            formatter.write("\nExamples:\n")
            for line in self.examples:
                formatter.write(f"  {line}\n")


@dataclass
class Face:
    """The output of one call of a command.

    Attributes:
        as_json: Print one JSON object on stdout, nothing else.
        quiet: Print no progress and no hints.
        saved: What is on disk after Ctrl-C, and how to continue; commands set it.
        place: Where the command writes, for error messages.
    """

    as_json: bool = False
    quiet: bool = False
    saved: str = "nothing was written"
    place: Path | None = None

    def progress(self) -> Quiet:
        """Return what shows the progress of a long task."""
        return progress(quiet=self.quiet)

    def note(self, text: str) -> None:
        """Print a hint on stderr."""
        if not self.quiet:
            show(sys.stderr, text)

    def result(self, value: Mapping[str, Any], lines: Sequence[str]) -> None:
        """Print a command's result: ``value`` as JSON, or ``lines`` for a person."""
        if self.as_json:
            show_json(stdout(), value)
        elif lines:
            show(stdout(), *lines)


def stdout() -> Any:
    """Return the real stdout. With --json, the output of libraries goes to stderr."""
    context = click.get_current_context(silent=True)
    return (context.find_root().obj or {}).get("stdout", sys.stdout) if context is not None else sys.stdout


def command(
    name: str,
    *,
    examples: Sequence[str],
    optional_values: Mapping[str, tuple[str, Sequence[str]]] | None = None,
) -> Callable[[Callable[..., None]], Command]:
    """Turn a function that takes a :class:`Face` and its options into a click command."""

    def decorate(function: Callable[..., None]) -> Command:
        @wraps(function)
        def run(as_json: bool, quiet: bool, debug: bool, **options: Any) -> None:
            root = click.get_current_context().find_root()
            face = Face(as_json, quiet)
            root.ensure_object(dict)["face"] = face
            function(face, **options)

        made: Callable[..., None] = run
        for option in (
            click.option("--debug", is_flag=True, help="The whole traceback of an error."),
            click.option("--quiet", "-q", is_flag=True, help="No progress and no hints."),
            click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout."),
        ):
            made = option(made)
        # The common options come last in the help.
        parameters: list[Any] = getattr(made, "__click_params__", [])
        parameters.sort(key=lambda p: p.name in _COMMON and isinstance(p, click.Option))
        return click.command(name, cls=Command, examples=examples, optional_values=optional_values)(made)

    return decorate


def _address(path: Path) -> str | None:
    """Return the URL of ``path``, with the slashes that a Path drops; None: it is a local path."""
    from toccata import api

    url = api.display_url(path)
    return url if path.parts and "://" in url and url.startswith(path.parts[0]) else None


def refuse_address(song: Path) -> None:
    """Refuse a song that is named by a URL, as only folders are fetched.

    Raises:
        RequestError: ``song`` is an address.
    """
    if (url := _address(song)) is not None:
        how = f"say {url[7:]}" if url.startswith("file:") else "copy it here, and name the copy"
        raise RequestError(f"{url} is an address, and a song must be a local path: {how}", path=song)


def refuse_remote(paths: Sequence[Path]) -> None:
    """Refuse URLs as outputs of a command that only writes local files.

    Raises:
        RequestError: One of ``paths`` is an address.
    """
    for path in paths:
        if (url := _address(path)) is not None:
            raise RequestError(f"{url} cannot be written to: name a file or a folder here", kind="no-place")


def refuse_file(out: Path, what: str) -> None:
    """Refuse an output folder for ``what`` that is a file, before any work is done.

    Raises:
        RequestError: ``out`` is a file, or lies below one.
    """
    there = next((place for place in (out, *out.parents) if place.exists()), out)
    if _address(out) is None and there.exists() and not there.is_dir():
        raise RequestError(f"{there} is a file: name a folder for {what}", path=out, kind="no-place")


def refuse_own(song: Path | None, paths: Sequence[Path]) -> None:
    """Refuse outputs that would replace the song itself, before any work is done, even with --force.

    Raises:
        RequestError: One of ``paths`` is the song.
    """
    if song is not None and any(os.path.realpath(path) == os.path.realpath(song) for path in paths):
        raise RequestError(f"{song} would be replaced by what is made of it: name another place for it", path=song)


def refuse_existing(paths: Sequence[Path], force: bool) -> None:
    """Refuse outputs that exist, or cannot be written, before any work is done.

    Raises:
        RequestError: One of ``paths`` exists and ``force`` is not given, or its folder may not be written to.
    """
    refuse_remote(paths)
    for folder in dict.fromkeys(path.parent for path in paths):
        there = next((place for place in (folder, *folder.parents) if place.exists()), folder)
        if not there.is_dir() or not os.access(there, os.W_OK):
            raise RequestError(f"nothing can be written to {there}: name another place", path=folder, kind="no-place")
    for path in paths:
        if path.is_dir():
            raise RequestError(f"{path} is a folder: choose another name", path=path, kind="exists")
        if os.path.lexists(path) and not force:  # a link that leads nowhere is somebody's, too
            raise RequestError(
                f"{path} exists already: choose another name, or say --force to replace it", path=path, kind="exists"
            )


def table(rows: Sequence[Sequence[str]], right: Sequence[int] = ()) -> list[str]:
    """Format rows as aligned columns; ``right`` are the columns of numbers."""
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    return [
        "  ".join(
            cell.rjust(width) if i in right else cell.ljust(width)
            for i, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]


def millions(count: int) -> str:
    """Format a number of parameters."""
    return f"{count / 1e6:.1f}M" if count >= 1e5 else f"{count / 1e3:.0f}k"


def many(count: int, what: str) -> str:
    """Format a number of things, in the singular if it is one."""
    return f"{count:,} {what}{'' if count == 1 else 's'}"


def hours(value: float) -> str:
    """Format a duration of music in hours."""
    return f"{value:,.1f} hours" if value >= 1 else many(round(value * 60), "minute")


def clock(seconds: float) -> str:
    """Format seconds as minutes and seconds."""
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes}:{rest:02}"
