"""The training loop, for pretraining and finetuning with torch or JAX; a run can be interrupted and resumed.

A step's examples, learning rate and dropout depend on its number alone, so a run resumed from step n repeats exactly
what an uninterrupted run does.
"""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, NamedTuple

from numpy.typing import NDArray

from toccata.errors import ToccataError
from toccata.files import DISK_FULL, write_json
from toccata.training import checkpoint, log
from toccata.training.backend import Learner
from toccata.training.finite import diverged, infinite
from toccata.training.log import About, Evaluated, Logger
from toccata.training.loggers import Loggers, loggers
from toccata.training.options import TrainOptions
from toccata.training.schedule import rate
from toccata.training.stop import EARLY, Stop

REPLANNED = 0.1
"""After this share of its steps, a run with a time limit plans anew how many fit: the first were timed for seconds."""
SHORT = 60.0
"""A run of fewer seconds is not planned anew."""
_USED, _DIFFERENT = 0.97, 0.05
"""The share of the time limit that a new plan fills, and the least by which it differs from the old one."""
EVALUATING = 0.1
"""The most of a time limit that is spent on measuring the held-out loss."""


@dataclass
class State:
    """The state of a run besides weights and optimizer, as saved in a checkpoint."""

    steps: int
    """The total number of steps; with a time limit, planned anew once when a tenth of the steps is done."""
    step: int = 0
    """Steps done."""
    tokens: int = 0
    seconds: float = 0.0
    best_loss: float = float("inf")
    """The best held-out loss; infinite where nothing is held back."""
    best_step: int = 0
    selected_step: int = 0
    """The step of the weights that the model gets, so far; 0: none were saved for it."""
    evals_since_best: int = 0
    """Evaluations since the best one."""
    stopped: str = ""
    """Why the run ended before its last step, if it did."""
    batch: int = 0
    """Rows per step, over all processes; 0: written by a version that did not save it."""
    evaluations: int = 0
    """How many times the held-out loss is measured; 0: as the options say."""
    replanned: bool = False
    """Whether the number of steps was planned anew."""
    identity: dict[str, Any] = field(default_factory=dict)
    """Recipe and data, which a resumed run must match."""

    @classmethod
    def from_json(cls, saved: Mapping[str, Any]) -> State:
        """Return the state saved in a checkpoint; older versions wrote ``evals_since_best`` as ``stale``."""
        return cls(**{"evals_since_best" if name == "stale" else name: value for name, value in saved.items()})

    @classmethod
    def at(cls, found: Evaluated) -> State:
        """Return what is known of a state from an evaluation."""
        return cls(
            found.steps, found.step, found.tokens, found.seconds, found.best_loss, found.best_step, found.selected_step
        )


@dataclass(frozen=True)
class Step:
    """Progress, passed to the caller's ``report`` after each step."""

    step: int
    steps: int
    loss: float
    valid_loss: float | None
    tokens_per_second: float
    seconds_left: float

    def __str__(self) -> str:
        left, each = self.seconds_left, ((5400, 3600, "h"), (90, 60, "min"))
        size, unit = next(((size, unit) for least, size, unit in each if left >= least), (1, "s"))
        text = f"{left / size:.1f} {unit}" if unit == "h" else f"{left / size:.0f} {unit}"
        return f"loss {self.loss:.3f}, {self.tokens_per_second:,.0f} tokens/s, {text} left"


class _PendingStep(NamedTuple):
    """A step that was computed, but whose loss has not been read yet."""

    lr: float
    tokens: int
    waiting: float


