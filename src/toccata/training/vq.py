"""Learning codes: the VQ-VAE of a corpus, which is made before the model that writes them.

Everything a step does follows from its number, as in the loop of the model itself: a run that was broken off goes on as
if it had not been.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import safe_open
from safetensors.torch import load_file
from safetensors.torch import save as to_bytes
from torch import Tensor

from toccata.corpus.store import Corpus
from toccata.errors import CorpusError, ModelError, ToccataError
from toccata.files import read_json, write_bytes, write_json
from toccata.model.vqconfig import ABOUT, WEIGHTS, VqConfig
from toccata.model.vqvae import Codec, VqVae
from toccata.tokenizers.agreement import Agreement, agreement
from toccata.tokenizers.rolls import notes
from toccata.training import checkpoint
from toccata.training.device import device
from toccata.training.finite import diverged
from toccata.training.options import FEWEST, HIGHEST_SEED, CodecOptions
from toccata.training.slices import MOST, Slices, transposed
from toccata.training.stop import EARLY, Stop

LAST = "vq-last.safetensors"
_THRESHOLDS = (0.2, 0.25, 0.3, 0.35, 0.4, 0.45, 0.5, 0.55, 0.6)


@dataclass
class CodecState:
    """The state of a run besides its weights."""

    steps: int
    """Steps in all; fixed when the run begins."""
    step: int = 0
    """Steps done."""
    seconds: float = 0.0
    best_loss: float = float("inf")
    """Nats a quarter note, on pieces held back."""
    best_step: int = 0
    evals_since_best: int = 0
    """Evaluations since the best one."""
    stopped: str = ""
    """Why the run ended before its last step, if it did."""
    threshold: float = 0.5
    """The least probability that counts as a note; found at the end."""
    f1: float = 0.0
    """The F1 score of reconstructed onsets and pitches, on held-out pieces."""
    duration_error: float = 0.0
    """Mean difference of the durations that come back, in quarters."""
    identity: dict[str, Any] = field(default_factory=dict)
    """Config, options and data; a run of other ones is another run."""


@dataclass(frozen=True)
class CodecStep:
    """Progress, passed to the caller's ``report`` after each step."""

    step: int
    steps: int
    loss: float
    valid_loss: float | None
    seconds_left: float


def train_codec(
    corpus: Corpus,
    config: VqConfig,
    options: CodecOptions,
    folder: Path,
    *,
    report: Callable[[CodecStep], None] | None = None,
    say: Callable[[str], None] | None = None,
) -> CodecState:
    """Learn the codes of a corpus, or go on learning them; what is there already is not done again.

    Args:
        corpus: Its training split is learned from, its valid split held back.
        config: The VQ-VAE's shape.
        options: How.
        folder: Where ``vq.json`` and ``vq.safetensors`` go, and the state to resume from, which is removed at the end.
        report: Called after each step.
        say: Called with each message for the user.

    Raises:
        CorpusError: No piece to learn from.
        ToccataError: The folder holds a run of another config or other data, or a state that cannot be read.
        KeyboardInterrupt: After the state has been written.
    """
    identity = {"config": config.to_json(), "options": asdict(options), "data": corpus.digest}
    identity = json.loads(json.dumps(identity))
    done = _done(folder, identity)
    if done is not None:
        return done
    return _Run(corpus, config, options, folder, identity, report, say).go()


def load_codec(folder: Path) -> Codec:
    """The codes that were learned in ``folder``, for encoding and decoding with torch.

    Raises:
        ModelError: Files are missing, damaged, or do not fit each other.
    """
    try:
        about = read_json(folder / ABOUT)
        model = VqVae(VqConfig.from_json(about["config"]))
        model.put(load_file(folder / WEIGHTS))
        return Codec(model.to(device()), float(about["threshold"]))
    except Exception as error:
        # Whatever is wrong, from a torn file to shapes of another model, the remedy is the same.
        reason = " ".join(str(error).split())[:200]
        raise ModelError(f"the codes of {folder} cannot be read ({reason}): train them again", path=folder) from None


