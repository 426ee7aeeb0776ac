"""Networks from disk: ``file.py:factory``, and folders in the layout of timm's hub.

A factory is a function or class of the reader's own; the layout is that of a run folder too.
"""

from __future__ import annotations

import importlib.util
import json
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from foveal.errors import ModelError, UnknownModelError, WeightsError
from foveal.images import Preprocessing
from foveal.models.catalogue import OWN_PREFIX, find_architecture
from foveal.models.network import Network, describe_network
from foveal.models.sources.building import Weights, build_network, input_shape_of, read_input_shape
from foveal.text import near_names, printable

if TYPE_CHECKING:
    from torch import nn


def from_folder(folder: Path, weights: Weights) -> Network:
    """Builds what ``config.json`` names; loads ``model.safetensors`` unless told not to.

    Raises:
        UnknownModelError: timm has no architecture of that name.
        ModelError: There is no ``config.json``, or it is not what timm's hub has.
        WeightsError: The weights cannot be read or do not fit.
    """
    import timm

    from foveal.models.untrained import OwnNetwork
    from foveal.models.weights import read_state_dict

    shown = printable(str(folder))
    config_file = folder / "config.json"
    if not config_file.is_file():
        raise ModelError(
            f"The folder {shown} has no config.json, so it holds no model.",
            next_step="Give a run folder, or a folder in the layout of timm's hub.",
        )
    try:
        config = json.loads(config_file.read_text("utf-8"))
        architecture, num_classes = config["architecture"], int(config["num_classes"])
        stated = dict(config.get("pretrained_cfg") or {})
        head = config.get("foveal_head")
        stated["label_names"] = config.get("label_names") or stated.get("label_names")
    except (ValueError, KeyError, TypeError) as error:
        raise ModelError(
            f"{shown}/config.json is not what timm's hub has: {type(error).__name__} "
            f"{printable(str(error))}.",
            next_step="It must name architecture and num_classes.",
        ) from error
    is_own = str(architecture).startswith(OWN_PREFIX)
    if is_own:
        find_architecture(architecture)
    elif not timm.is_model(architecture):
        raise UnknownModelError(
            f"{shown}/config.json names the architecture {printable(str(architecture))!r}, which "
            "this version of timm does not have.",
            next_step="Install the version of timm that the run names.",
        )

    def build() -> nn.Module:
        network: nn.Module = (
            OwnNetwork(architecture, num_classes=num_classes)
            if is_own
            else timm.create_model(architecture, pretrained=False, num_classes=num_classes)
        )
        if head is not None:
            network = _over_stages(network, head, num_classes, shown)
        if weights != "none":
            state = read_state_dict(folder / "model.safetensors")
            try:
                network.load_state_dict(state)
            except RuntimeError as error:
                raise WeightsError(
                    f"{shown}/model.safetensors does not fit {architecture} with {num_classes} "
                    f"classes: {printable(str(error).splitlines()[-1].strip())}"
                ) from error
        return network

    module = build_network(build, weights)
    shape, origin = read_input_shape(stated.get("input_size"), "the folder's config.json")
    own = getattr(module, "pretrained_cfg", None) or {}
    network = describe_network(
        shown,
        module,
        "folder",
        shape,
        origin,
        config={"mean": own.get("mean"), "std": own.get("std"), **stated},
    )
    of_run = folder / "preprocessing.json"
    if not of_run.is_file():
        return network
    prepared = Preprocessing.from_json(json.loads(of_run.read_text("utf-8"))["preprocessing"])
    return replace(network, preprocessing=prepared, preprocessing_origin="of the run")


def _over_stages(
    network: nn.Module, settings: Mapping[str, Any], num_classes: int, shown: str
) -> nn.Module:
    """Returns the classifier of a run that is no network of timm's own."""
    from foveal.models.stacked import build_classifier_like

    try:
        return build_classifier_like(network, settings, num_classes=num_classes)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise ModelError(
            f"{shown}/config.json describes a head that this version does not know: "
            f"{type(error).__name__} {printable(str(error))}.",
            next_step="Train again with this version of Foveal.",
        ) from error


def from_file(file: Path, factory: str) -> Network:
    """Imports the file, calls the factory without arguments, returns what it makes.

    Raises:
        UnknownModelError: No such file or factory; near names are offered.
        ModelError: The file or the factory raises, or makes something else.
    """
    shown = printable(str(file))
    if not file.is_file():
        raise UnknownModelError(
            f"The file {shown} does not exist.",
            next_step=f"Check the path; it is looked up from {printable(str(Path.cwd()))}.",
        )
    module = _import_file(file)
    made_by = getattr(module, factory, None)
    if made_by is None:
        own = [
            name
            for name, value in vars(module).items()
            if callable(value)
            and not name.startswith("_")
            and getattr(value, "__module__", None) == module.__name__
        ]
        near = near_names(factory, own) or tuple(own[:5])
        raise UnknownModelError(
            f"{shown} has no {printable(factory)!r}.",
            next_step=f"It has {', '.join(near)}." if near else "It defines no function or class.",
        )
    network = _call_factory(made_by, f"{shown}:{factory}")
    return describe_network(
        f"{file.name}:{factory}", network.eval(), "file", *input_shape_of(network)
    )


def _import_file(file: Path) -> Any:
    shown = printable(str(file))
    name = f"foveal_factory_{abs(hash(file.resolve()))}"
    spec = importlib.util.spec_from_file_location(name, file)
    if spec is None or spec.loader is None:
        raise UnknownModelError(f"{shown} cannot be imported as Python.")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    with _importable(file.parent):
        try:
            spec.loader.exec_module(module)
        except Exception as error:
            del sys.modules[name]
            raise ModelError(
                f"Importing {shown} raised {type(error).__name__}: {printable(str(error))}"
                f"{_line_of(error, file)}",
                next_step="Run it with python to see the whole traceback.",
            ) from error
    return module


def _call_factory(made_by: Any, name: str) -> nn.Module:
    from torch import nn

    if isinstance(made_by, nn.Module):
        return made_by
    if not callable(made_by):
        raise ModelError(
            f"{name} is a {type(made_by).__name__}, expected a function or class that makes a "
            "torch.nn.Module."
        )
    try:
        made = made_by()
    except Exception as error:
        raise ModelError(
            f"{name} raised {type(error).__name__}: {printable(str(error))}",
            next_step="A factory is called without arguments; wrap it in a function that fills "
            "them in."
            if isinstance(error, TypeError)
            else "Run it with python to see the whole traceback.",
        ) from error
    if not isinstance(made, nn.Module):
        raise ModelError(
            f"{name} returned a {type(made).__name__}, expected a torch.nn.Module.",
            next_step="Return the model itself from the factory.",
        )
    return made


def _line_of(error: Exception, file: Path) -> str:
    traceback, line = error.__traceback__, None
    while traceback is not None:
        if traceback.tb_frame.f_code.co_filename == str(file):
            line = traceback.tb_lineno
        traceback = traceback.tb_next
    return "" if line is None else f" (line {line})"


@contextmanager
def _importable(folder: Path) -> Iterator[None]:
    """Lets a file import its neighbours, as it could when run by python."""
    sys.path.insert(0, str(folder.resolve()))
    try:
        yield
    finally:
        sys.path.remove(str(folder.resolve()))