class Trainer:
    """Trains a decoder; resumes from the checkpoint in ``folder`` if there is one.

    Args:
        learner: The decoder and its optimizer.
        options: The training options.
        folder: The folder for checkpoints and logs.
        identity: Recipe and data, saved in the checkpoint; a resumed run must have the same.
        report: Called with each step, on the main process.
        on_plan: Called before the first step with the number of steps and the measured tokens per second.
        facts: The run's recipe, data, model and machine for its logs, by section and name.
        say: Called with each message for the user, e.g. about a logger that fails.
        on_checkpoint: Called on the main process after a checkpoint was written from which the run can be resumed.
        more_loggers: Further loggers of the main process, each with its name.
        batch: Rows per step, over all processes.
        most_steps: The run has no more steps than this, whatever the options say; None: any number.
    """

    def __init__(
        self,
        learner: Learner,
        options: TrainOptions,
        folder: Path,
        *,
        identity: dict[str, Any] | None = None,
        report: Callable[[Step], None] | None = None,
        on_plan: Callable[[int, float], None] | None = None,
        facts: Mapping[str, Mapping[str, Any]] | None = None,
        say: Callable[[str], None] | None = None,
        on_checkpoint: Callable[[], None] | None = None,
        more_loggers: Sequence[tuple[str, Logger]] = (),
        batch: int = 0,
        most_steps: int | None = None,
    ) -> None:
        self.learner, self.options, self.folder, self.report, self.say = learner, options, folder, report, say
        self.facts, self.on_plan, self.on_checkpoint = facts or {}, on_plan, on_checkpoint
        self.more_loggers = more_loggers
        self._most = most_steps or sys.maxsize
        self.state = State(steps=min(options.steps, self._most), batch=batch, identity=identity or {})
        self._saved: int | None = None  # the step of the checkpoint on disk

    def run(self) -> State:
        """Train to the end, from the last checkpoint if there is one.

        Raises:
            NotFiniteError: The loss or a weight is no longer finite. The last checkpoint is from before that.
            ToccataError: The disk is full, or a checkpoint cannot be read. Earlier checkpoints stay valid.
            KeyboardInterrupt: Ctrl-C or SIGTERM at any process of the run, after the current step was finished and a
                checkpoint was written.
        """
        resumed = self._resume()
        if self.state.step >= self.state.steps or self.state.stopped:
            return self.state
        self._say_start(resumed)
        logs = Loggers(())
        if self.learner.is_main:
            logs = loggers(self.folder, self.options, self.say, self.more_loggers)
        try:
            with Stop() as stop:
                if not resumed:
                    self._plan(stop)
                    self._save(checkpoint.LAST)  # the plan is part of the state: a resumed run must not plan again
                logs.begin(About(self.folder.parent.name, self.state.step, self.state.steps, self.facts))
                self._loop(logs, stop)
        except OSError as error:
            if error.errno in DISK_FULL:
                raise ToccataError(
                    f"the disk of {self.folder} is full: make room and run the same command again; nothing of the last "
                    f"checkpoint is lost",
                    path=self.folder,
                    kind="disk-full",
                ) from None
            raise
        finally:
            self.learner.end()
            logs.close()
        return self.state

    def _say_start(self, resumed: bool) -> None:
        """Say from which step the run resumes, and why from no later one if later steps had been done."""
        if self.say is None or not self.learner.is_main:
            return
        step = self.state.step
        reached = max((int(row["step"]) for row in log.read(self.folder / "log.csv")), default=0)
        if step:
            again = f"; steps {step + 1:,} to {reached:,} were done after the last checkpoint, and are done again"
            self.say(f"Going on after step {step:,} of {self.state.steps:,}{again if reached > step else ''}")
        elif reached:
            why = "the run ended before its first checkpoint" if resumed else f"there is no {checkpoint.LAST} any more"
            self.say(f"Starting again from step 0, because {why} ({reached:,} steps were done)")

    def _loop(self, logs: Loggers, stop: Stop) -> None:
        options, state, learner = self.options, self.state, self.learner
        every = max(1, state.steps // (state.evaluations or options.evaluations))
        learner.begin(state.step)
        saved, until = time.monotonic(), min(EARLY, options.checkpoint_minutes * 60)
        began, pending = time.monotonic(), list[_PendingStep]()
        while state.step < state.steps and not state.stopped:
            number = state.step + len(pending)
            lr = rate(options, number, state.steps)
            pending.append(_PendingStep(lr, *learner.step(number, lr)))
            evaluated = (number + 1) % every == 0 or number + 1 == state.steps
            if (number + 1) % learner.reads and not evaluated:
                continue
            loss, held_out = self._read(pending, began, logs, evaluated=evaluated)
            if self.report is not None and learner.is_main:
                left = (state.steps - state.step) * state.seconds / state.step
                self.report(Step(state.step, state.steps, loss, held_out, state.tokens / state.seconds, left))
            stopping = learner.any(stop.requested)
            due = learner.any(time.monotonic() - saved > until)
            if options.minutes is not None and not state.replanned and state.step >= REPLANNED * state.steps:
                self._replan(options.minutes * 60)
                every = max(1, state.steps // (state.evaluations or options.evaluations))
                due = True  # a run resumed from before it would plan otherwise
            if due or stopping or state.step == state.steps or state.stopped:
                self._save(checkpoint.LAST, logs)
                saved, until = time.monotonic(), options.checkpoint_minutes * 60
            if stopping:
                raise KeyboardInterrupt
            began, pending = time.monotonic(), []

    def _replan(self, limit: float) -> None:
        """Plan anew how many steps fit into a time limit in seconds, by how long those done have taken.

        The machine may have been busy with something else in the seconds in which the first ones were timed.
        """
        state = self.state
        state.replanned = True
        each = self.learner.mean(state.seconds / state.step)
        steps = min(self._most, state.step + int(max(0.0, _USED * limit - each * state.step) / each))
        if limit >= SHORT and abs(steps - state.steps) > _DIFFERENT * state.steps:
            how = "faster" if steps > state.steps else "slower"
            if self.say is not None and self.learner.is_main:
                self.say(f"The machine is {how} than in its first seconds: {steps:,} steps fit, not {state.steps:,}")
            state.steps = max(state.step + 1, steps)

    def _read(
        self, pending: Sequence[_PendingStep], began: float, logs: Loggers, *, evaluated: bool
    ) -> tuple[float, float | None]:
        """Read, check and log the losses of pending steps; only then do the steps count as done.

        Returns:
            The last step's loss, and the held-out loss where it was measured.

        Raises:
            NotFiniteError: A loss is not finite. The state is still that of the step before it.
        """
        state, loss = self.state, math.nan
        lines: list[dict[str, float]] = []
        for step, loss in zip(pending, self.learner.losses(), strict=True):
            self._refuse_infinite(loss, f"the loss of step {state.step + 1:,}", logs)
            state.step += 1
            state.tokens += step.tokens
            line = {"step": state.step, "loss": loss, "lr": step.lr, "tokens": state.tokens, "waiting": step.waiting}
            lines.append(line)
        held_out = self._evaluate(logs) if evaluated else None
        took = (time.monotonic() - began) / len(pending)
        for step, line in zip(pending, lines, strict=True):
            state.seconds += took
            line |= {"seconds": state.seconds, "tokens_per_second": step.tokens / took}
        if held_out is not None:
            lines[-1]["valid_loss"] = held_out
        for line in lines:
            logs.step(line)
        if evaluated:
            logs.evaluation(self._evaluated(loss, held_out))
        return loss, held_out

    def _refuse_infinite(self, value: float, what: str, logs: Loggers | None = None) -> None:
        """Raise if ``value`` is not finite, before anything computed with it is saved.

        Raises:
            NotFiniteError: ``value`` is not finite.
        """
        if math.isfinite(value):
            return
        error = diverged(what, "training", self.options, self._saved, self.folder)
        if logs is not None:
            logs.evaluation(replace(self._evaluated(value, None), failed=error.message))
        raise error

    def _evaluated(self, loss: float, held_out: float | None) -> Evaluated:
        state = self.state
        return Evaluated(
            state.step,
            state.steps,
            loss,
            held_out,
            state.best_loss,
            state.best_step,
            state.selected_step,
            state.tokens,
            state.seconds,
            state.stopped,
        )

    # -- evaluation ----------------------------------------------------------------------------------------------------

    def _evaluate(self, logs: Loggers) -> float | None:
        """Return the held-out loss; save the weights if they are to be selected, stop if patience has run out."""
        state = self.state
        held_out = self.learner.evaluate()
        if held_out is not None:
            self._refuse_infinite(held_out, f"the held-out loss after step {state.step:,}", logs)
            state.evals_since_best += 1
            if held_out < state.best_loss:
                state.best_loss, state.best_step, state.evals_since_best = held_out, state.step, 0
        # The loss of one training batch says little of the weights: with nothing held back, the last are selected.
        if held_out is None or self.options.select == "last" or state.best_step == state.step:
            state.selected_step = state.step
            self._save(checkpoint.BEST, logs)
        if self.options.patience and state.evals_since_best >= self.options.patience:
            state.stopped = (
                f"the held-out loss has not fallen since step {state.best_step}: from here on the model would "
                "memorise its data"
            )
        return held_out

    # -- planning and checkpoints --------------------------------------------------------------------------------------

    def _plan(self, stop: Stop) -> None:
        """Time a few steps, then undo them; with a time limit, set the number of steps that fit into it."""
        options, learner = self.options, self.learner
        before_trial = learner.saved()
        began, tokens = time.monotonic(), 0
        took: list[float] = []
        budget = 6.0 if options.minutes is None else max(2.0, 1.8 * options.minutes)  # 3 % of the time limit
        learner.begin(0)
        while len(took) < 12 and (len(took) < 3 or self._all(time.monotonic() - began < budget)):
            before = time.monotonic()
            tokens, _ = learner.step(0, rate(options, 0, self.state.steps))
            (loss,) = learner.losses()
            took.append(time.monotonic() - before)
            self._refuse_infinite(loss, "the loss of the first steps")
            if learner.any(stop.requested):
                raise KeyboardInterrupt
        before = time.monotonic()
        learner.evaluate()
        evaluation = time.monotonic() - before
        learner.restore(before_trial)
        step = sorted(took[1:])[len(took[1:]) // 2]
        if options.minutes is not None:
            # In a short run on a slow machine they would leave no time to learn in.
            affordable = int(EVALUATING * options.minutes * 60 / max(evaluation, 1e-3))
            self.state.evaluations = int(learner.mean(max(1, min(options.evaluations, affordable))))
            left = options.minutes * 60 - (time.monotonic() - began) - evaluation * self.state.evaluations
            self.state.steps = min(self._most, max(1, int(learner.mean(max(1.0, left / step)))))
        if self.on_plan is not None and learner.is_main:
            self.on_plan(self.state.steps, tokens / step)

    def _all(self, condition: bool) -> bool:
        """Whether ``condition`` is true on every process, so that all of them do the same number of steps."""
        return self.learner.mean(float(condition)) == 1.0

    def _resume(self) -> bool:
        path = self.folder / checkpoint.LAST
        if not path.exists():
            return False
        state, arrays = checkpoint.load(path)
        saved = State.from_json(state)
        if not checkpoint.same_run(saved.identity, self.state.identity):
            raise checkpoint.other_run(self.folder, saved.identity, self.state.identity)
        try:
            self.learner.restore(arrays)
        except Exception as error:
            raise checkpoint.refused(path, error) from None
        self.state = replace(saved, batch=self.state.batch or saved.batch)
        self._saved = saved.step
        return True

    def _save(self, name: str, logs: Loggers | None = None) -> None:
        """Write a checkpoint.

        Raises:
            NotFiniteError: A value in it is not finite; the checkpoint on disk stays.
        """
        learner, state, last = self.learner, asdict(self.state), name == checkpoint.LAST
        if not (learner.is_main or learner.sharded):
            return
        parts, arrays = "", dict[str, NDArray[Any]]()
        if last and learner.sharded:
            parts = checkpoint.parts_of(self.state.step)
            if learner.is_main:
                checkpoint.remove_parts(self.folder)
            learner.any(False)  # a barrier: no process writes before that is done
            broken = None if learner.save_parts(self.folder / parts) else "a number"
        else:  # the best checkpoint holds only weights
            weights = {} if last else learner.weights()
            arrays = learner.saved() if last else {f"{checkpoint.MODEL}{key}": array for key, array in weights.items()}
            broken = infinite(arrays)
        if broken is not None:
            self._refuse_infinite(math.nan, f"{broken} after step {self.state.step:,}", logs)
        if not learner.is_main:
            return  # its part is written
        checkpoint.save(self.folder / name, arrays, state, parts)
        if last:
            checkpoint.remove_parts(self.folder, parts)
            self._saved = self.state.step
            write_json(self.folder / "state.json", state)
            if self.on_checkpoint is not None:
                self.on_checkpoint()
