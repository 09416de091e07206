"""The model folder: read by others as it is, refused where it was changed, enough to generate without torch."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

import toccata
import toccata.api
from random_model import load_decoder, random_model
from toccata import folder
from toccata.errors import ModelError
from toccata.files import digest, parse_json, read_json
from toccata.model.config import DecoderConfig
from toccata.tokenizers.events import EventOptions
from toccata.tokenizers.load import load_tokenizer
from toccata.tokenizers.text import TextOptions, TextTokenizer
from toccata.training.export import export, load_weights


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return random_model(tmp_path_factory.mktemp("models") / "m", EventOptions("REMI", {"num_velocities": 8}), window=24)


@pytest.fixture
def copy(model: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(model, tmp_path / "m"))


def notes(score: Any) -> list[tuple[float, float, int, int]]:
    """In quarters, whatever the resolution."""
    tpq = score.ticks_per_quarter
    return sorted((n.time / tpq, n.duration / tpq, n.pitch, t.program) for t in score.tracks for n in t.notes)


# ---- others read it


@pytest.mark.parametrize("tied", [False, True])
@torch.no_grad()
def test_transformers_opens_it(tied: bool, tmp_path: Path) -> None:
    from transformers import AutoModelForCausalLM

    path = random_model(tmp_path / "m", EventOptions("REMI", {"num_velocities": 8}), window=24, tied=tied)
    ours = load_decoder(folder.open_folder(path)).eval()
    theirs = AutoModelForCausalLM.from_pretrained(path, attn_implementation="eager").eval()
    assert type(theirs).__name__ == "MistralForCausalLM"
    ids = torch.randint(ours.config.vocab, (2, 60), generator=torch.Generator().manual_seed(0))
    assert (theirs(ids).logits - ours(ids)).abs().max() < 1e-4


def test_miditok_opens_its_tokenizer(model: Path, data: Path) -> None:
    from miditok import REMI
    from symusic import Score

    tokenizer = load_tokenizer(folder.open_folder(model).tokenizer())
    theirs = REMI(params=model / folder.TOKENIZER / "tokenizer.json")
    for path in sorted((data / "bach" / "mutopia").rglob("*.mid"))[5:150:50]:
        score = Score(path)
        ids = tokenizer.encode(score, start=False, end=False).ids
        music = tokenizer.decode(ids)
        again = theirs.encode(music)
        assert len(theirs) == tokenizer.vocab_size
        # What sounds together we write by pitch, MidiTok by track and length: the same ids in another order.
        assert sorted(again.ids) == sorted(tokenizer.encode(music, start=False, end=False).ids.tolist())
        assert notes(theirs.decode(ids)) == notes(music)


# ---- refused


@pytest.mark.parametrize("name", [folder.CONFIG, folder.WEIGHTS, "tokenizer/tokenizer.json"])
@pytest.mark.parametrize("damage", ["missing", "edited", "foreign"])
def test_a_file_that_is_not_the_models(copy: Path, name: str, damage: str) -> None:
    path = copy / name
    if damage == "missing":
        path.unlink()
    elif damage == "edited":
        content = bytearray(path.read_bytes())
        content[len(content) // 2] ^= 1
        path.write_bytes(content)
    else:
        path.write_bytes(b"another model's")
    with pytest.raises(ModelError, match=re.escape(str(path))) as error:
        folder.open_folder(copy).verify()
    assert "\n" not in str(error.value)
    with pytest.raises(ModelError, match=re.escape(path.name)):
        toccata.load(copy).generate(bars=1)


ABOUTS = ["", "[]", "{}", '{"format": 99}', '{"format": 1}', '{"format": 1, "files": []}', '{"format": 1, "files": {}}']


@pytest.mark.parametrize("about", [*ABOUTS, "\x00"])
def test_a_damaged_about(copy: Path, about: str) -> None:
    (copy / folder.ABOUT).write_text(about)
    with pytest.raises(ModelError, match=r"copy|update") as error:
        folder.open_folder(copy)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("name", ["../../evil", "/evil", "a\\b", "", ".", "..", "a\x00b", "a\nb", 3, None])
def test_a_name_is_no_way_to_other_folders(copy: Path, name: object) -> None:
    about = json.loads((copy / folder.ABOUT).read_text())
    (copy / folder.ABOUT).write_text(json.dumps({**about, "name": name}))
    with pytest.raises(ModelError, match=r"toccata\.json .*copy the whole model") as error:
        toccata.load(copy)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("path", "name"), [("models/bach", "bach"), ("a.b c", "a.b c"), (".", "here"), ("x/..", "here"), ("a\nb", "a-b")]
)
def test_what_a_folders_model_is_called(path: str, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "here" / "x").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "here")
    assert folder.name_for(Path(path)) == name
    assert folder.name_for(Path("/")) == "model"


def test_a_model_does_not_start_from_itself(copy: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "link").symlink_to(copy, target_is_directory=True)
    (tmp_path / "other").mkdir()
    monkeypatch.chdir(tmp_path)
    for out in (copy, copy / "." / ".." / copy.name, tmp_path / "link", Path(copy.name)):
        for start in (copy, tmp_path / "link"):
            with pytest.raises(ModelError, match="choose another folder") as error:
                folder.open_parent(start, out)
            assert "\n" not in str(error.value)
    for out in (tmp_path / "new", tmp_path / "other"):
        assert folder.open_parent(copy, out).path == copy


def reseal(path: Path, **files: str) -> None:
    """Make the digests right, and list more files."""
    about = json.loads((path / folder.ABOUT).read_text())
    about["files"] = {name: digest(path / name) for name in about["files"]} | files
    (path / folder.ABOUT).write_text(json.dumps(about))


def test_files_that_are_not_listed_are_not_used(model: Path, copy: Path) -> None:
    """One that would take the tokenizer's place, a graph, and what a graph might read."""
    TextTokenizer(TextOptions()).save(copy / folder.TOKENIZER)
    (copy / "onnx").mkdir()
    for name in ("onnx/model-8bit.onnx", "onnx/weights.bin", "model-8bit.onnx"):
        (copy / name).write_bytes(b"not read")
    ours, theirs = toccata.load(copy), toccata.load(model)
    assert ours.tokenizer.fingerprint == theirs.tokenizer.fingerprint
    assert ours.generate(bars=1, seed=4)[0].midi == theirs.generate(bars=1, seed=4)[0].midi


