"""Style files: small changes of a model's weights, trained beside them and merged by the engine."""

from __future__ import annotations

import json
import pickle
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file, save_file

import toccata
from cli_support import TINY, call, tiny
from random_model import load_decoder, random_model
from toccata import folder
from toccata.arguments import parsed_value
from toccata.corpus.store import Corpus
from toccata.engine.network import Network
from toccata.errors import ArgumentError, ModelError, RecipeError, RequestError
from toccata.model.config import DecoderConfig
from toccata.model.decoder import Decoder
from toccata.model.layout import shapes
from toccata.model.lora import adapt
from toccata.model.stylefile import METADATA, StyleFile, UsedStyleFile, adapted, merged
from toccata.model.tensors import read_tensors
from toccata.model.weights import from_tensors
from toccata.piece import read_origin
from toccata.recipes import STYLE_FILE, for_finetuning, load
from toccata.tokenizers.events import EventOptions
from toccata.training import checkpoint, log, optim
from toccata.training.options import LORA_PARTS, TrainOptions
from toccata.training.pipeline import Run
from toccata.training.style import write_style
from toccata.training.torchnet import TorchBackend

QUICK = (*TINY, "training.steps=6", "training.evaluations=2", "training.precision=fp32")[6:]
PLAIN = {"tied": True, "norm": "layer", "mlp": "gelu", "positions": "learned", "block": "parallel", "bias": True}


def about(model: folder.ModelFolder, rank: int = 3, scale: float = 1.5) -> dict[str, Any]:
    """The metadata of a style file for a model."""
    base = {"name": model.name, "weights": model.weights}
    return {"format": 1, "name": "x", "base": base, "rank": rank, "scale": scale, "lineage": {}, "toccata": "0"}


def random_style(path: Path, model: Path, seed: int, rank: int = 3) -> tuple[StyleFile, Decoder]:
    """A style file with random numbers everywhere, and the Decoder that has the same changes beside its weights."""
    opened = folder.open_folder(model)
    decoder = load_decoder(opened).eval()
    torch.manual_seed(seed)
    trained = adapt(decoder, rank, 1.5, LORA_PARTS)
    with torch.no_grad():
        for parameter in trained.values():
            parameter.copy_((torch.randn_like(parameter) * 0.2).half().float())  # as the file rounds them
    arrays = {name: parameter.detach().numpy() for name, parameter in trained.items()}
    return write_style(path, arrays, about(opened, rank)), decoder


