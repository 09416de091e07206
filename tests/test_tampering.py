"""A model folder may come from a stranger: whatever was changed in it, it works or is refused in one line."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from random_model import random_model
from toccata import folder
from toccata.files import write_json
from toccata.folder import DATA
from toccata.measure.passages import Index
from toccata.measure.sketch import Sketch
from toccata.midi.read import read_score
from toccata.model.config import DecoderConfig
from toccata.model.decoder import Decoder
from toccata.model.vqconfig import ABOUT, WEIGHTS, VqConfig
from toccata.model.vqvae import VqVae
from toccata.model.weights import to_tensors
from toccata.tokenizers.codes import CodesOptions
from toccata.tokenizers.events import EventOptions
from toccata.tokenizers.text import TextOptions, TextTokenizer


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory, data: Path) -> dict[str, Path]:
    """Very small models of random weights, one for each kind of tokenizer, with all files that a model can have."""
    place = tmp_path_factory.mktemp("models")
    made = {"events": random_model(place / "events", EventOptions("REMI", {"num_velocities": 4}), width=16, ffn=16)}
    for kind in ("text", "codes"):
        made[kind] = Path(shutil.copytree(made["events"], place / kind))
        shutil.rmtree(made[kind] / folder.TOKENIZER)
    tokenizer = TextTokenizer(TextOptions())
    tokenizer.save(made["text"] / folder.TOKENIZER)
    _weights(made["text"], tokenizer.vocab_size)
    _weights(made["codes"], _codes(made["codes"] / folder.TOKENIZER))
    piece = sorted((data / "bach" / "mutopia").glob("*.mid"))[0]
    for path in made.values():
        index = Index.of([("a.mid", read_score(piece))])
        index.about["normal"] = {"pieces": 1, "notes": 9, "notes_90": 12, "share": 0.1, "share_90": 0.2}
        index.save(path / folder.ORIGINALITY)
        Sketch.of([("b.mid", read_score(piece))], 4).inherited("older").save(path / folder.SKETCH)
        write_json(path / DATA, {"train": ["0" * 64], "valid": ["1" * 64]})
        spread = {"mean": 1.0, "sd": 0.5, "quantiles": [0.1, 0.5, 1.0, 1.5, 2.0]}
        usual = {"bars": 8, "excerpts": 9, "traits": {"density": spread}, "passages": 8, "surprise": spread}
        about = json.loads((path / folder.ABOUT).read_text())
        more = {"usual": usual, "metrics": {"nats_per_note": 3.5}, "styles": ["a", "b"], "lineage": {"pieces": 1}}
        folder.seal(path, {**about, "name": path.name, **more})
    return made


def _weights(path: Path, vocab: int) -> None:
    config = DecoderConfig(vocab=vocab, context=96, layers=1, width=16, heads=2, kv_heads=1, ffn=16)
    torch.manual_seed(0)
    save_file(to_tensors(config, Decoder(config).state_dict()), path / folder.WEIGHTS)
    write_json(path / folder.CONFIG, config.to_json())


def _codes(path: Path) -> int:
    """Write a tokenizer of codes; how many ids it has."""
    path.mkdir()
    options = CodesOptions(codes=3, codebook=16, steps=12)
    config = VqConfig(steps=12, codes=3, codebook=16, entry=4, width=8)
    save_file(VqVae(config).tensors(), path / WEIGHTS)
    write_json(path / ABOUT, {"config": config.to_json(), "threshold": 0.4})
    write_json(path / "codes.json", {"options": {"codes": 3, "codebook": 16, "steps": 12}})
    return options.codebook + 102


def _tampered(models: list[Path], *options: object) -> None:
    program = [sys.executable, str(Path(__file__).with_name("tampering.py")), *map(str, models)]
    done = subprocess.run([*program, *map(str, options)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, (done.stdout + done.stderr)[-6000:]


linux = pytest.mark.skipif(sys.platform != "linux", reason="memory and processor time are limited as Linux does it")


@linux
def test_some_changes_of_a_model_folder(models: dict[str, Path]) -> None:
    _tampered([*models.values()], "--every", 149, "--first", 3)


@linux
@pytest.mark.slow
def test_changes_of_every_value_of_a_model_folder(models: dict[str, Path]) -> None:
    """Every fourth of ten thousand: there are some thirty for each value, so each is met with some of them."""
    _tampered([models["events"]], "--every", 4)


@linux
@pytest.mark.slow
def test_all_changes_of_other_tokenizers(models: dict[str, Path]) -> None:
    _tampered([models["text"], models["codes"]], "--only", f"{folder.TOKENIZER}/")