@pytest.mark.parametrize("name", ["../out", "/etc/passwd", "tokenizer/../../out", "a\\b", "", ".", "a//b", "a\nb", "é"])
def test_names_of_files_stay_inside(name: str, copy: Path) -> None:
    reseal(copy, **{name: "0" * 64})
    with pytest.raises(ModelError, match=r"toccata\.json lists .* no file of a model folder") as error:
        toccata.load(copy)
    assert "\n" not in error.value.message


def test_links_that_lead_out_are_not_followed(copy: Path, tmp_path: Path) -> None:
    shutil.move(copy / folder.WEIGHTS, tmp_path / "elsewhere")
    (copy / folder.WEIGHTS).symlink_to(tmp_path / "elsewhere")
    with pytest.raises(ModelError, match=r"model\.safetensors is a link .*out of the model folder"):
        toccata.load(copy).generate(bars=1)
    shutil.move(tmp_path / "elsewhere", copy / "w")
    (copy / folder.WEIGHTS).unlink()
    (copy / folder.WEIGHTS).symlink_to("w")
    assert toccata.load(copy).generate(bars=1)


def test_a_listed_tokenizer_is_one(copy: Path) -> None:
    TextTokenizer(TextOptions()).save(copy / folder.TOKENIZER)
    reseal(copy, **{"tokenizer/text.json": digest(copy / folder.TOKENIZER / "text.json")})
    with pytest.raises(ModelError, match=r"lists text\.json and tokenizer\.json tokenizer"):
        toccata.load(copy)


def test_a_broken_folder_is_listed_and_the_others_too(model: Path, tmp_path: Path) -> None:
    for name in ("a", "b", "c", "d", "e"):
        shutil.copytree(model, tmp_path / name)
    (tmp_path / "b" / folder.ABOUT).write_text("[" * 100_000)
    about = json.loads((tmp_path / "c" / folder.ABOUT).read_text())
    (tmp_path / "c" / folder.ABOUT).write_text(json.dumps({**about, "metrics": ["3"]}))
    (tmp_path / "e" / folder.ABOUT).write_text(json.dumps({**about, "metrics": None}))  # nothing was measured
    rows = toccata.api.model_rows(tmp_path)
    assert [row["error"] is None for row in rows] == [True, False, False, True, True]
    assert all(str(tmp_path / row["name"]) in row["error"] for row in rows if row["error"])
    assert [made.path.name for made in toccata.api.models(tmp_path)] == ["a", "d", "e"]


def test_weights_that_are_not_finite_are_refused(copy: Path) -> None:
    tensors = load_file(copy / folder.WEIGHTS)
    tensors["model.norm.weight"][3] = float("nan")
    save_file(tensors, copy / folder.WEIGHTS)
    reseal(copy)
    with pytest.raises(ModelError, match=r"model\.safetensors holds numbers in model\.norm\.weight .* not finite"):
        toccata.load(copy).generate(bars=1)


