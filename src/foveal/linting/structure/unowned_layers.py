"""S119: layers that forward uses and the model does not own."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from foveal.graph.nested_tensors import tensors_with_paths
from foveal.layers import fully_borrowed
from foveal.linting.behaviour.function_calls import Call, calls_shown_to
from foveal.linting.context import LintContext
from foveal.linting.finding import Checked, Finding, Outcome, Severity
from foveal.linting.weights.start_values import looks_random
from foveal.text import count_noun

MAX_IMAGES = 2
MAX_DEPTH = 3
_MULTIPLY = frozenset({"conv1d", "conv2d", "conv3d", "conv_transpose2d", "linear"}) | frozenset(
    {"matmul", "rmatmul", "mm", "bmm", "addmm", "einsum"}
)
_OF_MODULES = frozenset({"_parameters", "_buffers", "_modules", "_non_persistent_buffers_set"})


def unowned_layers(context: LintContext) -> Outcome:
    """Finds weights outside ``model.parameters()``: in plain lists, or made in forward.

    With a batch, the gradient's graph of a real pass tells which weights are at work; without
    one, the attributes of the modules are looked through for layers that are not registered.
    """
    named = dict(_unowned(context.model))
    used = None if context.batch is None or not context.has_values else _used(context)
    if used is None:
        kept = {path: tensor for path, tensor in named.items() if tensor.requires_grad}
        return Checked(_kept(context, kept, "warning") if kept else ())
    held = {
        id(tensor)
        for group in (context.optimizer.param_groups if context.optimizer is not None else ())
        for tensor in group["params"]
    }
    at_work, again = used
    at_work = [tensor for tensor in at_work if id(tensor) not in held]
    paths = {id(tensor): path for path, tensor in named.items()}
    working = {id(tensor) for tensor in at_work}
    kept = {path: tensor for path, tensor in named.items() if id(tensor) in working}
    findings = list(_kept(context, kept, "error") if kept else ())
    # Both passes' tensors are alive, so no identity is used twice.
    second = {id(tensor) for tensor in again}
    unnamed = [tensor for tensor in at_work if id(tensor) not in paths]
    # A plain tensor that forward itself differentiates by, such as a copy of the images, is none.
    fleeting = [t for t in unnamed if id(t) not in second and isinstance(t, nn.Parameter)]
    staying = [tensor for tensor in unnamed if id(tensor) in second]
    if fleeting:
        findings.append(_made_anew(fleeting))
    if staying:
        findings.append(_from_elsewhere(staying))
    if (finding := _random_and_plain(context)) is not None:
        findings.append(finding)
    return Checked(tuple(findings))


def _random_and_plain(context: LintContext) -> Finding | None:
    """Finds plain tensors that look drawn at random and multiply images as weights do.

    Filters that are made by a formula are left alone, and so are buffers, which are saved.
    """
    plain = {
        tensor.untyped_storage().data_ptr(): path
        for path, tensor in _attributes(context.model, _plain_tensors_in)
    }
    owned = [*context.parameters.values(), *context.buffers.values()]
    for tensor in owned:
        if tensor.layout == torch.strided and not tensor.is_meta:
            plain.pop(tensor.untyped_storage().data_ptr(), None)
    if not plain:
        return None
    found: dict[str, Tensor] = {}

    def see(call: Call) -> None:
        if call.function not in _MULTIPLY:
            return
        for value in call.arguments:
            if isinstance(value, Tensor) and value.layout == torch.strided:
                path = plain.get(value.untyped_storage().data_ptr())
                if path is not None and looks_random(value):
                    found.setdefault(path, value)

    assert context.batch is not None
    device = next(iter(context.model.parameters()), context.batch).device
    with fully_borrowed(context.model) as model, torch.no_grad(), calls_shown_to(model, see):
        for module in model.modules():
            module.training = False
        try:
            model(context.batch[:MAX_IMAGES].detach().to(device, copy=True))
        except Exception:
            return None
    if not found:
        return None
    path, tensor = next(iter(found.items()))
    return Finding(
        "S119",
        "warning",
        path,
        f"{path} is a plain tensor of {tensor.numel():,} numbers that look drawn at random, and "
        "forward multiplies by it as by weights: no optimizer trains it, state_dict() does not "
        "save it, and to(device) does not move it.",
        "Make it an nn.Parameter; or register_buffer, if it is to stay as it is.",
        data={"num_tensors": len(found), "num_weights": tensor.numel()},
    )


def _unowned(model: nn.Module) -> Iterator[tuple[str, Tensor]]:
    """Yields the weights in plain attributes of modules, with where they are."""
    owned = {id(parameter) for parameter in model.parameters()}
    for path, tensor in _attributes(model, _weights_in):
        if id(tensor) not in owned:
            owned.add(id(tensor))
            yield path, tensor


def _attributes(
    model: nn.Module, tensors_of: Callable[[Any, str], Iterator[tuple[str, Tensor]]]
) -> Iterator[tuple[str, Tensor]]:
    """Yields what ``tensors_of`` finds in plain attributes, and in lists and dicts of them."""
    for path, module in model.named_modules():
        for name, value in vars(module).items():
            if name in _OF_MODULES or name.endswith("_hooks"):
                continue
            for inner, item in _items(value, f"{path}.{name}" if path else name):
                yield from tensors_of(item, inner)


def _items(value: Any, path: str, *, depth: int = 0) -> Iterator[tuple[str, Any]]:
    if depth < MAX_DEPTH and isinstance(value, list | tuple):
        for index, item in enumerate(value):
            yield from _items(item, f"{path}[{index}]", depth=depth + 1)
    elif depth < MAX_DEPTH and isinstance(value, dict):
        for key, item in value.items():
            yield from _items(item, f"{path}[{key!r}]", depth=depth + 1)
    else:
        yield path, value


def _plain_tensors_in(value: Any, path: str) -> Iterator[tuple[str, Tensor]]:
    if (
        isinstance(value, Tensor)
        and not isinstance(value, nn.Parameter)
        and value.layout == torch.strided
        and not value.is_meta
        and value.is_floating_point()
        and not value.requires_grad
        and value.dim() > 1
    ):
        yield path, value


def _weights_in(value: Any, path: str) -> Iterator[tuple[str, Tensor]]:
    if isinstance(value, nn.Module):
        for name, parameter in value.named_parameters():
            yield f"{path}.{name}", parameter
    elif isinstance(value, Tensor) and value.is_leaf and value.requires_grad:
        yield path, value


def _used(context: LintContext) -> tuple[list[Tensor], list[Tensor]] | None:
    """Returns the foreign leaves of the gradient's graph in two passes; None if none can run."""
    assert context.batch is not None
    device = next(iter(context.model.parameters()), context.batch).device
    found: list[list[Tensor]] = []
    owned = {id(parameter) for parameter in context.model.parameters()}
    for _ in range(2):
        images = context.batch[:MAX_IMAGES].detach().to(device, copy=True)
        with fully_borrowed(context.model) as model, torch.enable_grad():
            for module in model.modules():
                # Statistics are not to be touched; nothing else here depends on the mode.
                module.training = False
            try:
                result = model(images)
            except Exception:
                return None
            outputs = [tensor for _, tensor in tensors_with_paths(result) if tensor.requires_grad]
        known = owned | {id(images)}
        found.append([leaf for leaf in leaves(outputs) if id(leaf) not in known])
    return found[0], found[1]