@pytest.fixture(scope="module", params=["features", "plain", "mistral"])
def model(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("models") / request.param
    if request.param == "features":
        return random_model(place, EventOptions("RunningStatus"), features=True)
    return random_model(place, **(PLAIN if request.param == "plain" else {}))


# ---- the same numbers in training and in the engine


def test_the_engine_computes_what_was_trained(model: Path, tmp_path: Path) -> None:
    style, decoder = random_style(tmp_path / "a.safetensors", model, 1)
    ids = np.random.default_rng(0).integers(0, decoder.config.vocab, 30).astype(np.int32)
    opened = toccata.load(model, precision="fp32", style_files=[style.path])
    beside = opened.tokenizer.features if decoder.config.features else None
    with torch.no_grad():
        rows = None if beside is None else torch.from_numpy(beside.of(ids.tolist()))[None]
        expected = decoder(torch.from_numpy(ids)[None], features=rows)[0].numpy()
    found, alone = opened.logits(ids), toccata.load(model, precision="fp32").logits(ids)
    assert np.abs(expected - alone).max() > 1
    np.testing.assert_allclose(found, expected, atol=2e-3)


def test_all_parameters_can_change_and_nothing_else_does(model: Path, tmp_path: Path) -> None:
    style, decoder = random_style(tmp_path / "a.safetensors", model, 1)
    config = decoder.config
    tensors = read_tensors(model / folder.WEIGHTS, shapes(config))
    before = {name: array.copy() for name, array in tensors.items()}
    made = merged(config, tensors, [UsedStyleFile(style, 1.0)])
    assert all(np.array_equal(before[name], tensors[name]) for name in before)
    assert [name for name in made if np.array_equal(made[name], before[name])] == []
    merged_decoder = from_tensors(config, {name: torch.from_numpy(array) for name, array in made.items()})
    for name in adapted(config):
        module, leaf = name.rpartition(".")[::2]
        expected = getattr(decoder.get_submodule(module), leaf)
        torch.testing.assert_close(merged_decoder.get_parameter(name), expected, atol=1e-5, rtol=1e-5)


def test_several_files_add_up_by_their_weights(model: Path, tmp_path: Path) -> None:
    one, _ = random_style(tmp_path / "a.safetensors", model, 1)
    two, _ = random_style(tmp_path / "b.safetensors", model, 2, rank=5)
    config = DecoderConfig.from_json(folder.open_folder(model).config)
    tensors = read_tensors(model / folder.WEIGHTS, shapes(config))
    parts = [merged(config, tensors, [UsedStyleFile(style, 1.0)]) for style in (one, two)]
    both = merged(config, tensors, [UsedStyleFile(one, 1.0), UsedStyleFile(two, -0.5)])
    for name, own in tensors.items():
        expected = own + (parts[0][name] - own) - 0.5 * (parts[1][name] - own)
        np.testing.assert_allclose(both[name], expected, atol=1e-5)
    ids = np.arange(20, dtype=np.int32)
    found = toccata.load(model, style_files=[one.path, f"{two.path}:-0.5"]).logits(ids)
    assert np.array_equal(found, Network8(config, both, model).logits(ids))
    silent = toccata.load(model, style_files=[(one.path, 0.0)])
    assert np.array_equal(silent.logits(ids), toccata.load(model).logits(ids))


class Network8:
    """The 8-bit engine with given weights, for a model's tokenizer."""

    def __init__(self, config: DecoderConfig, tensors: dict[str, Any], model: Path) -> None:
        self.model = toccata.load(model)
        self.model.__dict__["_network"] = Network.of(config, tensors, bits=8)

    def logits(self, ids: Any) -> Any:
        return self.model.logits(ids)


def test_a_model_without_style_files_is_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its weights go to the graph untouched, and its pieces say nothing of style files."""
    path = random_model(tmp_path / "m")
    given: list[Any] = []
    real = Network.of.__func__  # type: ignore[attr-defined]  # of the class method
    monkeypatch.setattr(
        Network, "of", classmethod(lambda *args, **kwargs: given.append(args[2]) or real(*args, **kwargs))
    )
    piece = toccata.load(path).generate(bars=1, seed=1)[0]
    assert "style_files" not in piece.origin
    assert all(not array.flags.owndata for array in given[0].values())  # the mapped file itself
    assert toccata.load(path, style_files=[]).generate(bars=1, seed=1)[0].midi == piece.midi


def test_a_piece_names_its_style_files(tmp_path: Path) -> None:
    path = random_model(tmp_path / "m")
    style, _ = random_style(tmp_path / "a.safetensors", path, 1)
    model = toccata.load(path, precision="fp32", style_files=[(style.path, 0.25)])
    named = [{"file": "a.safetensors", "digest": style.digest, "weight": 0.25}]
    song = model.generate(bars=2, seed=1)[0]
    versions = [song, *model.infill(song, [(1, 1)], seed=1), *model.vary(song, keep="rhythm", n=1, seed=1)]
    assert [piece.origin["style_files"] for piece in versions] == [named] * 3
    assert read_origin(song.midi) == song.origin
    again = pickle.loads(pickle.dumps(model))
    assert again.generate(bars=2, seed=1)[0].midi == song.midi


# ---- what is refused, in one line


def damaged(path: Path, change: Callable[[dict[str, Any], dict[str, Any]], None]) -> Path:
    """The style file with a change of its arrays and metadata."""
    arrays, told = load_file(path), dict(StyleFile.read(path).about)
    change(arrays, told)
    save_file(arrays, path, metadata={METADATA: json.dumps(told)})
    return path


def resized(arrays: dict[str, Any], _: dict[str, Any]) -> None:
    arrays["blocks.0.attention.qkv.weight.A"] = arrays["blocks.0.attention.qkv.weight.A"][:, :-1].copy()


def without_b(arrays: dict[str, Any], _: dict[str, Any]) -> None:
    del arrays["blocks.1.mlp.down.weight.B"]


def renamed(arrays: dict[str, Any], _: dict[str, Any]) -> None:
    arrays["blocks.9.mlp.down.weight.B"] = arrays.pop("blocks.1.mlp.down.weight.B")


def infinite(arrays: dict[str, Any], _: dict[str, Any]) -> None:
    arrays["norm.weight.offset"][3] = np.inf


def widened(arrays: dict[str, Any], _: dict[str, Any]) -> None:
    arrays["norm.weight.offset"] = arrays["norm.weight.offset"].astype(np.float32)


WRONG: dict[str, tuple[Callable[[dict[str, Any], dict[str, Any]], None], str]] = {
    "shape": (resized, r"damaged \(blocks.0.attention.qkv.weight.A has the shape \[3, 31\], but .* \[3, 32\]\)"),
    "half": (without_b, r"damaged \(it lacks 1 arrays .* the first blocks.1.mlp.down.weight.B\)"),
    "foreign": (renamed, r"damaged \(it lacks 1 arrays"),
    "infinite": (infinite, r"damaged \(norm.weight.offset holds numbers that are not finite\)"),
    "format of numbers": (widened, r"damaged \(norm.weight.offset is not float16\)"),
    "rank": (lambda _, told: told.update(rank=0), r"damaged \(its rank is 0\)"),
    "another rank": (lambda _, told: told.update(rank=4), r"damaged \(.* has the shape \[3, 32\]"),
    "scale": (lambda _, told: told.update(scale="much"), r"damaged \(its scale is 'much'\)"),
    "format": (lambda _, told: told.update(format=2), "has format 2, this version reads 1: update toccata"),
    "base": (lambda _, told: told.update(base={"name": "m"}), r"damaged \(it does not say which weights it is for\)"),
    "origin": (lambda _, told: told.pop("lineage"), r"damaged \(it does not say what it was trained on\)"),
    "huge": (lambda _, told: told.update(scale=1e7), r"damaged \(its scale is 10000000.0\)"),
}  # fmt: skip


@pytest.mark.parametrize("wrong", WRONG)
def test_a_file_that_is_wrong_is_refused(wrong: str, tmp_path: Path) -> None:
    model = random_model(tmp_path / "m")
    path = random_style(tmp_path / "a.safetensors", model, 1)[0].path
    change, said = WRONG[wrong]
    damaged(path, change)
    done = call("generate", "--model", model, "--style-file", path, "--bars", 1, "-o", tmp_path / "x.mid")
    assert done.code != 0
    with pytest.raises(ModelError, match=said) as found:
        toccata.load(model, style_files=[path]).logits(np.arange(3, dtype=np.int32))
    assert str(path) in found.value.message
    assert found.value.message in done.error
    assert not (tmp_path / "x.mid").exists()


def test_a_file_for_another_model_is_refused(tmp_path: Path) -> None:
    one, other = (random_model(tmp_path / str(seed) / "m", seed=seed) for seed in (1, 2))
    path = random_style(tmp_path / "a.safetensors", one, 1)[0].path
    with pytest.raises(
        ModelError, match=r"is a style file for the model 'm' \(another model of that name\), and cannot"
    ):
        toccata.load(other, style_files=[path])
    assert toccata.load(one, style_files=[path]).style_files[0].weight == 1


def test_what_is_no_style_file_is_refused(tmp_path: Path) -> None:
    model = random_model(tmp_path / "m")
    path = random_style(tmp_path / "a.safetensors", model, 1)[0].path
    cut, empty, text = tmp_path / "cut.safetensors", tmp_path / "empty.safetensors", tmp_path / "text.safetensors"
    cut.write_bytes(path.read_bytes()[:-7])
    empty.write_bytes(b"")
    text.write_bytes(b"these are words, and no numbers")
    for other, said in (
        (model / folder.WEIGHTS, "is no style file: name one that `toccata finetune -o NAME.safetensors` wrote"),
        (tmp_path / "none.safetensors", "none.safetensors is missing"),
        (cut, r"is damaged \(\d+ bytes of numbers instead of"),
        (empty, r"is damaged \(its header is cut short\)"),
        (text, r"is damaged \("),
        (tmp_path, r"is damaged \(no regular file\)"),
    ):
        with pytest.raises(ModelError, match=said):
            toccata.load(model, style_files=[other])


def test_weights_of_files_are_read() -> None:
    assert parsed_value("style_file", "a.safetensors:0.5") == (Path("a.safetensors"), 0.5)
    assert parsed_value("style_file", "a.safetensors:-1") == (Path("a.safetensors"), -1.0)
    assert parsed_value("style_file", "C:\\mine.safetensors") == (Path("C:\\mine.safetensors"), 1.0)
    assert parsed_value("style_file", "a:b.safetensors") == (Path("a:b.safetensors"), 1.0)
    for wrong in ("a.safetensors:11", "s3://bucket/a.safetensors", " "):
        with pytest.raises(ArgumentError):
            parsed_value("style_file", wrong)


# ---- training


def finetuned(midi: Path, model: Path, out: Path, *settings: str) -> StyleFile:
    return toccata.finetune_style(midi, out, model=model, settings=[*QUICK, *settings], seed=0)


def test_from_music_to_a_style_file_to_music(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    model, midi = tiny(data)
    before = {path: path.read_bytes() for path in model.rglob("*") if path.is_file()}
    command = ("finetune", midi, "--model", model, "-o", "mine.safetensors", *QUICK)
    done = call(*command, "--json")
    assert done.code == 0, done.err
    made = StyleFile.read(Path("mine.safetensors"))
    assert done.json["style_file"]["digest"] == made.digest
    assert not done.json["finished_before"]
    assert done.json["metrics"]["nats_per_note"] != done.json["metrics"]["without"]
    assert made.about["base"]["weights"] == folder.open_folder(model).weights
    assert made.about["lineage"]["pieces"] == done.json["lineage"]["pieces"] > 0
    assert made.rank == STYLE_FILE["lora_rank"]
    assert {path: path.read_bytes() for path in model.rglob("*") if path.is_file()} == before
    assert call(*command, "--json").json["finished_before"]

    write = ("generate", "--model", model, "--bars", 1, "--seed", 3, "--precision", "fp32", "--json")
    styled = call(*write, "--style-file", "mine.safetensors", "--style-file", "mine.safetensors:0.5", "-o", "a.mid")
    assert styled.code == 0, styled.err
    named = [{"file": "mine.safetensors", "digest": made.digest, "weight": weight} for weight in (1.0, 0.5)]
    assert styled.json["style_files"] == named
    assert (read_origin(Path("a.mid")) or {})["style_files"] == named
    assert "style_files" not in call(*write, "-o", "b.mid").json
    song = sorted(midi.iterdir())[0]
    for verb, *where in (("infill", "--bars", 1), ("vary", "--keep", "rhythm", "--bars", 1, "-n", 1)):
        changed = call(
            verb, song, *where, *write[1:3], "--style-file", "mine.safetensors", "--seed", 1, "-o", f"{verb}.mid"
        )
        assert changed.code == 0, changed.err
        assert (read_origin(Path(f"{verb}.mid")) or {})["style_files"] == named[:1]


def test_it_is_measured_without_the_pieces_it_has_learned(data: Path, tmp_path: Path) -> None:
    model, midi = tiny(data)
    music = tmp_path / "music"
    music.mkdir()
    new = [p for p in sorted((data / "bach" / "mutopia").rglob("*.mid"))[40:] if 3000 < p.stat().st_size < 9000]
    for path in [path for path in new if not (midi / path.name).exists()][:4]:
        shutil.copy(path, music)
    made = finetuned(music, model, tmp_path / "a.safetensors", "prepare.test=0")
    alone, styled = (
        call("evaluate", model, music, *files, "--all", "--json").json for files in ([], ["--style-file", made.path])
    )
    assert alone["nats_per_note"] > styled["nats_per_note"]
    assert "style_files" not in alone
    assert styled["style_files"][0]["digest"] == made.digest
    assert styled["seen"] > alone["seen"] == 0
    assert "holds no piece that tiny has not seen" in call("evaluate", model, music, "--style-file", made.path).error


def losses(run: Path) -> list[str]:
    return [f"{row['loss']:.9f}" for row in log.read(run / "training" / "log.csv")]


def test_interrupted_and_gone_on_with_it_is_the_same(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, midi = tiny(data)
    whole = finetuned(midi, model, tmp_path / "whole.safetensors", "training.steps=8")

    class Killed(Exception):  # noqa: N818 - it stands for a kill
        """Stands for the end of the process."""

    class Killer(toccata.api.Silent):
        def update(self, task: str, done: int, total: int, text: str = "") -> None:
            if task == "training" and done == 5:
                raise Killed

    monkeypatch.setattr("toccata.training.loop.EARLY", 0.0)
    path, settings = tmp_path / "broken.safetensors", [*QUICK, "training.steps=8", "training.checkpoint_minutes=0"]
    with pytest.raises(Killed):
        toccata.finetune_style(midi, path, model=model, settings=settings, seed=0, progress=Killer())
    assert not path.exists()
    _, saved = checkpoint.load(tmp_path / "broken.run" / "training" / checkpoint.LAST)
    kinds = (".A", ".B", ".offset")
    assert all(
        name.endswith(kinds) for name in saved if name.startswith(checkpoint.MODEL)
    )  # the frozen weights stay out
    broken = toccata.finetune_style(midi, path, model=model, settings=settings, seed=0)
    assert losses(tmp_path / "broken.run") == losses(tmp_path / "whole.run")
    one, other = load_file(whole.path), load_file(broken.path)
    assert one.keys() == other.keys()
    assert all(np.array_equal(one[name], other[name]) for name in one)


def test_a_run_or_a_file_of_something_else_is_left_alone(data: Path, tmp_path: Path) -> None:
    model, midi = tiny(data)
    path = tmp_path / "a.safetensors"
    path.write_bytes(b"precious")
    with pytest.raises(RequestError, match="is there already: choose another name"):
        finetuned(midi, model, path)
    assert path.read_bytes() == b"precious"
    with pytest.raises(RequestError, match=r"is to be a style file: give it a name that ends in \.safetensors"):
        finetuned(midi, model, tmp_path / "a.bin")
    (tmp_path / "b.run").mkdir()
    (tmp_path / "b.run" / "letter.txt").write_text("dear")
    with pytest.raises(RequestError, match="holds other files"):
        finetuned(midi, model, tmp_path / "b.safetensors")
    finetuned(midi, model, tmp_path / "c.safetensors")
    with pytest.raises(
        toccata.ToccataError, match=r"holds a run with another recipe .*training.lora_rank is 2 and was 6"
    ):
        finetuned(midi, model, tmp_path / "c.safetensors", "training.lora_rank=2")


def test_settings_that_fit_no_style_file_are_refused(data: Path, tmp_path: Path) -> None:
    model, midi = tiny(data)
    with pytest.raises(RecipeError, match=r"training.lora_rank is for style files: finetune a model with -o NAME"):
        toccata.finetune(midi, tmp_path / "m", model=model, settings=["training.lora_rank=4"])
    with pytest.raises(RecipeError, match=r"training.lora_rank must be at least 1 for a style file"):
        finetuned(midi, model, tmp_path / "a.safetensors", "training.lora_rank=0")
    done = call("finetune", midi, "--model", model, "-o", tmp_path / "a.safetensors", "--backend", "jax")
    assert "style files are trained with torch" in done.error
    with pytest.raises(RecipeError, match=r"training.lora_parts must be some of blocks, vectors"):
        TrainOptions(lora_parts=("blocks", "soul"))
    with pytest.raises(RecipeError, match=r"training.shard is for the training of all weights"):
        TrainOptions(lora_rank=8, shard=True)


def test_a_recipe_without_style_files_is_as_it_was() -> None:
    saved = load("toccata").to_json()
    assert not [name for name in saved["training"] if name.startswith("lora")]
    assert for_finetuning(saved, first=True).to_json()["training"].keys() == saved["training"].keys()
    assert for_finetuning(saved, first=True, style_file=True).training.lora_rank == STYLE_FILE["lora_rank"]
    assert for_finetuning(saved, ["training.lr=0.5"], first=True, style_file=True).training.lr == 0.5


def test_a_style_file_is_small(tmp_path: Path) -> None:
    """Less than a megabyte for 8 layers of width 320, with all that finetuning trains by default."""
    options = TrainOptions()
    shape = {"layers": 8, "width": 320, "heads": 5, "kv_heads": 5, "ffn": 896, "context": 512}
    model = random_model(tmp_path / "m", EventOptions("RunningStatus"), features=True, **shape)
    decoder = load_decoder(folder.open_folder(model))
    trained = adapt(decoder, STYLE_FILE["lora_rank"], 1.0, options.lora_parts)
    arrays = {name: parameter.detach().numpy() for name, parameter in trained.items()}
    assert write_style(tmp_path / "a.safetensors", arrays, about(folder.open_folder(model), STYLE_FILE["lora_rank"]))
    assert (tmp_path / "a.safetensors").stat().st_size < 950_000  # 50 kB are left for what it says of its music
    assert sum(parameter.requires_grad for parameter in decoder.parameters()) == len(trained)


def test_training_moves_only_what_is_beside_the_weights(data: Path, tmp_path: Path) -> None:
    """An optimiser's step leaves the frozen weights alone, to the bit."""
    model, _ = tiny(data)
    parent = folder.open_folder(model)
    recipe = for_finetuning(parent.about["recipe"], [*QUICK, "training.ema=0.5"], first=True, style_file=True)
    said: list[str] = []
    run = Run(recipe, tmp_path / "a.run", parent, said.append, TorchBackend())
    corpus = Corpus(model / "training" / "corpus")
    tokenizer = run.tokenizer(corpus, lambda *_: None)
    run.train(corpus, tokenizer, lambda _: None)
    trained = run.trained()
    config = DecoderConfig.from_json(parent.config)
    assert {name.rpartition(".")[0] for name in trained} == set(adapted(config, recipe.training.lora_parts))
    assert all(np.abs(array).max() > 0 for array in trained.values())


def test_it_compiles_as_one_graph() -> None:
    """As on a GPU, where the decoder is compiled whole: nothing in the changes breaks the graph."""
    torch.manual_seed(0)
    config = DecoderConfig(vocab=40, context=16, layers=2, width=32, heads=2, kv_heads=1, ffn=64, tied=True)
    decoder = Decoder(config)
    trained = adapt(decoder, 2, 1.0, LORA_PARTS)
    for parameter in trained.values():
        torch.nn.init.normal_(parameter, std=0.1)
    ids = torch.randint(40, (2, 16))
    expected = decoder(ids, targets=ids)
    decoder.compile_whole(backend="eager")
    with torch.autocast("cpu", enabled=False):
        found = decoder(ids, targets=ids)
    torch.testing.assert_close(found, expected)
    found.backward()
    assert all(parameter.grad is not None for parameter in trained.values())
    assert all(p.grad is None for name, p in decoder.named_parameters() if name.endswith("original"))


def test_factors_beside_embeddings_learn_at_their_rate() -> None:
    named = {f"{name}.A": torch.zeros(2, 3) for name in ("features.weight", "blocks.0.mlp.up.weight", "head.weight")}
    (optimizer,) = optim.build(named, TrainOptions(embedding_lr=3.0))
    rates = {id(one): group.get(optim.SCALE, 1.0) for group in optimizer.param_groups for one in group["params"]}
    assert [rates[id(one)] for one in named.values()] == [3.0, 1.0, 1.0]