@pytest.mark.parametrize(
    "text", ['{"a":' * 40 + "1" + "}" * 40, "NaN", "[1e999]", "[9999999999999999999]", "[" * 10**5, "x", ""]
)
def test_json_that_no_file_of_ours_holds(text: str, tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text(text)
    with pytest.raises(ValueError, match=r"."):
        read_json(tmp_path / "a.json")


def test_json_is_read_up_to_a_limit(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_text(json.dumps({"a": ["[,{" * 10] * 100, "b": -1.5, "c": None, "d": True}))
    assert read_json(path) == json.loads(path.read_text())
    with pytest.raises(ValueError, match="more than 100 bytes"):
        read_json(path, limit=100)
    with pytest.raises(ValueError, match="values"):
        parse_json(b"[" + b"0," * 1_500_000 + b"0]")
    with pytest.raises(ValueError, match="no regular file"):
        read_json(Path(os.devnull))


# ---- telemetry

_TELEMETRY = """
import os, sys
os.environ["ORT_DISABLE_TELEMETRY"] = "0"
{before}
import warnings
warnings.simplefilter("error")
import toccata
toccata.load(sys.argv[1]).generate(bars=1, max_tokens=9)
print(os.environ["ORT_DISABLE_TELEMETRY"])
"""


def test_onnx_runtime_collects_nothing(model: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-c", _TELEMETRY.format(before=""), str(model)]
    done = subprocess.run(
        command, capture_output=True, text=True, env={**os.environ, "HOME": str(tmp_path)}, check=False
    )
    assert (done.returncode, done.stdout) == (0, "1\n"), done.stderr
    assert not list(tmp_path.rglob("*onnxruntime*"))


def test_a_program_that_loaded_onnx_runtime_before_is_warned(model: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-c", _TELEMETRY.format(before="import onnxruntime"), str(model)]
    done = subprocess.run(
        command, capture_output=True, text=True, env={**os.environ, "HOME": str(tmp_path)}, check=False
    )
    assert done.returncode == 1
    assert "RuntimeWarning: onnxruntime was imported before toccata loaded it" in done.stderr


def test_no_model(tmp_path: Path) -> None:
    (tmp_path / "begun" / folder.TRAINING).mkdir(parents=True)
    for path, why in (
        (tmp_path / "none", "no model folder"),
        (tmp_path, "has no toccata.json"),
        (tmp_path / "begun", "not finished"),
    ):
        with pytest.raises(ModelError, match=why):
            toccata.load(path)


def test_two_folders_of_one_digest_are_one_model(model: Path, copy: Path, tmp_path: Path) -> None:
    assert folder.open_folder(copy).digest == folder.open_folder(model).digest
    other = random_model(tmp_path / "other", EventOptions("REMI", {"num_velocities": 8}), window=24, seed=1)
    assert folder.open_folder(other).digest != folder.open_folder(model).digest


# ---- interrupted


class _Interrupted(Exception):  # noqa: N818 - stands for Ctrl-C
    pass


@pytest.mark.parametrize("where", ["tokenizer", "card"])
def test_an_interrupted_export_is_not_finished(copy: Path, where: str) -> None:
    """Over an older model, too."""
    opened = folder.open_folder(copy)
    config, weights = DecoderConfig.from_json(opened.config), load_weights(opened)
    tokenizer = load_tokenizer(opened.tokenizer())

    class Breaks:
        bos, eos = tokenizer.bos, tokenizer.eos

        def save(self, path: Path) -> None:
            if where == "tokenizer":
                raise _Interrupted

    class Card(str):
        __slots__ = ()

        def encode(self, *_: object) -> bytes:
            raise _Interrupted

    with pytest.raises(_Interrupted):
        export(copy, config, weights, Breaks(), opened.about, Card("card"))  # type: ignore[arg-type]
    assert not folder.is_model(copy)
    with pytest.raises(ModelError):
        folder.open_folder(copy)
    assert not list(copy.rglob(".*"))


# ---- without torch

_BLOCKED = """
import sys

class Block:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {"torch", "jax", "transformers", "accelerate", "safetensors", "onnx", "tensorflow"}:
            raise ImportError(f"{name} is blocked")
        return None

sys.meta_path.insert(0, Block())
import toccata
piece = toccata.load(sys.argv[1]).generate(bars=2, seed=1)[0]
piece.save(sys.argv[2])
assert not {"torch", "jax", "transformers"} & set(sys.modules)
print(piece.score.note_num())
"""


def test_generates_without_torch(model: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-c", _BLOCKED, str(model), str(tmp_path / "new.mid")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "new.mid").read_bytes()[:4] == b"MThd"


_UNSAFE = re.compile(
    r"torch\.load\(|\bimport (pickle|dill|joblib|shelve|marshal)\b|allow_pickle=True|trust_remote_code=True"
    r"|(?<![.\w])(eval|exec)\("
)


def test_nothing_is_unpickled() -> None:
    """Model folders come from strangers."""
    source = Path(toccata.__file__).parent
    lines = [(p, line) for p in source.rglob("*.py") for line in p.read_text(encoding="utf-8").splitlines()]
    assert len(lines) > 1000
    assert not [f"{path}: {line}" for path, line in lines if _UNSAFE.search(line)]


def test_the_card_and_config_are_json_and_text(model: Path) -> None:
    assert json.loads((model / folder.CONFIG).read_text())["architectures"] == ["MistralForCausalLM"]
    assert {p.suffix for p in model.rglob("*") if p.is_file()} <= {".json", ".safetensors", ".md"}
