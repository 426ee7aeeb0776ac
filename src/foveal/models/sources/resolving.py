"""MODEL as people type it: a name, a file with a factory, or a folder.

``timm:NAME``, ``torchvision:NAME``, ``foveal:NAME``, a bare name (looked up in that order),
``file.py:factory``, or a folder with ``config.json`` and ``model.safetensors`` in the layout
of timm's hub, which is what a run folder has.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from foveal.errors import UnknownModelError
from foveal.models.catalogue import CATALOGUE
from foveal.models.sources.from_file import from_file
from foveal.models.sources.from_folder import from_folder
from foveal.models.sources.from_foveal import from_foveal
from foveal.models.sources.from_timm import from_timm
from foveal.models.sources.from_torchvision import from_torchvision, torchvision_names
from foveal.models.sources.resolved import ResolvedModel, Weights
from foveal.text import near_names, printable

# In the order in which a bare name is looked up.
_LIBRARIES: tuple[tuple[str, Callable[[str, Weights], ResolvedModel]], ...] = (
    ("timm", from_timm),
    ("torchvision", from_torchvision),
    ("foveal", from_foveal),
)
_FORMS = (
    "MODEL is timm:NAME, torchvision:NAME, foveal:NAME, a bare name, file.py:factory, or a run "
    "folder."
)


def resolve_model(spec: str, *, weights: Weights = "none") -> ResolvedModel:
    """Builds the network that ``spec`` names.

    Args:
        spec: ``timm:NAME``, ``torchvision:NAME``, ``foveal:NAME``, ``NAME``,
            ``file.py:factory`` or a folder.
        weights: ``"none"`` builds named networks on the meta device, at no cost;
            ``"random"`` initialises them; ``"pretrained"`` downloads them. A factory decides
            for itself; a folder's weights are loaded unless ``"none"``.

    Raises:
        UnknownModelError: No model, file or factory of that name; near ones are offered.
        ModelError: The factory raised, or returned something else than a module.
        WeightsError: The weights cannot be had or do not fit.
    """
    for library, build in _LIBRARIES:
        if spec.startswith(f"{library}:"):
            return build(spec.removeprefix(f"{library}:"), weights)
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
        return from_folder(Path(spec), weights)
    return _from_bare_name(spec, weights)


def _from_bare_name(name: str, weights: Weights) -> ResolvedModel:
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
