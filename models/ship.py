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
EVERY = 26
"""Notes for each passage in the thinned index: what the package has room for."""
UNKNOWN = "The licences of these pieces are not known to toccata: say here what they are before you pass the model on."
KNOWN = "They are listed at the end, each with its licence."
CURVE = "; the curve is in `training/loss.png`"
"""What a card says of a file that is not shipped."""
MADE = """\
## How it was made

```sh
python models/data.py DATA build             # lays out the music, a folder a style
toccata prepare build/midi build/corpus --valid 0.03 --test 0.05
toccata train build/corpus -o build/base --recipe models/base.toml
python models/measured.py build/base build/corpus surprise sampling_by_style
python models/notice.py DATA build/sources.json src/toccata/bundled/NOTICE.md
python models/ship.py build/base build/corpus src/toccata/bundled/NOTICE.md src/toccata/bundled/base
```

The training took five minutes of one NVIDIA H200, at 480,000 tokens a second beside a larger model; on two cores of a
laptop it would take about ten hours. Its matrices are 8-bit numbers; the figures above are from before they were
packed. From its fourth pass over the music on, the held-out loss rose by 1.5 %: it could be regularised better.

## What it cannot do

- It is not told what a phrase is: 8 bars that go somewhere are luck, and the best of several are worth their time.
- Scores were its teachers, with one velocity for all notes: only drums are played expressively.
- Little of it is popular music, as little of that is free: 103 pieces of game music, and drums.
- Its thinned index of the training music misses copies: one slightly denser found 53 to 62 % of passages of 36 notes.
"""


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
    thin_index(out, music, EVERY)
    card = (model / folder.CARD).read_text(encoding="utf-8").replace(UNKNOWN, KNOWN).replace(CURVE, "")
    card = card.replace(str(model), out.name)
    (out / folder.CARD).write_text(f"{card.rstrip()}\n\n{MADE}\n{notice.read_text(encoding='utf-8')}", encoding="utf-8")
    for name in sorted(path for path in out.rglob("*") if path.is_file()):
        print(f"{name.relative_to(out).as_posix():32} {name.stat().st_size:12,}")


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:5]), *sys.argv[5:])
