"""Freezing a network up to a cut, so that the part before it is one fixed function."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial

from torch import nn

from foveal.graph import CutPoint, Graph, trace
from foveal.graph.cut_points import find_cut_point
from foveal.models.surgery.changed_copy import own_copy
from foveal.text import count_noun


@dataclass(frozen=True, slots=True)
class TrainablePart:
    """What training would change in a network, and what it would not.

    Attributes:
        num_trainable: Elements of parameters with ``requires_grad``.
        num_frozen: Elements of the others.
        trainable: The largest modules, or else single parameters, that are trainable as a
            whole, in the model's order; ``""`` is the whole network.
        frozen: The same for what is frozen.
        fixed_norms: Paths of batch norms that keep their statistics whatever mode is asked for.
    """

    num_trainable: int
    num_frozen: int
    trainable: tuple[str, ...]
    frozen: tuple[str, ...]
    fixed_norms: tuple[str, ...]

    @property
    def description(self) -> str:
        """Says it in sentences."""
        total = self.num_trainable + self.num_frozen
        said = [
            f"Trainable: {_listed(self.trainable)} "
            f"({self.num_trainable:,} of {total:,} parameters).",
            f"Frozen: {_listed(self.frozen)}.",
        ]
        if self.fixed_norms:
            keeps = "keeps its" if len(self.fixed_norms) == 1 else "keep their"
            said.append(f"{count_noun(len(self.fixed_norms), 'batch norm')} {keeps} statistics.")
        return " ".join(said)


def freeze_to(model: nn.Module, point: CutPoint | str, *, input_shape: Sequence[int]) -> nn.Module:
    """Returns a copy whose part before a cut is fixed and whose part after it trains.

    Every parameter that is used before the cut gets ``requires_grad = False``, also one that
    is used after it too; every other parameter that is used gets ``True``. Modules that lie
    wholly before the cut are in evaluation mode and stay there after ``model.train()``: batch
    norms keep their statistics, dropout and stochastic depth are off. The part before the
    cut is thus one function of the image, and its result may be computed once and kept.
    Calling it again with another cut moves the cut, in either direction.

    Preserves: the outputs in evaluation mode, bit for bit; all parameters, names and shapes;
    the gradients of what stays trainable.

    Args:
        model: Left as it is.
        point: One of ``foveal.graph.cut_points``, or the name of one, such as ``"layer3"``.
        input_shape: ``(C, H, W)`` of one image.

    Returns:
        The copy. What can be trained in it: ``describe_trainable(copy).description``.

    Raises:
        UsageError: There is no such cut point; near ones are offered.
        TraceError: The model refuses the input.
    """
    changed = own_copy(model)
    graph = trace(changed, input_shape, mode="eval")
    cut = find_cut_point(graph, point) if isinstance(point, str) else point
    before = {name for op in graph.ops[: cut.op_index + 1] for name in op.parameters}
    after = {name for op in graph.ops[cut.op_index + 1 :] for name in op.parameters}
    for name in before:
        changed.get_parameter(name).requires_grad_(False)
    for name in after - before:
        parameter = changed.get_parameter(name)
        parameter.requires_grad_(parameter.is_floating_point())
    modules = dict(changed.named_modules())
    _release(modules.values())
    keep_in_evaluation(modules[path] for path in _modules_before(graph, cut, tuple(modules)))
    return changed


def describe_trainable(model: nn.Module) -> TrainablePart:
    """Returns what training would change in ``model`` as it is."""
    trainable: list[str] = []
    frozen: list[str] = []
    _collect(model, "", lambda parameter: parameter.requires_grad, trainable)
    _collect(model, "", lambda parameter: not parameter.requires_grad, frozen)
    return TrainablePart(
        num_trainable=sum(p.numel() for p in model.parameters() if p.requires_grad),
        num_frozen=sum(p.numel() for p in model.parameters() if not p.requires_grad),
        trainable=tuple(trainable),
        frozen=tuple(frozen),
        fixed_norms=tuple(
            path
            for path, module in model.named_modules()
            if isinstance(module, nn.modules.batchnorm._BatchNorm) and _stays_in_evaluation(module)
        ),
    )


def keep_in_evaluation(modules: Iterable[nn.Module]) -> None:
    """Puts modules in evaluation mode, in place, and makes ``train()`` pass by them.

    Weights are not frozen by this; statistics, dropout and the like are. It lasts through
    copies and pickles.
    """
    for module in modules:
        module.training = False
        # On the instance, so that a later model.train() finds it. A partial and no method:
        # pickle would look a method up by its name.
        module.train = partial(stay_in_evaluation, module)  # type: ignore[method-assign]


def stay_in_evaluation(module: nn.Module, mode: bool = True) -> nn.Module:
    """Stands in for ``module.train``: whatever is asked for, nothing changes."""
    return module


def _stays_in_evaluation(module: nn.Module) -> bool:
    own = module.__dict__.get("train")
    return isinstance(own, partial) and own.func is stay_in_evaluation


def _release(modules: Iterable[nn.Module]) -> None:
    for module in modules:
        if _stays_in_evaluation(module):
            del module.train


def _modules_before(graph: Graph, cut: CutPoint, paths: tuple[str, ...]) -> list[str]:
    """Returns the paths of modules all of whose operations come before the cut.

    What runs nothing of its own in evaluation mode, such as stochastic depth, goes with the
    module that it is part of.
    """
    last: dict[str, int] = {}
    for op in graph.ops:
        path = op.module_path
        while path:
            last[path] = op.index
            path = path.rpartition(".")[0]
    whole = {path for path, index in last.items() if index <= cut.op_index}
    running = set(last)
    found = []
    for path in paths:
        ancestor = path
        while ancestor and ancestor not in running:
            ancestor = ancestor.rpartition(".")[0]
        if ancestor in whole:
            found.append(path)
    return found


def _collect(
    module: nn.Module, path: str, wanted: Callable[[nn.Parameter], bool], found: list[str]
) -> None:
    parameters = list(module.parameters())
    if not any(wanted(parameter) for parameter in parameters):
        return
    if all(wanted(parameter) for parameter in parameters):
        found.append(path)
        return
    prefix = f"{path}." if path else ""
    found += [f"{prefix}{name}" for name, p in module.named_parameters(recurse=False) if wanted(p)]
    for name, child in module.named_children():
        _collect(child, f"{prefix}{name}", wanted, found)


def _listed(paths: tuple[str, ...]) -> str:
    if not paths:
        return "nothing"
    if paths == ("",):
        return "the whole network"
    shown = ", ".join(paths[:8])
    return f"{shown} and {len(paths) - 8} more" if len(paths) > 8 else shown
