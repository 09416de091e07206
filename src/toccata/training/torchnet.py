"""The torch backend: processes that train together, and a training step with Accelerate."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from datetime import timedelta
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from accelerate import Accelerator
from numpy.typing import NDArray
from torch import Tensor, nn

from toccata.corpus import batches as arrays
from toccata.corpus.examples import Examples
from toccata.errors import ToccataError
from toccata.model.config import DecoderConfig
from toccata.model.decoder import Decoder
from toccata.model.lora import adapt
from toccata.model.weights import from_arrays, to_arrays
from toccata.training import checkpoint, optim, sharding
from toccata.training.compute import Compute, workers
from toccata.training.data import Batch, batches
from toccata.training.device import accelerator, processes
from toccata.training.options import HIGHEST_SEED, TrainOptions
from toccata.training.trial import choose, usable

PATIENCE = timedelta(days=365)
"""The main process prepares the data, and learns tokens and codes, while the others wait: that may take days."""
LOOK = 0.05
"""Seconds between two looks at whether all are there."""
READS = 10
"""Steps on a GPU before their losses are read: to read one is to wait until the GPU has nothing left to do."""


class TorchBackend:
    """One process or several, each with a device and ``training.micro_batch_size`` rows a batch."""

    name = "torch"

    def __init__(self) -> None:
        self.processes = processes()
        # A second process group, as the one that trains times out when a process is silent for minutes.
        several = self.devices > 1 and dist.is_initialized()
        self._waiting: Any = dist.new_group(backend="gloo", timeout=PATIENCE) if several else None

    @property
    def is_main(self) -> bool:
        """Whether this is the main process, which writes the files."""
        return bool(self.processes.is_main_process)

    @property
    def devices(self) -> int:
        """The number of processes that train together."""
        return int(self.processes.num_processes)

    @contextmanager
    def main_first(self) -> Iterator[None]:
        """The main process goes through the block before the others, which wait for as long as it takes.

        Raises:
            ToccataError: The main process has ended in the block.
        """
        if not self.is_main:
            self._meet()
        yield
        if self.is_main:
            self._meet()

    def _meet(self) -> None:
        """Wait for all processes; a signal ends the waiting, which it could not do inside of the library."""
        if self._waiting is None:
            return
        met: Any = dist.barrier(group=self._waiting, async_op=True)
        while not met.is_completed():
            time.sleep(LOOK)
        try:
            met.wait()
        except RuntimeError:
            raise ToccataError(
                "a process that trains with this one has ended: its own error says why", kind="other-process"
            ) from None

    def compute(
        self, config: DecoderConfig, options: TrainOptions, say: Callable[[str], None], most: int | None = None
    ) -> Compute:
        """Return how a run computes on this machine; options left on ``auto`` are set by a trial."""
        return choose(config, options, say, most)

    def usable(self, known: Compute) -> Compute:
        """Return how a resumed run computes, without what this machine cannot do."""
        return usable(known)

    def facts(self) -> dict[str, str]:
        """The device, and torch's version."""
        device = str(self.processes.device)
        name = torch.cuda.get_device_name() if device.startswith("cuda") else device
        return {"device": name, "torch": str(torch.__version__)}

    def learner(
        self,
        config: DecoderConfig,
        weights: Mapping[str, NDArray[Any]] | None,
        train: Examples,
        valid: Examples | None,
        options: TrainOptions,
    ) -> TorchLearner:
        """A Decoder to be taught."""
        return TorchLearner(config, weights, train, valid, options)