def _done(folder: Path, identity: dict[str, Any]) -> CodecState | None:
    """Return the state of the finished run in ``folder``, if it is this run."""
    try:
        about = read_json(folder / ABOUT)
        state = _state(about["state"])
    except (OSError, ValueError, KeyError, TypeError):
        return None
    if state.identity != identity:
        raise _other_run(folder, state.identity, identity)
    return state


def _state(saved: dict[str, Any]) -> CodecState:
    """Return a saved state, which older versions wrote under other names."""
    now = {"stale": "evals_since_best"}
    state = CodecState(**{now.get(name, name): value for name, value in {**saved}.items()})
    config = state.identity.get("config") or {}
    if "book" in config:
        config["codebook"] = config.pop("book")
    return state


def _other_run(folder: Path, saved: dict[str, Any], now: dict[str, Any]) -> ToccataError:
    def sections(identity: dict[str, Any]) -> dict[str, Any]:
        return {
            "recipe": {"codec": identity.get("config"), "codec_training": identity.get("options")},
            "data": identity.get("data"),
        }

    changed = checkpoint.differences(sections(saved), sections(now))
    return ToccataError(
        f"{folder} holds codes of other settings or other data ({changed}): choose another folder, or delete this one",
        path=folder,
        kind="other-run",
    )


