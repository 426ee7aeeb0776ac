"""The training loop: every step a function of seed, epoch and batch, so that it can be resumed."""

from __future__ import annotations

import hashlib
import math
import time
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from foveal.errors import ModelError
from foveal.features.backends import why_no_bf16
from foveal.finetuning.averaging import Weights, move_average, put_weights, trained_weights
from foveal.finetuning.checkpoints import Checkpoints
from foveal.finetuning.epochs import EpochRow, TrainingListener
from foveal.finetuning.mixing import mix
from foveal.finetuning.rates import make_optimizer, parameter_groups, share_of_rate
from foveal.finetuning.settings import Recipe
from foveal.finetuning.sources import BatchSource
from foveal.interruption import interrupts_deferred

_SAVE_EVERY_SECONDS = 30.0
_NUM_WATCHED = 512
_EVALUATION_BATCH = 64


@dataclass(frozen=True, slots=True, eq=False)
class Examples:
    """What one network is trained on.

    Attributes:
        targets: [N, K], shares of every class that add up to 1: one-hot, or soft.
        weights: [N], how much each image counts in the loss.
        train: Rows that are trained on.
        validation: Rows of the inner split; may be empty.
        names: What each image is called in an error.
    """

    targets: NDArray[np.float32]
    weights: NDArray[np.float32]
    train: NDArray[np.int64]
    validation: NDArray[np.int64]
    names: Callable[[int], str] = str


@dataclass(frozen=True, slots=True, eq=False)
class Trained:
    """What a training ends with.

    Attributes:
        weights: Of the epoch that is kept.
        rows: One an epoch, with the start as epoch 0.
        kept_epoch: Whose weights are kept; 0 is the start.
        stopped: Why training ended before its last epoch; empty where it did not.
    """

    weights: Weights
    rows: tuple[EpochRow, ...]
    kept_epoch: int
    stopped: str = ""


@dataclass(slots=True)
class _State:
    epoch: int = 0
    batch: int = 0
    loss_sum: float = 0.0
    seconds: float = 0.0
    rows: list[EpochRow] = field(default_factory=list)
    kept_epoch: int = 0
    kept_loss: float = math.inf

    def to_json(self) -> dict[str, Any]:
        content = {name: getattr(self, name) for name in self.__slots__}
        content["rows"] = [_finite(asdict(row)) for row in self.rows]
        return _finite(content)

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> _State:
        read = dict(content)
        rows = [EpochRow(**{**row, "train_loss": _read(row["train_loss"])}) for row in read["rows"]]
        return cls(**{**read, "kept_loss": _read(read["kept_loss"], math.inf), "rows": rows})


def train_network(
    network: nn.Module,
    source: BatchSource,
    examples: Examples,
    recipe: Recipe,
    *,
    depths: Mapping[str, float],
    checkpoints: Checkpoints | None = None,
    listener: TrainingListener | None = None,
    clock: Callable[[], float] = time.perf_counter,
) -> Trained:
    """Trains ``network`` in place and returns the weights that are kept.

    Order, views, mixing and dropout are functions of the seed, the epoch, the batch and the
    image. A training that was killed and is called again with its checkpoints thus ends with
    the same bits, on the same machine with the same number of threads.

    Args:
        network: What reads the source's batches; its start is epoch 0.
        source: Gives batches.
        examples: The images, and who validates.
        recipe: The choices; ``precision`` must be settled.
        depths: By parameter, from 0 for the first layer of all to 1 for the classifier.
        checkpoints: Where to go on from, and to save to.
        listener: Is told of every step and epoch.
        clock: Gives seconds.

    Raises:
        ModelError: The loss is no finite number; the batch is named.
        KeyboardInterrupt: A signal came; a checkpoint was saved before.
    """
    run = _Run(network, source, examples, recipe, depths, checkpoints, listener, clock)
    with interrupts_deferred() as interrupted:
        return run.to_the_end(interrupted)


