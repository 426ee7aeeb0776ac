"""MODEL as people type it: a name, a file with a factory, or a folder.

``timm:NAME``, ``torchvision:NAME``, a bare name (looked up in timm, then in torchvision),
``file.py:factory``, or a folder with ``config.json`` and ``model.safetensors`` in the layout
of timm's hub, which is what a run folder has.
"""

from __future__ import annotations

import importlib.util
import json
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from foveal.errors import ModelError, UnknownModelError, WeightsError
from foveal.text import near_names, printable

if TYPE_CHECKING:
    from torch import nn

Weights = Literal["none", "random", "pretrained"]

_FORMS = "MODEL is timm:NAME, torchvision:NAME, a bare name, file.py:factory, or a run folder."
_DEFAULT_SIZE = 224
# These draw their initial weights from SciPy, slowly, unless told not to.
_SLOW_TO_INITIALISE = frozenset({"googlenet", "inception_v3"})


@dataclass(frozen=True, slots=True)
class ResolvedModel:
    """A network and where it came from.

    Attributes:
        name: The whole name, such as ``"timm:resnet18"``.
        network: In evaluation mode. On the meta device where weights were not asked for.
        input_shape: ``(C, H, W)`` that it is made for, as far as that is known.
        input_origin: Where that shape comes from, as a phrase.
        notes: Facts the reader should know, such as a second library with that name.
    """

    name: str
    network: nn.Module
    input_shape: tuple[int, int, int]
    input_origin: str
    notes: tuple[str, ...] = ()


def resolve_model(spec: str, *, weights: Weights = "none") -> ResolvedModel:
    """Builds the network that ``spec`` names.

    Args:
        spec: ``timm:NAME``, ``torchvision:NAME``, ``NAME``, ``file.py:factory`` or a folder.
        weights: ``"none"`` builds named networks on the meta device, at no cost;
            ``"random"`` initialises them; ``"pretrained"`` downloads them. A factory decides
            for itself; a folder's weights are loaded unless ``"none"``.

    Raises:
        UnknownModelError: No model, file or factory of that name; near ones are offered.
        ModelError: The factory raised, or returned something else than a module.
        WeightsError: The weights cannot be had or do not fit.
    """
    if spec.startswith("timm:"):
        return _from_timm(spec.removeprefix("timm:"), weights)
    if spec.startswith("torchvision:"):
        return _from_torchvision(spec.removeprefix("torchvision:"), weights)
    if spec.startswith("foveal:"):
        raise UnknownModelError(
            f"Foveal has no networks of its own yet, so {printable(spec)!r} names none.",
            next_step="Use timm:NAME, torchvision:NAME or file.py:factory.",
        )
    file, colon, factory = spec.rpartition(":")
    if colon and file.endswith(".py"):
        return _from_file(Path(file), factory)
    if spec.endswith(".py"):
        raise UnknownModelError(
            f"{printable(spec)} is a file; which factory in it makes the model is not said.",
            next_step=f"Write {printable(spec)}:NAME, NAME being a function or class without "
            "arguments.",
        )
    if Path(spec).is_dir():
        return _from_folder(Path(spec), weights)
    return _from_bare_name(spec, weights)


def _from_bare_name(name: str, weights: Weights) -> ResolvedModel:
    import timm

    in_torchvision = name in _torchvision_names()
    if timm.is_model(name.split(".", 1)[0]):
        found = _from_timm(name, weights)
        if not in_torchvision:
            return found
        note = f"torchvision has a {name} too: torchvision:{name}."
        return ResolvedModel(
            found.name, found.network, found.input_shape, found.input_origin, (note,)
        )
    if in_torchvision:
        return _from_torchvision(name, weights)
    near = [f"timm:{word}" for word in near_names(name, timm.list_models())]
    near += [f"torchvision:{word}" for word in near_names(name, _torchvision_names())]
    raise UnknownModelError(
        f"Neither timm nor torchvision has a model named {printable(name)!r}, and there is no "
        "such folder.",
        next_step=f"Did you mean {' or '.join(near[:4])}?" if near else _FORMS,
    )


# --- timm ---------------------------------------------------------------------------------


def _from_timm(name: str, weights: Weights) -> ResolvedModel:
    import timm

    from foveal.models.backbone import require_timm_model

    require_timm_model(name)

    def build() -> nn.Module:
        network: nn.Module = timm.create_model(name, pretrained=weights == "pretrained")
        return network

    try:
        network = _build(build, weights)
    except Exception as error:  # the hub client raises OSError, ValueError and its own
        if weights != "pretrained":
            raise
        raise _no_weights(f"timm:{name}", error) from error
    config: dict[str, Any] = getattr(network, "pretrained_cfg", None) or {}
    return ResolvedModel(
        f"timm:{name}", network, *_input_shape(config.get("input_size"), "timm's configuration")
    )


