"""The training loop: one for pretraining and fine-tuning, on one processor or many, killed and resumed as one likes.

Everything a step does follows from its number: its examples, its learning rate, its dropout. So a run resumed from step
n does at every later step exactly what the unbroken run does.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from accelerate import Accelerator
from torch import Tensor

from toccata.corpus.examples import Examples
from toccata.errors import ToccataError
from toccata.files import write_json
from toccata.model.decoder import Decoder, Packing
from toccata.training import checkpoint, optim
from toccata.training.data import Batch, batches, stack
from toccata.training.device import accelerator as make_accelerator
from toccata.training.log import About, Evaluated
from toccata.training.loggers import FULL, Loggers, loggers
from toccata.training.options import TrainOptions
from toccata.training.schedule import rate
from toccata.training.stop import Stop


@dataclass
class State:
    """What a run remembers besides weights."""

    steps: int
    """Steps in all; fixed when the run begins."""
    step: int = 0
    """Steps done."""
    tokens: int = 0
    seconds: float = 0.0
    best_loss: float = float("inf")
    best_step: int = 0
    stale: int = 0
    """Evaluations since the best one."""
    stopped: str = ""
    """Why the run ended before its last step, if it did."""
    identity: dict[str, Any] = field(default_factory=dict)
    """Recipe and data; a run of other ones is another run."""


@dataclass(frozen=True)
class Step:
    """What the caller is told after each step, to show progress."""

    step: int
    steps: int
    loss: float
    valid_loss: float | None
    tokens_per_second: float
    seconds_left: float


class Trainer:
    """Trains a Decoder on examples; its state lives in ``folder`` and is continued if it is there.

    Args:
        model: The Decoder, on any device.
        train: Examples to learn from.
        valid: Examples to be measured on; None: the training loss decides which weights are kept.
        options: How.
        folder: Where checkpoints and logs go.
        identity: What makes this run this run (recipe, data); kept with the checkpoint.
        report: Called after each step, on the first process.
        say: Called before the first step with the number of steps and the tokens a second that were measured.
        facts: What the run is, by section and name, for whoever reads its logs.
        tell: Hears of a logger that fails.
        kept: Called when a checkpoint was written that the run can be gone on from, on the first process.
    """

    def __init__(
        self,
        model: Decoder,
        train: Examples,
        valid: Examples | None,
        options: TrainOptions,
        folder: Path,
        *,
        identity: dict[str, Any] | None = None,
        report: Callable[[Step], None] | None = None,
        say: Callable[[int, float], None] | None = None,
        facts: Mapping[str, Mapping[str, Any]] | None = None,
        tell: Callable[[str], None] | None = None,
        kept: Callable[[], None] | None = None,
    ) -> None:
        self.options, self.folder, self.report, self.say = options, folder, report, say
        self.facts, self.tell, self.kept = facts or {}, tell, kept
        self.accelerator: Accelerator = make_accelerator(options)
        self.train, self.valid = train, valid
        self.decoder = model.to(self.accelerator.device)
        self.optimizers = self._fresh_optimizers()
        self.model = self.accelerator.prepare_model(self.decoder)
        self.state = State(steps=options.steps, identity=identity or {})
        self.ema: dict[str, Tensor] | None = None
        self._valid_batches: list[Batch] = []

    def run(self) -> State:
        """Train to the end, from wherever the run is.

        Raises:
            ToccataError: The disk is full, or a checkpoint cannot be read. What was written before stays whole.
            KeyboardInterrupt: Ctrl-C or SIGTERM, after the step under way was finished and the state was written.
        """
        resumed = self._resume()
        if not resumed:
            self._plan()
        if self.state.step >= self.state.steps or self.state.stopped:
            return self.state
        logs = loggers(self.folder, self.options, self.tell) if self.accelerator.is_main_process else Loggers(())
        try:
            with Stop() as stop:
                if not resumed:
                    self._save(checkpoint.LAST)  # the plan is part of the state: a resumed run must not plan again
                logs.begin(About(self.folder.parent.name, self.state.step, self.state.steps, self.facts))
                self._loop(logs, stop)
        except OSError as error:
            if error.errno in FULL:
                raise ToccataError(
                    f"the disk of {self.folder} is full: make room and run the same command again; nothing of the last "
                    f"checkpoint is lost",
                    path=self.folder,
                    kind="disk-full",
                ) from None
            raise
        finally:
            logs.close()
        return self.state

    def _fresh_optimizers(self) -> list[torch.optim.Optimizer]:
        return optim.build(self.decoder, self.options, bf16=self.accelerator.mixed_precision == "bf16")

    def _loop(self, logs: Loggers, stop: Stop) -> None:
        options, state = self.options, self.state
        every = max(1, state.steps // options.evaluations)
        source = self._batches()
        saved = time.monotonic()
        while state.step < state.steps and not state.stopped:
            began = time.monotonic()
            loss, tokens, waiting = self._step(source)
            state.step += 1
            state.tokens += tokens
            held_out = None
            evaluated = state.step % every == 0 or state.step == state.steps
            if evaluated:
                held_out = self._evaluate(loss)
            took = time.monotonic() - began
            state.seconds += took
            values = {
                "step": state.step,
                "loss": loss,
                "lr": rate(options, state.step - 1, state.steps),
                "tokens": state.tokens,
                "seconds": state.seconds,
                "tokens_per_second": tokens / took,
                "waiting": waiting,
            }
            if held_out is not None:
                values["valid_loss"] = held_out
            logs.step(values)
            if evaluated:
                logs.evaluation(self._found(loss, held_out))
            if self.report is not None and self.accelerator.is_main_process:
                left = (state.steps - state.step) * state.seconds / state.step
                self.report(Step(state.step, state.steps, loss, held_out, state.tokens / state.seconds, left))
            due = time.monotonic() - saved > options.checkpoint_minutes * 60
            if due or stop.asked or state.step == state.steps or state.stopped:
                self._save(checkpoint.LAST)
                saved = time.monotonic()
            stop.check()

    def _found(self, loss: float, held_out: float | None) -> Evaluated:
        state = self.state
        return Evaluated(
            state.step,
            state.steps,
            loss,
            held_out,
            state.best_loss,
            state.best_step,
            state.tokens,
            state.seconds,
            state.stopped,
        )

    def _batches(self) -> Iterator[Batch]:
        options, accelerator = self.options, self.accelerator
        return batches(
            self.train,
            options.rows,
            start=self.state.step * options.accumulate,
            rank=accelerator.process_index,
            processes=accelerator.num_processes,
            workers=options.workers,
        )

    def _step(self, source: Iterator[Batch]) -> tuple[float, int, float]:
        """One update of the weights.

        Returns:
            The mean loss over all processes, tokens read by all of them, and seconds spent waiting for data.
        """
        options, accelerator = self.options, self.accelerator
        torch.manual_seed((options.seed * 1_000_003 + self.state.step) * 64 + accelerator.process_index)
        total, tokens, waiting = torch.zeros((), device=accelerator.device), 0, 0.0
        for micro in range(options.accumulate):
            before = time.monotonic()
            batch = next(source)
            waiting += time.monotonic() - before
            last = micro == options.accumulate - 1
            loss = self._loss(batch, sync=last)
            total += loss.detach() / options.accumulate
            tokens += batch.inputs.numel()
        if options.clip:
            accelerator.clip_grad_norm_(self.decoder.parameters(), options.clip)
        lr = rate(options, self.state.step, self.state.steps)
        for optimizer in self.optimizers:
            for group in optimizer.param_groups:
                group["lr"] = lr
            optimizer.step()
            optimizer.zero_grad()
        if options.ema:
            self._average()
        return float(accelerator.reduce(total, "mean")), tokens * accelerator.num_processes, waiting

    def _loss(self, batch: Batch, *, sync: bool) -> Tensor:
        device = self.accelerator.device
        packing = Packing.of(batch.lengths, device)
        context = self.accelerator.no_sync(self.model) if not sync else _nothing()
        with context, self.accelerator.autocast():
            loss: Tensor = self.model(batch.inputs.to(device), packing, batch.targets.to(device))
            self.accelerator.backward(loss / self.options.accumulate)
        return loss

    @torch.no_grad()
    def _average(self) -> None:
        """Move the averaged weights towards the present ones; early on faster, so that the beginning is forgotten."""
        decay = min(self.options.ema, (1 + self.state.step) / (10 + self.state.step))
        weights = dict(self.decoder.named_parameters())
        if self.ema is None:
            self.ema = {name: weight.detach().clone() for name, weight in weights.items()}
        for name, average in self.ema.items():
            average.lerp_(weights[name], 1 - decay)

    # -- evaluation ----------------------------------------------------------------------------------------------------

    def _evaluate(self, loss: float) -> float | None:
        """Measure the held-out loss; keep the weights if they are the best so far, stop if they have long not been."""
        state = self.state
        held_out = self._held_out()
        measured = loss if held_out is None else held_out
        if measured < state.best_loss:
            state.best_loss, state.best_step, state.stale = measured, state.step, 0
            self._save(checkpoint.BEST)
        else:
            state.stale += 1
            if self.options.patience and state.stale >= self.options.patience and held_out is not None:
                state.stopped = (
                    f"the held-out loss has not fallen since step {state.best_step}: from here on the model would "
                    "memorise its data"
                )
        return held_out

    @torch.no_grad()
    def _held_out(self) -> float | None:
        if self.valid is None:
            return None
        if not self._valid_batches:
            rows = [self.valid.row(i) for i in range(self.options.valid_rows)]
            size = self.options.rows
            self._valid_batches = [stack(rows[i : i + size]) for i in range(0, len(rows), size)]
        weights = {name: p.detach().clone() for name, p in self.decoder.named_parameters()} if self.ema else {}
        self._put(self.ema)
        self.decoder.eval()
        device, total, count = self.accelerator.device, 0.0, 0
        for batch in self._valid_batches:
            with self.accelerator.autocast():
                loss = self.decoder(
                    batch.inputs.to(device), Packing.of(batch.lengths, device), batch.targets.to(device)
                )
            total += float(loss) * batch.inputs.numel()
            count += batch.inputs.numel()
        self.decoder.train()
        self._put(weights)
        return total / count

    @torch.no_grad()
    def _put(self, weights: dict[str, Tensor] | None) -> None:
        for name, parameter in self.decoder.named_parameters():
            if weights:
                parameter.copy_(weights[name])

    # -- planning and keeping ------------------------------------------------------------------------------------------

    def _plan(self) -> None:
        """Measure a few steps, then undo them: what the run will take, or how many steps fit into the time there is."""
        options = self.options
        weights = {name: p.detach().clone() for name, p in self.decoder.named_parameters()}
        began, tokens = time.monotonic(), 0
        took: list[float] = []
        budget = 6.0 if options.minutes is None else max(2.0, 1.8 * options.minutes)  # 3 % of the time there is
        source = self._batches()
        while len(took) < 12 and (len(took) < 3 or self._all(time.monotonic() - began < budget)):
            before = time.monotonic()
            _, tokens, _ = self._step(source)
            took.append(time.monotonic() - before)
        del source
        before = time.monotonic()
        self._held_out()
        evaluation = time.monotonic() - before
        self.ema = None
        self._put(weights)
        self.optimizers = self._fresh_optimizers()
        step = sorted(took[1:])[len(took[1:]) // 2]
        if options.minutes is not None:
            left = options.minutes * 60 - (time.monotonic() - began) - evaluation * options.evaluations
            steps = torch.tensor(max(1.0, left / step), device=self.accelerator.device)
            self.state.steps = max(1, int(self.accelerator.reduce(steps, "mean")))
        if self.say is not None and self.accelerator.is_main_process:
            self.say(self.state.steps, tokens / step)

    def _all(self, yes: bool) -> bool:
        """Whether every process says yes: those that train together have to do the same number of steps."""
        vote = torch.tensor(float(yes), device=self.accelerator.device)
        return float(self.accelerator.reduce(vote, "mean")) == 1.0

    def _resume(self) -> bool:
        path = self.folder / checkpoint.LAST
        if not path.exists():
            return False
        state, self.ema = checkpoint.load(path, self.decoder, self.optimizers)
        saved = State(**state)
        if saved.identity != self.state.identity:
            raise ToccataError(
                f"{self.folder.parent} holds a run with another recipe or other data: choose another folder, or delete "
                f"its training/ folder",
                path=self.folder,
                kind="other-run",
            )
        self.state = saved
        return True

    def _save(self, name: str) -> None:
        if not self.accelerator.is_main_process:
            return
        state = asdict(self.state)
        if name == checkpoint.BEST:
            # Only weights are wanted of the best: the averaged ones where there are any.
            weights = {n: p.detach().clone() for n, p in self.decoder.named_parameters()} if self.ema else {}
            self._put(self.ema)
            checkpoint.save(self.folder / name, self.decoder, [], state, None)
            self._put(weights)
        else:
            checkpoint.save(self.folder / name, self.decoder, self.optimizers, state, self.ema)
            write_json(self.folder / "state.json", state)
            if self.kept is not None:
                self.kept()


class _nothing:  # noqa: N801 - stands where a function would
    def __enter__(self) -> None:
        return None

    def __exit__(self, *_: object) -> None:
        return None
