"""The room's door: the exported names, and the examples in their documentation."""

from __future__ import annotations

import doctest
import importlib
import inspect
import pkgutil

import pytest

from foveal import images

MODULES = [module.name for module in pkgutil.iter_modules(images.__path__)]


def test_the_exported_names_are_the_surface():
    public = {
        name
        for name, value in vars(images).items()
        if not name.startswith("_") and not inspect.ismodule(value)
    }
    assert public == set(images.__all__)


@pytest.mark.parametrize("name", MODULES)
def test_the_examples_run(name):
    module = importlib.import_module(f"foveal.images.{name}")
    assert doctest.testmod(module).failed == 0