def _no_weights(name: str, error: Exception) -> WeightsError:
    return WeightsError(
        f"The pretrained weights of {name} cannot be had ({type(error).__name__}).",
        next_step="Try again with a network, or leave --pretrained out.",
    )


# --- torchvision --------------------------------------------------------------------------


def _zoo() -> Any:
    import torchvision  # type: ignore[import-untyped]

    return torchvision.models


def _torchvision_names() -> list[str]:
    return [str(name) for name in _zoo().list_models()]


def _from_torchvision(name: str, weights: Weights) -> ResolvedModel:
    if name not in _torchvision_names():
        near = near_names(name, _torchvision_names())
        raise UnknownModelError(
            f"torchvision has no model named {printable(name)!r}.",
            next_step=f"Did you mean {' or '.join(near)}?"
            if near
            else "torchvision.models.list_models() lists them all.",
        )
    options: dict[str, Any] = {"weights": "DEFAULT" if weights == "pretrained" else None}
    if name in _SLOW_TO_INITIALISE and weights == "none":
        options["init_weights"] = False
    if "weights_backbone" in _arguments_of(_zoo().get_model_builder(name)):
        options["weights_backbone"] = None

    def build() -> nn.Module:
        network: nn.Module = _zoo().get_model(name, **options)
        return network

    try:
        network = _build(build, weights)
    except OSError as error:
        raise _no_weights(f"torchvision:{name}", error) from error
    return ResolvedModel(f"torchvision:{name}", network, *_torchvision_input(name))


def _arguments_of(function: Callable[..., Any]) -> list[str]:
    import inspect

    return list(inspect.signature(function).parameters)


def _torchvision_input(name: str) -> tuple[tuple[int, int, int], str]:
    try:
        transforms = _zoo().get_model_weights(name)["DEFAULT"].transforms()
        size = transforms.crop_size[0]
    except (AttributeError, KeyError, ValueError, IndexError):
        return _input_shape(None, "")
    return _input_shape((3, size, size), "torchvision's weights")


# --- a file with a factory ----------------------------------------------------------------


def _from_file(file: Path, factory: str) -> ResolvedModel:
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
    own_shape = _own_shape(network)
    shape = _guess_shape(network) if own_shape is None else _input_shape(own_shape, "the model")
    return ResolvedModel(f"{file.name}:{factory}", network.eval(), *shape)


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


# --- a folder -----------------------------------------------------------------------------


def _from_folder(folder: Path, weights: Weights) -> ResolvedModel:
    import timm

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
        pretrained = dict(config.get("pretrained_cfg") or {})
    except (ValueError, KeyError, TypeError) as error:
        raise ModelError(
            f"{shown}/config.json is not what timm's hub has: {type(error).__name__} "
            f"{printable(str(error))}.",
            next_step="It must name architecture and num_classes.",
        ) from error
    if not timm.is_model(architecture):
        raise UnknownModelError(
            f"{shown}/config.json names the architecture {printable(str(architecture))!r}, which "
            "this version of timm does not have.",
            next_step="Install the version of timm that the run names.",
        )

    def build() -> nn.Module:
        network: nn.Module = timm.create_model(
            architecture, pretrained=False, num_classes=num_classes
        )
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

    network = _build(build, weights)
    return ResolvedModel(
        shown, network, *_input_shape(pretrained.get("input_size"), "the folder's config.json")
    )


# --- building -----------------------------------------------------------------------------


def _build(build: Callable[[], nn.Module], weights: Weights) -> nn.Module:
    """Builds on the meta device where no weights are wanted; a few networks refuse that."""
    import torch

    with warnings.catch_warnings():
        # Initialising on the meta device does nothing and warns about it.
        warnings.simplefilter("ignore")
        if weights != "none":
            return build().eval()
        try:
            with torch.device("meta"):
                return build().eval()
        except Exception:  # whatever reads a value while it is being built
            return build().eval()


def _input_shape(size: Any, origin: str) -> tuple[tuple[int, int, int], str]:
    if size is None or len(size) != 3:
        return (3, _DEFAULT_SIZE, _DEFAULT_SIZE), "assumed"
    channels, height, width = (int(value) for value in size)
    return (channels, height, width), origin


def _own_shape(network: nn.Module) -> Any:
    shape: Any = getattr(network, "input_shape", None)
    is_shape = isinstance(shape, (tuple, list)) and len(shape) == 3
    return shape if is_shape and all(isinstance(size, int) for size in shape) else None


def _guess_shape(network: nn.Module) -> tuple[tuple[int, int, int], str]:
    """Takes the channels of the first convolution; the size is a guess that is told as one."""
    from torch import nn

    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            return (int(module.in_channels), _DEFAULT_SIZE, _DEFAULT_SIZE), "assumed"
    return (3, _DEFAULT_SIZE, _DEFAULT_SIZE), "assumed"
