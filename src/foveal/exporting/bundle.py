"""The page's ES modules as one script: each in a scope of its own, in the order of their needs.

Only two forms are understood, and the page's modules keep to them: ``import { a, b } from
"./name.js";`` and ``export`` in front of a ``const``, ``function`` or ``class``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from importlib.resources import files
from typing import Final

_IMPORT: Final = re.compile(r'^import \{([^}]*)\} from "\./([\w]+\.js)";\n', re.MULTILINE)
_EXPORT: Final = re.compile(r"^export ((?:async )?function|const|class) (\w+)", re.MULTILINE)
_OTHER: Final = re.compile(r"^(?:import\b|export\b).*", re.MULTILINE)


def script_modules() -> dict[str, str]:
    """Returns the sources of the page's scripts by name."""
    folder = files("foveal.exporting") / "page"
    return {
        one.name: one.read_text("utf-8") for one in folder.iterdir() if one.name.endswith(".js")
    }


def bundle(modules: Mapping[str, str], entry: str) -> str:
    """Returns one script that does what the module ``entry`` does.

    Args:
        modules: Source text by file name.
        entry: The module that is run; what it needs comes before it.

    Raises:
        ValueError: A module is missing, needs itself, needs a name that another does not export, or
            has another form of import or export.
    """
    order: list[str] = []
    _visit(entry, modules, order, ())
    return "".join(_scoped(name, modules[name]) for name in order)


def _visit(name: str, modules: Mapping[str, str], order: list[str], above: tuple[str, ...]) -> None:
    if name in above:
        raise ValueError(f"{' needs '.join((*above, name))}, which is a circle")
    if name not in modules:
        raise ValueError(f"{above[-1] if above else 'the page'} needs {name}, which is not there")
    for needed in _IMPORT.finditer(modules[name]):
        _visit(needed[2], modules, order, (*above, name))
        exported = {found[2] for found in _EXPORT.finditer(modules[needed[2]])}
        for wanted in (one.strip() for one in needed[1].split(",")):
            if wanted and wanted not in exported:  # a browser would give undefined
                raise ValueError(f"{name} needs {wanted} of {needed[2]}, which does not export it")
    if name not in order:
        order.append(name)


def _scoped(name: str, source: str) -> str:
    exported = [found[2] for found in _EXPORT.finditer(source)]
    body = _EXPORT.sub(r"\1 \2", source)
    body = _IMPORT.sub(lambda found: f"const {{{found[1]}}} = {_scope(found[2])};\n", body)
    other = _OTHER.search(body)
    if other is not None:
        raise ValueError(f"{name}: got {other[0]!r}, expected import {{ ... }} or export of a name")
    returned = f"return {{ {', '.join(exported)} }};\n" if exported else ""
    return f"// {name}\nconst {_scope(name)} = (() => {{\n{body}{returned}}})();\n"


def _scope(name: str) -> str:
    return f"$_{name.removesuffix('.js')}"
