"""Write what the docs take from the code: docs/cli.md, and the tables in docs/recipes.md. A test compares them."""

from __future__ import annotations

import ast
import importlib
import inspect
import re
from collections.abc import Iterator
from pathlib import Path

import click

DOCS = Path(__file__).parent
WIDTH = 110
"""Columns of the help texts."""
SECTIONS = {
    "clean": "toccata.midi.clean.CleanOptions",
    "prepare": "toccata.corpus.prepare.PrepareOptions",
    "tokenizer": "toccata.tokenizers.events.EventOptions",
    'tokenizer scheme = "text"': "toccata.tokenizers.text.TextOptions",
    'tokenizer scheme = "codes"': "toccata.tokenizers.codes.CodesOptions",
    'tokenizer scheme = "grid"': "toccata.tokenizers.grid.GridOptions",
    'codec, for scheme = "codes"': "toccata.model.vqconfig.VqConfig",
    'codec_training, for scheme = "codes"': "toccata.training.options.CodecOptions",
    "model": "toccata.model.config.DecoderConfig",
    "examples": "toccata.corpus.examples.ExampleOptions",
    "training": "toccata.training.options.TrainOptions",
}
BESIDE = {
    "model": "| `size` | none | `nano`, `micro`, `small` or `base`, for layers, width, heads, kv_heads and ffn. |\n"
    "| `features` | `false` | Beside each token, what is known where it stands is an input: position, meter, who plays "
    "and how, what sounds, what was played a bar ago, what followed the last time. |\n"
    "| `intervals` | `false` | With `features`: the logits of pitches have a part for the interval from each known "
    "pitch. |\n"
}
"""Keys that stand for several fields."""
ELSEWHERE = {
    "prepare": {"clean"},
    "model": {"vocab", "features", "intervals", "pitches"},
    'codec, for scheme = "codes"': {"steps", "codes", "codebook"},  # the tokenizer says them
}
"""Fields that a recipe does not set in that section."""
BEGIN, END = "<!-- fields: written by docs/generate.py -->\n", "<!-- end of fields -->\n"


def cli_page() -> str:
    """The help of every command, as they print it."""
    from toccata.cli.main import cli

    top = click.Context(cli, info_name="toccata", terminal_width=WIDTH)
    page = ["# The command line\n", "What each command prints with `--help`. Written by `docs/generate.py`.\n"]
    page.append(f"```text\n{cli.get_help(top).rstrip()}\n```\n")
    for name in cli.list_commands(top):
        command = cli.get_command(top, name)
        assert command is not None
        text = command.get_help(click.Context(command, info_name=name, parent=top, terminal_width=WIDTH))
        page.append(f"## toccata {name}\n\n```text\n{text.rstrip()}\n```\n")
        if hidden := list(hidden_options(command)):
            page.append("Options not shown by `--help`:\n\n" + "".join(hidden))
    return re.sub(r"[ \t]+\n", "\n", "\n".join(page))


def hidden_options(command: click.Command) -> Iterator[str]:
    """A line for each option of a command that its help has no room for."""
    for parameter in command.params:
        if isinstance(parameter, click.Option) and parameter.hidden:
            names = ", ".join(parameter.opts) + (f" {parameter.metavar}" if parameter.metavar else "")
            yield f"- `{names}`: {parameter.help}\n"


def recipes_page() -> str:
    """docs/recipes.md with its tables of fields."""
    page = (DOCS / "recipes.md").read_text(encoding="utf-8")
    before, rest = page.split(BEGIN)
    tables = (
        f"### {heading(section)}\n\n| key | default | meaning |\n|---|---|---|\n"
        + BESIDE.get(section, "")
        + "".join(rows(section, name))
        for section, name in SECTIONS.items()
    )
    return before + BEGIN + "\n" + "\n".join(tables) + "\n" + END + rest.split(END)[1]


def heading(section: str) -> str:
    """A section's name as in TOML, with what has to stand in it if the table holds for a part only."""
    name, _, where = section.partition(" ")
    return f"[{name.rstrip(',')}]" + (f", with `{where.removeprefix('for ')}`" if where else "")


def rows(section: str, name: str) -> Iterator[str]:
    """A table row for each field of the dataclass ``name``."""
    module, _, cls = name.rpartition(".")
    tree = ast.parse(inspect.getsource(getattr(importlib.import_module(module), cls))).body[0]
    assert isinstance(tree, ast.ClassDef)
    listed = dict(re.findall(r"^(\w+): (.+)$", ast.get_docstring(tree) or "", re.MULTILINE)) or dict(
        re.findall(r"^ +(\w+): (.+)$", ast.get_docstring(tree) or "", re.MULTILINE)
    )
    for field, after in zip(tree.body, [*tree.body[1:], None], strict=True):
        if not isinstance(field, ast.AnnAssign) or not isinstance(field.target, ast.Name):
            continue
        key = field.target.id
        if key in ELSEWHERE.get(section, ()):
            continue
        said = listed.get(key, "")
        if isinstance(after, ast.Expr) and isinstance(after.value, ast.Constant):
            said = str(after.value.value)
        yield f"| `{key}` | {_default(field.value)} | {_cell(said, ast.unparse(field.annotation))} |\n"


def _default(value: ast.expr | None) -> str:
    if value is None:
        return ""
    text = {"True": "true", "False": "false"}.get(written := ast.unparse(value), written)
    return "none" if text in ("None", "field(default_factory=dict)") else f"`{text}`".replace("'", '"')


def _cell(said: str, annotation: str) -> str:
    said = " ".join(re.sub(r":\w+:`([^`]+)`", r"`\1`", said).replace("``", "`").split())
    if choices := re.fullmatch(r"Literal\[(.+)\]", annotation):
        said = choices[1].replace("'", "`") + (f". {said}" if said else "")
    return said.replace("|", "\\|")


if __name__ == "__main__":
    (DOCS / "cli.md").write_text(cli_page(), encoding="utf-8")
    (DOCS / "recipes.md").write_text(recipes_page(), encoding="utf-8")
