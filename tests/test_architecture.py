"""docs/architecture.md is true: its tables are import-linter's contracts, and what the code does."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections import defaultdict
from graphlib import TopologicalSorter
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[1]
SRC = ROOT / "src" / "toccata"
GROUND = {"errors", "files", "folder_lock"}
MOST_LINES, MOST_FUNCTION_LINES = 400, 60

Table = dict[str, list[str]]


def table(name: str) -> Table:
    """The rows of the architecture page's table ``name``: first cell -> names in the second."""
    page = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    lines = page.split(f"<!-- import table: {name} -->")[1].strip().split("\n\n")[0].splitlines()
    rows: Table = {}
    for line in lines[2:]:
        room, imports = (cell.strip() for cell in line.strip("|").split("|"))
        above = [known for known in rows if "." not in known]
        rows[room.strip("`")] = above if imports == "every room above" else re.findall(r"`([\w.]+)`", imports)
    return rows


def contracts() -> list[dict[str, Any]]:
    """What the tables come to in import-linter's terms."""
    rooms, libraries = table("rooms"), table("libraries")
    top = [room for room in rooms if "." not in room]
    made = []
    for room, allowed in rooms.items():
        whole = room.split(".")[0]
        parts = [name for name in allowed if "." in name]
        contract: dict[str, Any] = {
            "name": f"{room} imports {', '.join(allowed) or 'nothing of ours'}",
            "type": "forbidden",
            "source_modules": [f"toccata.{room}"],
            "forbidden_modules": [f"toccata.{other}" for other in top if other not in (whole, *allowed)],
            "allow_indirect_imports": True,
        }
        if parts:
            contract |= {
                "ignore_imports": [f"toccata.{room}{deep} -> toccata.{part}" for part in parts for deep in ("", ".**")],
                "unmatched_ignore_imports_alerting": "none",
            }
        if contract["forbidden_modules"]:
            made.append(contract)
    for library, homes in libraries.items():
        whole_homes = {home.split(".")[0] for home in homes}
        sources = [*sorted(GROUND), *(room for room in top if room not in whole_homes)]
        made.append(
            {
                "name": f"{library} is imported in {' and '.join(homes)} alone",
                "type": "forbidden",
                "source_modules": [f"toccata.{room}" for room in sources],
                "forbidden_modules": [library],
                "allow_indirect_imports": True,
            }
        )
    return made


def as_toml(made: list[dict[str, Any]]) -> str:
    """The contracts, to be pasted into pyproject.toml."""

    def value(given: Any) -> str:
        if isinstance(given, list):
            flat = "[" + ", ".join(f'"{item}"' for item in given) + "]"
            return flat if len(flat) < 100 else "[\n" + "".join(f'    "{item}",\n' for item in given) + "]"
        return str(given).lower() if isinstance(given, bool) else f'"{given}"'

    blocks = (
        "[[tool.importlinter.contracts]]\n" + "".join(f"{key} = {value(given)}\n" for key, given in contract.items())
        for contract in made
    )
    return "\n".join(blocks)


def node(module: str, rooms: Table) -> str:
    """The room of the house that ``module`` stands in; its own, if the table names it."""
    name = module.removeprefix("toccata.")
    parts = name.split(".")
    return ".".join(parts[:2]) if ".".join(parts[:2]) in rooms else parts[0]


def imports() -> list[tuple[str, str, bool]]:
    """Every import in the code, in functions too: who, what, and whether only the type checker sees it."""
    found = []
    for path in sorted(SRC.rglob("*.py")):
        module = ".".join(path.relative_to(SRC.parent).with_suffix("").parts).removesuffix(".__init__")
        tree = ast.parse(path.read_text(encoding="utf-8"))
        typing = {
            id(inner)
            for outer in ast.walk(tree)
            if isinstance(outer, ast.If) and "TYPE_CHECKING" in ast.unparse(outer.test)
            for inner in ast.walk(outer)
        }
        for statement in ast.walk(tree):
            if isinstance(statement, ast.Import):
                found += [(module, alias.name, id(statement) in typing) for alias in statement.names]
            elif isinstance(statement, ast.ImportFrom):
                assert statement.level == 0, f"{path}: relative imports hide the arrows"
                for alias in statement.names:
                    whole = f"{statement.module}.{alias.name}"
                    inside = SRC.parent.joinpath(*whole.split("."))
                    is_module = inside.with_suffix(".py").is_file() or inside.is_dir()
                    found.append((module, whole if is_module else str(statement.module), id(statement) in typing))
    return found


def arrows() -> dict[tuple[str, str], list[str]]:
    """Arrows between rooms, each with its imports; the ground floor and the package's own face left out."""
    rooms = table("rooms")
    found = defaultdict(list)
    for who, what, _ in imports():
        if not what.startswith("toccata") or what == "toccata" or who in ("toccata", "toccata.__main__"):
            continue
        start, end = node(who, rooms), node(what, rooms)
        if start != end and end not in GROUND:
            found[start, end].append(f"{who} imports {what}")
    return found