class _Run:
    def __init__(
        self,
        corpus: Corpus,
        config: VqConfig,
        options: CodecOptions,
        folder: Path,
        identity: dict[str, Any],
        report: Callable[[CodecStep], None] | None,
        say: Callable[[str], None] | None,
    ) -> None:
        self.config, self.options, self.folder, self.report = config, options, folder, report
        self.say = say or (lambda line: None)
        self.train = Slices(corpus, "train", config.steps, MOST, options.seed)
        if not len(self.train):
            raise CorpusError(f"{corpus.folder} has no piece to learn codes from", path=corpus.folder)
        self.valid = Slices(corpus, "valid", config.steps, options.valid_rows, options.seed)
        if not len(self.valid):
            self.valid = Slices(corpus, "train", config.steps, options.valid_rows, options.seed)
        self.device = device()
        torch.manual_seed(options.seed)
        self.model = VqVae(config).to(self.device)
        self.optimizer = self._optimizer()
        self.state = CodecState(options.steps, identity=identity)
        self._whole = False  # whether weights, optimiser and state are those of one and the same step
        self._saved: int | None = None  # the step of the checkpoint on disk

    def _optimizer(self) -> torch.optim.Optimizer:
        return torch.optim.AdamW(
            self.model.parameters(),
            lr=self.options.lr,
            betas=(0.9, 0.98),
            weight_decay=self.options.weight_decay,
        )

    def go(self) -> CodecState:
        resumed = self._resume()
        state = self.state
        try:
            with Stop() as stop:
                if not resumed:
                    self._plan(stop)
                    self._save()
                elif state.step:
                    self.say(f"Going on with the codes after step {state.step:,} of {state.steps:,}")
                else:
                    self.say("Starting the codes again from step 0, because they ended before their first checkpoint")
                self._loop(stop)
        except KeyboardInterrupt:
            if self._whole:
                self._save()
            raise
        self._finish()
        return state

    def _loop(self, stop: Stop) -> None:
        state, options = self.state, self.options
        saved, until = time.monotonic(), min(EARLY, options.checkpoint_minutes * 60)
        every = max(1, state.steps // options.evaluations)
        while state.step < state.steps and not state.stopped:
            before = time.monotonic()
            self._whole = False  # from here on the weights are those of no step
            loss = self._step(state.step)
            self._refuse_infinite(loss, f"the loss of the codes' step {state.step + 1:,}")
            state.step += 1
            ends = state.step == state.steps
            held_out = self._evaluate() if state.step % every == 0 or ends else None
            state.seconds += time.monotonic() - before
            self._whole = True
            if self.report is not None:
                left = (state.steps - state.step) * state.seconds / state.step
                self.report(CodecStep(state.step, state.steps, loss, held_out, left))
            if time.monotonic() - saved > until or ends:
                self._save()
                saved, until = time.monotonic(), options.checkpoint_minutes * 60
            stop.check()

    def _refuse_infinite(self, value: float, what: str) -> None:
        """Raise if ``value`` is not finite, before anything computed with it is saved.

        Raises:
            NotFiniteError: ``value`` is not finite.
        """
        if not math.isfinite(value):
            raise diverged(what, "codec_training", self.options, self._saved, self.folder)

    def _refuse_broken(self, tensors: dict[str, Tensor]) -> None:
        for name, tensor in tensors.items():
            if not tensor.isfinite().all():
                self._refuse_infinite(math.nan, f"{name} of the codes after step {self.state.step:,}")

    def _step(self, step: int) -> float:
        """Update the weights once; its data and random numbers depend on the step's number alone."""
        options, state = self.options, self.state
        rng = np.random.default_rng((options.seed, step))
        torch.manual_seed((options.seed * 1_000_003 + step) & HIGHEST_SEED)
        slices = self.train.take(rng.integers(0, len(self.train), options.rows))
        shift = int(rng.integers(-options.transpose, options.transpose + 1))
        x = torch.from_numpy(transposed(slices, shift)).to(self.device).float()
        self.model.train()
        loss = self.model(x)
        loss.backward()
        if options.clip:
            torch.nn.utils.clip_grad_norm_(self.model.parameters(), options.clip)
        warm = max(1.0, options.warmup * state.steps)
        for group in self.optimizer.param_groups:
            group["lr"] = options.lr * min(1.0, (step + 1) / warm) * (1 - step / state.steps)
        self.optimizer.step()
        self.optimizer.zero_grad()
        return float(loss.detach())

    @torch.no_grad()
    def _held_out_loss(self) -> float:
        """Return the nats per quarter note on held-out pieces."""
        self.model.eval()
        total, rows = 0.0, self.options.rows
        for start in range(0, len(self.valid), rows):
            x = torch.from_numpy(self.valid.take(slice(start, start + rows))).to(self.device).float()
            total += float(self.model(x)) * len(x)
        return total / len(self.valid)

    def _evaluate(self) -> float:
        """Return the held-out loss; save the weights if it is the best so far, stop early if patience has run out."""
        state = self.state
        held_out = self._held_out_loss()
        self._refuse_infinite(held_out, f"the held-out loss of the codes after step {state.step:,}")
        if held_out < state.best_loss:
            self._refuse_broken(self.model.tensors())
            state.best_loss, state.best_step, state.evals_since_best = held_out, state.step, 0
            write_bytes(self.folder / WEIGHTS, to_bytes(self.model.tensors()))
        else:
            state.evals_since_best += 1
            patience = self.options.patience if len(self.valid.pieces) >= FEWEST else 0
            if patience and state.evals_since_best >= patience:
                state.stopped = f"the held-out loss has not fallen since step {state.best_step}"
        return held_out

    def _plan(self, stop: Stop) -> None:
        """With a time limit, time a few steps and undo them, to set the number of steps that fit into it."""
        options, state = self.options, self.state
        if options.minutes is not None:
            before_trial = {name: tensor.clone() for name, tensor in self.model.state_dict().items()}
            began = time.monotonic()
            took: list[float] = []
            while len(took) < 10 and (len(took) < 3 or time.monotonic() - began < 2 * options.minutes):
                before = time.monotonic()
                self._refuse_infinite(self._step(len(took)), "the loss of the codes' first steps")
                took.append(time.monotonic() - before)
                stop.check()
            before = time.monotonic()
            self._held_out_loss()
            evaluation = time.monotonic() - before
            self.model.load_state_dict(before_trial)
            self.optimizer = self._optimizer()
            left = options.minutes * 60 - (time.monotonic() - began) - evaluation * options.evaluations
            state.steps = max(1, int(left / sorted(took[1:])[len(took[1:]) // 2]))
        self.say(
            f"Learning {self.config.codes} codes a quarter note, of a codebook of {self.config.codebook:,}, from "
            f"{len(self.train):,} quarter notes in {state.steps:,} steps"
        )

    def _finish(self) -> None:
        """Load the best weights, find their threshold, write ``vq.json``, and delete the checkpoint."""
        state = self.state
        best = load_file(self.folder / WEIGHTS)
        self.model.put(best)
        found, state.threshold = self._agreement()
        state.f1, state.duration_error = round(found.f1, 4), round(found.duration_error, 4)
        about = {"config": self.config.to_json(), "threshold": state.threshold, "state": asdict(state)}
        write_json(self.folder / ABOUT, about)
        (self.folder / LAST).unlink(missing_ok=True)
        self.say(
            f"Of the notes held back {state.f1:.1%} come back (F1 of onset and pitch), their durations off by "
            f"{state.duration_error:.2f} quarters on average"
        )

    def _agreement(self) -> tuple[Agreement, float]:
        """Return how well held-out pieces are reconstructed, with the threshold that is best, and that threshold."""
        codec, start = Codec(self.model, 0.5), 0
        totals = dict.fromkeys(_THRESHOLDS, Agreement())
        for length in self.valid.pieces:
            slices = self.valid.take(slice(start, start + length))
            start += length
            truth, decoded = notes(slices, self.config.steps), codec.decode(codec.encode(slices))
            for threshold in _THRESHOLDS:
                totals[threshold] += agreement(truth, notes(decoded, self.config.steps, threshold=threshold))
        best = max(_THRESHOLDS, key=lambda threshold: totals[threshold].f1)
        return totals[best], best

    # -- resuming ------------------------------------------------------------------------------------------------------

    def _save(self) -> None:
        tensors = {f"model.{name}": tensor for name, tensor in self.model.state_dict().items()}
        for number, values in self.optimizer.state_dict()["state"].items():
            tensors |= {f"optimizer.{number}.{name}": torch.as_tensor(value) for name, value in values.items()}
        tensors = {name: tensor.detach().to("cpu").contiguous().clone() for name, tensor in tensors.items()}
        self._refuse_broken(tensors)
        write_bytes(self.folder / LAST, to_bytes(tensors, metadata={"state": json.dumps(asdict(self.state))}))
        self._saved = self.state.step

    def _resume(self) -> bool:
        path = self.folder / LAST
        if not path.exists():
            return False
        try:
            with safe_open(path, framework="pt") as file:
                saved = _state(json.loads(file.metadata()["state"]))
                tensors: dict[str, Tensor] = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
            if saved.identity != self.state.identity:
                raise _other_run(self.folder, saved.identity, self.state.identity)
            if broken := [name for name, tensor in tensors.items() if not tensor.isfinite().all()]:
                raise ValueError(f"{broken[0]} is not finite")
            self.model.load_state_dict(_part(tensors, "model."))
            values: dict[int, dict[str, Tensor]] = {}
            for name, tensor in _part(tensors, "optimizer.").items():
                number, _, key = name.partition(".")
                values.setdefault(int(number), {})[key] = tensor
            self.optimizer.load_state_dict({**self.optimizer.state_dict(), "state": values})
        except ToccataError:
            raise
        except Exception as error:
            reason = " ".join(str(error).split())[:200]
            raise ModelError(f"{path} cannot be resumed from ({reason}): delete it to begin anew", path=path) from None
        self.state, self._saved = saved, saved.step
        return True


def _part(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)}