def leaves(outputs: list[Tensor]) -> list[Tensor]:
    """Returns the tensors that a backward pass from ``outputs`` would leave gradients in."""
    waiting: list[Any] = [tensor.grad_fn for tensor in outputs if tensor.grad_fn is not None]
    seen: set[Any] = set()
    found: dict[int, Tensor] = {}
    while waiting:
        node = waiting.pop()
        if node in seen:
            continue
        seen.add(node)
        variable = getattr(node, "variable", None)
        if isinstance(variable, Tensor):
            found.setdefault(id(variable), variable)
        waiting += [before for before, _ in node.next_functions if before is not None]
    return list(found.values())


def _kept(
    context: LintContext, tensors: dict[str, Tensor], severity: Severity
) -> tuple[Finding, ...]:
    path = next(iter(tensors))
    count = sum(tensor.numel() for tensor in tensors.values())
    attribute = path.partition("[")[0]
    return (
        Finding(
            "S119",
            severity,
            path,
            f"{count_noun(len(tensors), 'tensor')} of weights ({count:,} numbers, first {path}) "
            f"{'is' if len(tensors) == 1 else 'are'} not among the model's parameters: no "
            "optimizer that is given model.parameters() trains them, state_dict() does not save "
            "them, and to(device) does not move them.",
            f"Keep them in nn.ModuleList, nn.ModuleDict, nn.ParameterList or nn.Parameter "
            f"instead of the plain attribute {attribute}.",
            data={"num_tensors": len(tensors), "num_weights": count},
        ),
    )


def _made_anew(tensors: Sequence[Tensor]) -> Finding:
    shapes = ", ".join(str(tuple(tensor.shape)) for tensor in tensors[:3])
    return Finding(
        "S119",
        "error",
        "",
        f"forward makes {count_noun(len(tensors), 'tensor')} of weights anew in every pass (of "
        f"shape {shapes}): they are drawn again each time and never trained.",
        "Make the layer in __init__ and call it in forward.",
        data={"num_tensors": len(tensors)},
    )


def _from_elsewhere(tensors: list[Tensor]) -> Finding:
    shapes = ", ".join(str(tuple(tensor.shape)) for tensor in tensors[:3])
    return Finding(
        "S119",
        "error",
        "",
        f"forward uses {count_noun(len(tensors), 'tensor')} of weights (of shape {shapes}) that "
        "no module of the model owns, such as a global layer: model.parameters() leaves them out.",
        "Register the layer as an attribute of the model.",
        data={"num_tensors": len(tensors)},
    )