def predict_logits(
    network: nn.Module, source: BatchSource, rows: NDArray[np.int64], *, num_views: int = 1
) -> NDArray[np.float64]:
    """Returns logits [n, K] in evaluation mode, the mean over so many views from the image on."""
    was_training = [module.training for module in network.modules()]
    network.eval()
    parts = []
    with torch.inference_mode():
        for start in range(0, len(rows), _EVALUATION_BATCH):
            chosen = rows[start : start + _EVALUATION_BATCH]
            logits = torch.stack(
                [
                    network(source.batch(chosen, np.full(len(chosen), view, np.int64))).float()
                    for view in range(num_views)
                ]
            )
            parts.append(logits.mean(0))
    for module, mode in zip(network.modules(), was_training, strict=True):
        module.training = mode
    return torch.cat(parts).double().numpy()


def cross_entropy(logits: NDArray[np.float64], targets: NDArray[np.float32]) -> float:
    """Returns the mean cross-entropy of logits [N, K] with targets [N, K]."""
    shifted = logits - logits.max(1, keepdims=True)
    log_shares = shifted - np.log(np.exp(shifted).sum(1, keepdims=True))
    return float(-(targets * log_shares).sum(1).mean())


def accuracy_of(logits: NDArray[np.float64], targets: NDArray[np.float32]) -> float:
    """Returns the share of images whose likeliest class is the one with the largest target."""
    return float((logits.argmax(1) == targets.argmax(1)).mean())