def test_every_room_stands_in_the_table() -> None:
    there = {
        p.stem if p.is_file() else p.name for p in SRC.iterdir() if p.suffix == ".py" or (p / "__init__.py").is_file()
    }
    rooms = {room for room in table("rooms") if "." not in room}
    assert there - {"__init__", "__main__"} - GROUND == rooms


def test_import_linter_finds_nothing(tmp_path: Path) -> None:
    head = '[tool.importlinter]\nroot_package = "toccata"\ninclude_external_packages = true\n\n'
    config = tmp_path / "contracts.toml"
    config.write_text(head + as_toml(contracts()), encoding="utf-8")
    command = [Path(sys.executable).parent / "lint-imports", "--config", config, "--no-logo", "--no-cache"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_code_obeys_the_table() -> None:
    rooms = table("rooms")
    strangers = [
        line
        for (start, end), lines in arrows().items()
        for line in lines
        if not {end, end.split(".")[0]} & set(rooms.get(start, []))
        # A room may use the parts of it that are rooms of their own; they may not use the rest of it.
        and ("." in start or end.split(".")[0] != start)
    ]
    assert not strangers


def test_libraries_stay_at_home() -> None:
    rooms, libraries = table("rooms"), table("libraries")
    away = [
        f"{who} imports {what}"
        for who, what, typing in imports()
        if not typing
        and (homes := libraries.get(what.split(".")[0])) is not None
        and not {node(who, rooms), node(who, rooms).split(".")[0]} & set(homes)
    ]
    assert not away


def test_no_room_imports_another_by_a_detour_back() -> None:
    before: dict[str, set[str]] = defaultdict(set)
    for start, end in arrows():
        if start.split(".")[0] != end.split(".")[0]:
            before[start].add(end)
    list(TopologicalSorter(before).static_order())  # raises CycleError, with the rooms in it


def test_no_module_imports_another_by_a_detour_back() -> None:
    before: dict[str, set[str]] = defaultdict(set)
    for who, what, typing in imports():
        if what.startswith("toccata.") and who != "toccata" and not typing:
            before[who].add(what)
    list(TopologicalSorter(before).static_order())


SOURCES = sorted(SRC.rglob("*.py"))


def test_modules_read_in_one_sitting() -> None:
    """Signatures and what they say of themselves are read when looking them up, and do not count."""
    long = {}
    for path in SOURCES:
        text = path.read_text(encoding="utf-8")
        looked_up = sum(
            _code_begins(item) - item.lineno
            for item in ast.walk(ast.parse(text))
            if isinstance(item, ast.FunctionDef | ast.AsyncFunctionDef)
        )
        if (count := len(text.splitlines()) - looked_up) > MOST_LINES:
            long[path.relative_to(SRC).as_posix()] = count
    assert long == {}


def _code_begins(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """The first line after a function's docstring; its own line where it has none."""
    first = function.body[0]
    documented = isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant)
    return (first.end_lineno or 0) + 1 if documented else function.lineno


def test_functions_fit_a_screen() -> None:
    long = {}
    for path in SOURCES:
        for item in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(item, ast.FunctionDef | ast.AsyncFunctionDef):
                continue
            if (length := (item.end_lineno or 0) - _code_begins(item) + 1) > MOST_FUNCTION_LINES:
                long[f"{path.relative_to(SRC).as_posix()}: {item.name}"] = length
    assert long == {}


@pytest.mark.parametrize(
    "word", ["TO" + "DO", "FIX" + "ME", "NotImplemented" + "Error", "import pic" + "kle", "/wo" + "rk/", "/tm" + "p/"]
)
def test_nothing_is_left_lying_about(word: str) -> None:
    pages = [ROOT / "README.md", *(ROOT / "docs").glob("*.md"), *(ROOT / "benchmarks").glob("*.py"), *SOURCES]
    assert [path.name for path in pages if word in path.read_text(encoding="utf-8")] == []


HEAVY = ["torch", "transformers", "onnx", "matplotlib", "jax", "accelerate", "music21", "tensorboard"]


def _loads(statement: str, names: list[str]) -> list[str]:
    code = f"import sys; {statement}; print(*[m for m in {names} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return done.stdout.split()


def test_writing_music_loads_nothing_that_is_heavy() -> None:
    assert _loads("import toccata.musicmodel, toccata.api", HEAVY) == []


def test_the_package_itself_loads_next_to_nothing() -> None:
    assert _loads("import toccata", [*HEAVY, "numpy", "symusic", "miditok", "onnxruntime", "click", "rich"]) == []
