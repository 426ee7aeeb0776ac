"""``file.py:factory``: a function or class of the reader's own that makes a network."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from foveal.errors import ModelError, UnknownModelError
from foveal.models.network import Network, describe_network
from foveal.models.sources.building import input_shape_of
from foveal.text import near_names, printable

if TYPE_CHECKING:
    from torch import nn


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
