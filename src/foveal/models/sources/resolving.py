"""A network from what its user gives: a name, a file with a factory, a folder, or a module.

``timm:NAME``, ``torchvision:NAME``, ``foveal:NAME``, a bare name (looked up in that order),
``file.py:factory``, or a folder with ``config.json`` and ``model.safetensors`` in the layout
of timm's hub, which is what a run folder has.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, get_args

from foveal.errors import UnknownModelError, UsageError
from foveal.models.catalogue import CATALOGUE
from foveal.models.network import Network, describe_network
from foveal.models.sources.building import Weights, input_shape_of
from foveal.models.sources.from_disk import from_file, from_folder
from foveal.models.sources.libraries import (
    from_foveal,
    from_timm,
    from_torchvision,
    torchvision_names,
)
from foveal.models.weights import load_checkpoint
from foveal.text import near_names, printable

if TYPE_CHECKING:
    from torch import nn

# In the order in which a bare name is looked up.
_LIBRARIES: tuple[tuple[str, Callable[[str, Weights], Network]], ...] = (
    ("timm", from_timm),
    ("torchvision", from_torchvision),
    ("foveal", from_foveal),
)
_FORMS = (
    "MODEL is timm:NAME, torchvision:NAME, foveal:NAME, a bare name, file.py:factory, or a run "
    "folder."
)


def open_network(
    model: str | os.PathLike[str] | nn.Module | Network,
    *,
    weights: Weights | str | os.PathLike[str] | None = None,
    input_shape: tuple[int | None, int, int] | None = None,
    mean: float | Sequence[float] | None = None,
    std: float | Sequence[float] | None = None,
    class_names: Sequence[str] = (),
) -> Network:
    """Returns the network that ``model`` names or is, with all that is known of it.

    Args:
        model: ``timm:NAME``, ``torchvision:NAME``, ``foveal:NAME``, ``NAME``,
            ``file.py:factory``, a folder, a module, or a network that was opened before.
        weights: ``"none"`` builds named networks on the meta device, at no cost; ``"random"``
            initialises them; ``"pretrained"`` downloads them; a file is a checkpoint that is
            loaded. If None, a folder's own are loaded, and names get none. A factory decides for
            itself, and a module has its own.
        input_shape: ``(C, H, W)`` of one image, where the network does not say it; C may be None.
        mean: One number, or one a channel, of values in [0, 1]; where the network does not say it.
        std: Likewise.
        class_names: What its outputs are called, in their order.

    Raises:
        UnknownModelError: No model, file or factory of that name; near ones are offered.
        ModelError: The factory raised, or returned something else than a module.
        WeightsError: The weights cannot be had or do not fit.
        UsageError: ``model`` is none of these, or what is stated cannot be.
    """
    network = _open(model, _which(weights))
    return network.stating(input_shape=input_shape, mean=mean, std=std, class_names=class_names)


def _which(weights: str | os.PathLike[str] | None) -> Weights | Path | None:
    if weights is None:
        return None
    for known in get_args(Weights):
        if weights == known:
            found: Weights = known
            return found
    file = Path(weights)
    if not file.is_file():
        raise UsageError(
            f"weights: got {printable(str(file))!r}, expected {', '.join(get_args(Weights))}, or a "
            "file that exists.",
            next_step="A checkpoint is a .safetensors, .pth, .pt or .bin file.",
        )
    return file


def _open(model: object, weights: Weights | Path | None) -> Network:
    from torch import nn

    if isinstance(model, Network):
        return model
    if isinstance(model, nn.Module):
        if weights is not None:
            raise UsageError(
                f"weights: got {weights!s} for a module, expected None: it has its own.",
                next_step="Load them into the module first.",
            )
        return describe_network(type(model).__name__, model, "object", *input_shape_of(model))
    if not isinstance(model, (str, os.PathLike)):
        raise UsageError(f"model: got {type(model).__name__}, expected a name, path or module.")
    text = os.fspath(model)
    if not isinstance(weights, Path):
        return _from_text(text, weights)
    network = _from_text(text, "none")
    if network.source == "timm":  # whose checkpoints say how many classes there are
        from foveal.models.pretrained import load_timm_network

        return replace(network, module=load_timm_network(network.name, weights=weights).network)
    if not network.has_weights:
        network = _from_text(text, "random")
    load_checkpoint(network.module, weights, name=network.name)
    return network


def _from_text(spec: str, weights: Weights | None) -> Network:
    named: Weights = weights or "none"
    for library, build in _LIBRARIES:
        if spec.startswith(f"{library}:"):
            return build(spec.removeprefix(f"{library}:"), named)
    file, colon, factory = spec.rpartition(":")
    if colon and file.endswith(".py"):
        return from_file(Path(file), factory)
    if spec.endswith(".py"):
        raise UnknownModelError(
            f"{printable(spec)} is a file; which factory in it makes the model is not said.",
            next_step=f"Write {printable(spec)}:NAME, NAME being a function or class without "
            "arguments.",
        )
    if Path(spec).is_dir():
        return from_folder(Path(spec), weights or "pretrained")
    return _from_bare_name(spec, named)


def _from_bare_name(name: str, weights: Weights) -> Network:
    import timm

    # timm's names may end in a tag that says how the weights were trained.
    known = {
        "timm": timm.is_model(name.split(".", 1)[0]),
        "torchvision": name in torchvision_names(),
        "foveal": any(entry.name == name for entry in CATALOGUE),
    }
    having = [(library, build) for library, build in _LIBRARIES if known[library]]
    if not having:
        raise _no_such_name(name)
    (_, build), *others = having
    found = build(name, weights)
    notes = [f"{library} has a {name} too: {library}:{name}." for library, _ in others]
    return replace(found, notes=(*found.notes, *notes))


def _no_such_name(name: str) -> UnknownModelError:
    import timm

    names = {
        "timm": timm.list_models(),
        "torchvision": torchvision_names(),
        "foveal": [entry.name for entry in CATALOGUE],
    }
    # Several libraries may have the same near name; the first is the one that it would mean.
    near: dict[str, str] = {}
    for library, _ in _LIBRARIES:
        for word in near_names(name, names[library]):
            near.setdefault(word, f"{library}:{word}")
    return UnknownModelError(
        f"None of timm, torchvision and foveal has a model named {printable(name)!r}, and there "
        "is no such folder.",
        next_step=f"Did you mean {' or '.join(list(near.values())[:4])}?" if near else _FORMS,
    )