class TorchLearner:
    """A Decoder and its optimisers, taught by numbered steps.

    Args:
        config: The Decoder's shape.
        weights: What to start from, by the names of a Decoder's parameters; None: from chance.
        train: Examples to learn from.
        valid: Examples to be measured on.
        options: How; ``options.micro_batch_size`` is for each process.
    """

    def __init__(
        self,
        config: DecoderConfig,
        weights: Mapping[str, NDArray[Any]] | None,
        train: Examples,
        valid: Examples | None,
        options: TrainOptions,
    ) -> None:
        self.train, self.valid, self.options = train, valid, options
        self.accelerator: Accelerator = accelerator(options)
        torch.manual_seed(options.seed)
        decoder = Decoder(config) if weights is None else from_arrays(config, weights)
        self.decoder = decoder.to(self.accelerator.device)
        self.decoder.kernel = None if options.attention == "auto" else options.attention
        self.sharded = options.shard and self.accelerator.num_processes > 1
        if options.compile == "on":
            self._compile()
        if self.sharded:
            sharding.shard(self.decoder)
        self.trained = self._trained()
        self.optimizers = optim.build(self.trained, options, bf16=self.accelerator.mixed_precision == "bf16")
        self.model: nn.Module = self.decoder if self.sharded else self.accelerator.prepare_model(self.decoder)
        self._packed = options.compile == "on"  # what is compiled is compiled for one form of batch
        self.ema: dict[str, Tensor] | None = None
        self.source: Generator[Batch, None, None] | None = None
        self.reads = READS if self.accelerator.device.type == "cuda" else 1
        self._losses: list[Tensor] = []
        self._valid_batches: list[Batch] = []

    def _trained(self) -> dict[str, nn.Parameter]:
        """What is trained, by name: the Decoder's parameters, or low-rank changes beside them."""
        options = self.options
        if not options.lora_rank:
            return dict(self.decoder.named_parameters())
        return adapt(self.decoder, options.lora_rank, options.lora_alpha / options.lora_rank, options.lora_parts)

    def _compile(self) -> None:
        """Compile the decoder: as one graph on a GPU; block by block on a processor, or if it is sharded."""
        if self.accelerator.device.type != "cuda" or self.sharded:
            self.decoder.compile_blocks()
            return
        # What overlaps gradients with the backward pass of several processes cannot cut a graph with FlexAttention.
        torch._dynamo.config.optimize_ddp = False
        self.decoder.compile_whole()

    @property
    def is_main(self) -> bool:
        """Whether this is the main process, which writes the files."""
        return bool(self.accelerator.is_main_process)

    def begin(self, step: int) -> None:
        """Make ready for the batches from ``step`` on."""
        self.end()
        options = self.options
        self.source = batches(
            self.train,
            options.micro_batch_size,
            start=step * options.gradient_accumulation_steps,
            rank=self.accelerator.process_index,
            processes=self.accelerator.num_processes,
            workers=workers(options),
            packed=self._packed,
            pinned=self.accelerator.device.type == "cuda",
        )

    def end(self) -> None:
        """No more steps: end the workers."""
        if self.source is not None:
            self.source.close()
            self.source = None

    def step(self, number: int, lr: float) -> tuple[int, float]:
        """Update the weights once; nothing in it waits for a GPU.

        Returns:
            Tokens read by all processes, seconds of waiting for data.
        """
        assert self.source is not None
        options, accelerator = self.options, self.accelerator
        torch.manual_seed(((options.seed * 1_000_003 + number) * 64 + accelerator.process_index) & HIGHEST_SEED)
        total, tokens, waiting = torch.zeros((), device=accelerator.device), 0, 0.0
        for micro in range(options.gradient_accumulation_steps):
            before = time.monotonic()
            batch = next(self.source)
            waiting += time.monotonic() - before
            last = micro == options.gradient_accumulation_steps - 1
            loss = self._loss(batch, sync=last)
            total += loss.detach() / options.gradient_accumulation_steps
            tokens += batch.inputs.numel()
        if options.clip:
            accelerator.clip_grad_norm_(self.decoder.parameters(), options.clip)
        for optimizer in self.optimizers:
            for group in optimizer.param_groups:
                group["lr"] = lr * group.get(optim.SCALE, 1.0)
            optimizer.step()
            optimizer.zero_grad()
        if options.ema:
            self._average(number)
        self._losses.append(total)
        return tokens * accelerator.num_processes, waiting

    def losses(self) -> list[float]:
        """The loss of each step since this was last called: the mean over all processes, in nats a token."""
        taken, self._losses = torch.stack(self._losses), []
        found: list[float] = self.accelerator.reduce(taken, "mean").tolist()
        return found

    def _loss(self, batch: Batch, *, sync: bool) -> Tensor:
        batch = batch.to(self.accelerator.device)
        # What is shared out adds up gradients shared out, too: whole ones may have no room.
        context = nullcontext() if sync or self.sharded else self.accelerator.no_sync(self.model)
        with context, self.accelerator.autocast():
            loss: Tensor = self.model(batch.inputs, batch.packing, batch.targets, batch.features)
            self.accelerator.backward(loss / self.options.gradient_accumulation_steps)
        return loss

    @torch.no_grad()
    def _average(self, number: int) -> None:
        """Move the averaged weights towards the present ones; early on faster, so that the beginning is forgotten."""
        decay = min(self.options.ema, (1 + number) / (10 + number))
        weights = self.trained
        if self.ema is None:
            self.ema = {name: weight.detach().clone() for name, weight in weights.items()}
        for name, average in self.ema.items():
            average.lerp_(weights[name], 1 - decay)

    @torch.no_grad()
    def evaluate(self) -> float | None:
        """The loss on held-out examples in nats a token, of the averaged weights where there are any."""
        if self.valid is None:
            return None
        if not self._valid_batches:
            rows = [self.valid.row(i) for i in range(self.options.valid_rows)]
            size = self.options.micro_batch_size
            made = (Batch.of(arrays.Batch.of(rows[i : i + size])) for i in range(0, len(rows), size))
            self._valid_batches = [batch.to(self.accelerator.device) for batch in made]
        weights = {name: p.detach().clone() for name, p in self.trained.items()} if self.ema else {}
        self._put(self.ema)
        self.decoder.eval()
        # A few rows now and then are not worth compiling for, and FlexAttention is nothing without that.
        kernel = self.decoder.kernel
        self.decoder.kernel = None if kernel == "flex" else kernel
        with torch.compiler.set_stance("force_eager"), self.accelerator.autocast():
            losses = [self.decoder(b.inputs, b.packing, b.targets, b.features) for b in self._valid_batches]
        sizes = [batch.inputs.numel() for batch in self._valid_batches]
        self.decoder.train()
        self.decoder.kernel = kernel
        self._put(weights)
        found = sum(float(loss) * size for loss, size in zip(losses, sizes, strict=True)) / sum(sizes)
        # What all decide by it, all have to decide alike, to the last bit.
        return self.mean(found) if self.accelerator.num_processes > 1 else found

    @torch.no_grad()
    def _put(self, weights: Mapping[str, Tensor] | None) -> None:
        for name, parameter in self.trained.items():
            if weights:
                parameter.copy_(weights[name])

    def mean(self, value: float | Tensor) -> float:
        """The mean of ``value`` over all processes."""
        value = torch.as_tensor(value, dtype=torch.float32, device=self.accelerator.device)
        return float(self.accelerator.reduce(value, "mean"))

    def any(self, yes: bool) -> bool:
        """Whether a process says yes."""
        return self.mean(float(yes)) > 0 if self.accelerator.num_processes > 1 else yes

    def weights(self) -> dict[str, NDArray[Any]]:
        """The weights by name, the averaged ones where there are any."""
        return self._gathered(self.ema or self.trained)

    def saved(self) -> dict[str, NDArray[Any]]:
        """All that later steps depend on."""
        return self._gathered(self._tensors())

    def save_parts(self, folder: Path) -> bool:
        """Write all that later steps depend on, each process its part; False: some of it is not finite."""
        tensors = self._tensors()
        if self.any(not sharding.is_finite(tensors)):
            return False
        sharding.save_parts(folder, tensors)
        return True

    @torch.no_grad()
    def _gathered(self, tensors: Mapping[str, Tensor]) -> dict[str, NDArray[Any]]:
        arrays: dict[str, NDArray[Any]] = {}
        for name, tensor in tensors.items():  # whole tensors are on the device one at a time
            arrays |= to_arrays({name: sharding.whole(tensor)})
        return arrays

    def _tensors(self) -> dict[str, Tensor]:
        """All that later steps depend on, as it is shared out."""
        tensors: dict[str, Tensor] = dict(_prefixed(checkpoint.MODEL, self.trained.items()))
        tensors.update(_prefixed("ema.", (self.ema or {}).items()))
        for i, optimizer in enumerate(self.optimizers):
            for number, values in optimizer.state_dict()["state"].items():
                for name, value in values.items():
                    tensors[f"optimizer{i}.{number}.{name}"] = torch.as_tensor(value)
        return tensors

    def restore(self, arrays: Mapping[str, NDArray[Any]]) -> None:
        """Put what :meth:`saved` gave into place.

        Raises:
            ValueError: A weight is missing.
            RuntimeError: A weight has another shape.
        """
        tensors = {name: torch.tensor(array) for name, array in arrays.items()}

        def part(prefix: str) -> dict[str, Tensor]:
            return {name.removeprefix(prefix): t for name, t in tensors.items() if name.startswith(prefix)}

        model = part(checkpoint.MODEL)
        weights = self.trained
        if missing := set(weights) - set(model):
            raise ValueError(f"it lacks {min(missing)}")
        for name, weight in weights.items():  # a tied weight is there once
            sharding.fill(weight, model[name])
        for i, optimizer in enumerate(self.optimizers):
            parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
            values: dict[int, dict[str, Tensor]] = {}
            for name, tensor in part(f"optimizer{i}.").items():
                number, _, key = name.partition(".")
                like = parameters[int(number)]
                values.setdefault(int(number), {})[key] = sharding.shared_like(tensor, like)
            optimizer.load_state_dict({**optimizer.state_dict(), "state": values})
        device = self.accelerator.device
        averages = part("ema.").items()
        self.ema = {name: sharding.shared_like(t.to(device), weights[name]) for name, t in averages} or None


def _prefixed(prefix: str, named: Iterable[tuple[str, Tensor]]) -> Iterator[tuple[str, Tensor]]:
    return ((f"{prefix}{name}", tensor) for name, tensor in named)
