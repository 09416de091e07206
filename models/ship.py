"""Makes the folder of a bundled model from a trained one: packed weights and a thinned index of the training pieces.

    python models/ship.py MODEL CORPUS NOTICE OUT [VERSION]

MODEL was trained on CORPUS; NOTICE is the attribution list (``models/notice.py``), which goes into the model card.
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

from safetensors.numpy import load_file, save_file

from toccata import folder
from toccata.corpus.store import Corpus
from toccata.measure.judge import thin_index
from toccata.measure.learned import coverage_of
from toccata.model.tensors import packed

LEFT_OUT = {"format", "files"}
"""What sealing a folder writes anew."""


def main(model: Path, corpus: Path, notice: Path, out: Path, version: str = "1") -> None:
    """Write the folder."""
    made, music = folder.open_folder(model), Corpus(corpus)
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir(parents=True)
    for name in (folder.CONFIG, folder.DATA):  # fingerprints of passages would be as large as the weights
        shutil.copy2(made.file(name), out / name)
    shutil.copytree(made.tokenizer().parent, out / folder.TOKENIZER)
    for extra in (out / folder.TOKENIZER).iterdir():
        if not made.has(f"{folder.TOKENIZER}/{extra.name}"):
            extra.unlink()
    save_file(packed(load_file(made.file(folder.WEIGHTS))), out / folder.WEIGHTS, metadata={"format": "pt"})
    about = {key: value for key, value in made.about.items() if key not in LEFT_OUT}
    about |= {"name": out.name, "version": version, folder.COVERAGE: coverage_of(music).to_json()}
    folder.seal(out, about)
    thin_index(out, music)
    card = (model / folder.CARD).read_text(encoding="utf-8")
    (out / folder.CARD).write_text(f"{card.rstrip()}\n\n{notice.read_text(encoding='utf-8')}", encoding="utf-8")
    for name in sorted(path for path in out.rglob("*") if path.is_file()):
        print(f"{name.relative_to(out).as_posix():32} {name.stat().st_size:12,}")


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:5]), *sys.argv[5:])