class _Run:
    """One training in progress."""

    def __init__(
        self,
        network: nn.Module,
        source: BatchSource,
        examples: Examples,
        recipe: Recipe,
        depths: Mapping[str, float],
        checkpoints: Checkpoints | None,
        listener: TrainingListener | None,
        clock: Callable[[], float],
    ) -> None:
        self.network, self.source, self.examples, self.recipe = network, source, examples, recipe
        self.checkpoints, self.listener, self.clock = checkpoints, listener, clock
        self.optimizer = make_optimizer(parameter_groups(network, depths, recipe), recipe)
        self.names = [name for name, p in network.named_parameters() if p.requires_grad]
        self.parameters = [p for p in network.parameters() if p.requires_grad]
        self.targets = torch.from_numpy(examples.targets)
        self.weights = torch.from_numpy(examples.weights)
        self.batches = _batch_bounds(len(examples.train), recipe.batch_size)
        self.state = _State()
        self.average: Weights = trained_weights(network)
        self.kept: Weights = trained_weights(network)
        self.saved_at = clock()
        self._go_on()

    def to_the_end(self, interrupted: Callable[[], int | None]) -> Trained:
        state, recipe = self.state, self.recipe
        if not state.rows:
            self._measure(train_loss=math.nan)
        stopped = self._why_stop()
        while state.epoch < recipe.num_epochs and not stopped:
            order = _order(self.examples.train, recipe.seed, state.epoch)
            views = self.source.views_of(order, seed=recipe.seed, epoch=state.epoch)
            while state.batch < len(self.batches):
                self._step(order, views)
                if (number := interrupted()) is not None:
                    self._save()
                    raise KeyboardInterrupt(number)
                if self.clock() - self.saved_at > _SAVE_EVERY_SECONDS:
                    self._save()
            state.epoch += 1
            self._measure(train_loss=state.loss_sum / len(order))
            state.batch, state.loss_sum, state.seconds = 0, 0.0, 0.0
            self._save()
            stopped = self._why_stop()
        put_weights(self.network, self.kept)
        return Trained(self.kept, tuple(state.rows), state.kept_epoch, stopped)

    def _step(self, order: NDArray[np.int64], views: NDArray[np.int64]) -> None:
        state, recipe = self.state, self.recipe
        began = self.clock()
        low, high = self.batches[state.batch]
        rows = order[low:high]
        inputs = self.source.batch(rows, views[low:high])
        targets, weights = self.targets[rows], self.weights[rows]
        if recipe.smoothing:
            targets = targets * (1 - recipe.smoothing) + recipe.smoothing / targets.shape[1]
        number = _number("mix", recipe.seed, state.epoch, state.batch)
        inputs, targets, weights = mix(inputs, targets, weights, recipe=recipe, number=number)
        step = state.epoch * len(self.batches) + state.batch
        num_steps = recipe.num_epochs * len(self.batches)
        for group in self.optimizer.param_groups:
            group["lr"] = group["base_rate"] * share_of_rate(step, num_steps, recipe.warmup_share)
        self.network.train()
        if not recipe.train_batchnorm:
            keep_statistics(self.network)
        mixed = (
            torch.autocast("cpu", dtype=torch.bfloat16)
            if recipe.precision == "bf16"
            else nullcontext()
        )
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(_number("dropout", recipe.seed, state.epoch, state.batch))
            with mixed:
                logits = self.network(inputs.contiguous(memory_format=_layout(inputs)))
            loss = _loss(logits.float(), targets, weights)
            if bool(torch.isfinite(loss)):
                loss.backward()  # type: ignore[no-untyped-call]
        norm = (
            torch.nn.utils.clip_grad_norm_(self.parameters, recipe.max_norm)
            if bool(torch.isfinite(loss))
            else loss
        )
        if not bool(torch.isfinite(norm)):
            raise self._not_finite(rows)
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        if recipe.average_decay:
            move_average(self.average, self.network, decay=recipe.average_decay, step=step)
        state.loss_sum += float(loss.detach()) * len(rows)
        state.batch += 1
        state.seconds += self.clock() - began
        if self.listener is not None:
            self.listener.advance_fit(step + 1, num_steps)

    def _measure(self, *, train_loss: float) -> None:
        """Adds a row for the epochs done so far, and keeps the weights that are best."""
        state, examples, recipe = self.state, self.examples, self.recipe
        own = trained_weights(self.network)
        candidate = self.average if recipe.average_decay else own
        put_weights(self.network, candidate)
        watched = examples.train[:: max(1, -(-len(examples.train) // _NUM_WATCHED))]
        on_train = predict_logits(self.network, self.source, watched)
        loss = accuracy = None
        if len(examples.validation):
            logits = predict_logits(
                self.network, self.source, examples.validation, num_views=recipe.judged_views
            )
            loss = cross_entropy(logits, examples.targets[examples.validation])
            accuracy = accuracy_of(logits, examples.targets[examples.validation])
        # Without an inner split the last epoch is kept.
        if loss is None or not loss >= state.kept_loss:
            self.kept = {name: value.clone() for name, value in candidate.items()}
            state.kept_epoch, state.kept_loss = state.epoch, math.inf if loss is None else loss
        put_weights(self.network, own)
        speed = len(examples.train) / state.seconds if state.seconds > 0 else 0.0
        rate = max(group["lr"] for group in self.optimizer.param_groups) if state.epoch else 0.0
        row = EpochRow(
            state.epoch,
            train_loss,
            accuracy_of(on_train, examples.targets[watched]),
            loss,
            accuracy,
            rate,
            speed,
        )
        state.rows.append(row)
        if self.listener is not None:
            self.listener.end_epoch(row)

    def _why_stop(self) -> str:
        state = self.state
        waited = state.epoch - state.kept_epoch
        if not len(self.examples.validation) or waited < self.recipe.patience:
            return ""
        if state.epoch >= self.recipe.num_epochs:
            return ""
        return (
            f"stopped after epoch {state.epoch}: for {waited} epochs the loss on the inner split "
            "was not lower"
        )

    def _not_finite(self, rows: NDArray[np.int64]) -> ModelError:
        shown = ", ".join(self.examples.names(int(row)) for row in rows[:3])
        more = f" and {len(rows) - 3} more" if len(rows) > 3 else ""
        return ModelError(
            f"The loss or its gradient is not a finite number in epoch {self.state.epoch + 1}, "
            f"batch {self.state.batch + 1} of {len(self.batches)}: images {shown}{more}.",
            next_step="Use smaller learning rates (head_rate, now "
            f"{self.recipe.head_rate:g}), full precision, or look at these images. The last "
            "checkpoint is from before.",
        )

    def _save(self) -> None:
        self.saved_at = self.clock()
        if self.checkpoints is None:
            return
        tensors: dict[str, Tensor] = {}
        for kind, weights in (
            ("own", trained_weights(self.network)),
            ("average", self.average),
            ("kept", self.kept),
        ):
            tensors.update({f"{kind}/{name}": value for name, value in weights.items()})
        for name, parameter in zip(self.names, self.parameters, strict=True):
            for key, value in self.optimizer.state[parameter].items():
                if isinstance(value, Tensor):
                    tensors[f"optimizer/{key}/{name}"] = value
        self.checkpoints.save(tensors, self.state.to_json())

    def _go_on(self) -> None:
        """Takes up the newest checkpoint, if there is one."""
        found = None if self.checkpoints is None else self.checkpoints.load()
        if found is None:
            return
        tensors, facts = found
        by_kind: dict[str, Weights] = {"own": {}, "average": {}, "kept": {}}
        by_name = dict(zip(self.names, self.parameters, strict=True))
        for key, value in tensors.items():
            kind, _, name = key.partition("/")
            if kind in by_kind:
                by_kind[kind][name] = value
                continue
            what, _, name = name.partition("/")
            parameter = by_name[name]
            # In the parameter's own layout, as the optimizer itself would have made it.
            copied = value if value.ndim == 0 else torch.empty_like(parameter).copy_(value)
            self.optimizer.state[parameter][what] = copied.detach()
        put_weights(self.network, by_kind["own"])
        self.average, self.kept = by_kind["average"], by_kind["kept"]
        self.state = _State.from_json(facts)


def keep_statistics(network: nn.Module) -> None:
    """Puts batch norms in evaluation mode: they normalise by what they learned before."""
    for module in network.modules():
        if isinstance(module, nn.modules.batchnorm._BatchNorm):
            module.training = False


def settled(recipe: Recipe, network: nn.Module, shape: tuple[int, ...]) -> Recipe:
    """Returns the recipe with ``precision`` decided: bf16 where steps of it are faster.

    A processor without instructions for it is not asked: there it is emulated.
    """
    if recipe.precision != "auto":
        return recipe
    if why_no_bf16() is not None:
        return replace(recipe, precision="fp32")
    inputs = torch.zeros(min(16, recipe.batch_size), *shape)
    seconds = {}
    for name in ("fp32", "bf16"):
        times = []
        for _ in range(3):
            began = time.perf_counter()
            with torch.autocast("cpu", dtype=torch.bfloat16, enabled=name == "bf16"):
                result = network(inputs.contiguous(memory_format=_layout(inputs)))
            torch.autograd.grad(
                result.float().sum(), [p for p in network.parameters() if p.requires_grad]
            )
            times.append(time.perf_counter() - began)
        seconds[name] = min(times)
    faster = seconds["bf16"] < 0.9 * seconds["fp32"]
    return replace(recipe, precision="bf16" if faster else "fp32")


def _loss(logits: Tensor, targets: Tensor, weights: Tensor) -> Tensor:
    by_image = -(targets * logits.log_softmax(1)).sum(1)
    return (by_image * weights).sum() / weights.sum()


def _layout(inputs: Tensor) -> torch.memory_format:
    return torch.channels_last if inputs.ndim == 4 else torch.contiguous_format


def _batch_bounds(num_images: int, batch_size: int) -> list[tuple[int, int]]:
    """Returns where batches begin and end; a last one of a single image joins the one before.

    A batch norm that learns cannot normalise by one image.
    """
    starts = list(range(0, num_images, batch_size))
    if len(starts) > 1 and num_images - starts[-1] == 1:
        starts.pop()
    return list(zip(starts, [*starts[1:], num_images], strict=True))


def _order(rows: NDArray[np.int64], seed: int, epoch: int) -> NDArray[np.int64]:
    return np.random.default_rng(_number("order", seed, epoch)).permutation(rows)


def _number(*parts: object) -> int:
    digest = hashlib.sha256("\0".join(map(str, parts)).encode()).digest()
    return int.from_bytes(digest[:8]) >> 1


def _finite(content: dict[str, Any]) -> dict[str, Any]:
    """JSON has no NaN and no infinity."""
    return {
        name: None if isinstance(value, float) and not math.isfinite(value) else value
        for name, value in content.items()
    }


def _read(value: float | None, otherwise: float = math.nan) -> float:
    return otherwise if value is None else value
