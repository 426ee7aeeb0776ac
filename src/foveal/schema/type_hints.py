"""The form of a type hint: dataclasses and typed dictionaries as JSON and back, and described.

Reading is strict: an unknown key, a missing key, another type or a number that is not finite is
an error with the path of the field, such as ``metrics.per_class[2].recall.low``. The published
JSON Schemas (``docs/schemas``) come from the same type hints.
"""

from __future__ import annotations

import dataclasses
import types
import typing
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from functools import cache
from typing import Annotated, Any, Literal, NotRequired, TypeVar

from foveal.errors import SchemaError
from foveal.schema.forms import (
    PLAIN,
    Anything,
    ArrayForm,
    ByName,
    ChoiceForm,
    EitherPlain,
    Form,
    OptionalForm,
    Plain,
    Row,
    SequenceForm,
    UnboundedNumber,
    below,
    refuse,
)
from foveal.schema.versions import PREFIX, VERSIONS

_T = TypeVar("_T")
_DRAFT = "https://json-schema.org/draft/2020-12/schema"


class Mark(Enum):
    """What a type hint alone does not say of a field's JSON."""

    MAY_BE_INFINITE = "infinite numbers are the texts Infinity and -Infinity"
    BY_NAME = "pairs of a name and a value are one object"


Unbounded = Annotated[float, Mark.MAY_BE_INFINITE]
"""A number that may be infinite, such as a t statistic without spread."""

Counts = Annotated[tuple[tuple[str, int], ...], Mark.BY_NAME]
"""Counts by name in an order that matters."""


def to_json(value: Any, hint: Any = None) -> Any:
    """Returns a dataclass, or any value of type ``hint``, as JSON values.

    A ``float`` that is not finite becomes ``null``; an ``Unbounded`` one keeps its sign.

    >>> from foveal.evaluation import Interval
    >>> to_json(Interval(0.5, None, float("nan")))
    {'estimate': 0.5, 'low': None, 'high': None}
    """
    wanted: Any = type(value) if hint is None else hint
    return _form(wanted).write(value)


def from_json(kind: type[_T], content: object, *, path: str = "") -> _T:
    """Returns the ``kind`` that :func:`to_json` wrote.

    Args:
        kind: A dataclass.
        content: JSON values.
        path: Where ``content`` stands in its file, for messages.

    Raises:
        SchemaError: A field is missing, unknown, or cannot be; it is named.

    >>> from foveal.evaluation import Interval
    >>> from_json(Interval, {"estimate": 0.5, "low": None, "high": "1"})
    Traceback (most recent call last):
        ...
    foveal.errors.SchemaError: high: got "1", expected a number
    """
    wanted: Any = kind
    value: _T = _form(wanted).read(content, path)
    return value


def json_schema(name: str, content: Any, *, further: Mapping[str, Any] | None = None) -> Any:
    """Returns the JSON Schema (draft 2020-12) of what ``stamped(name, to_json(...))`` gives.

    Args:
        name: A key of ``VERSIONS``.
        content: The dataclass or typed dictionary.
        further: Type hints of more keys beside its own.
    """
    definitions: dict[str, Any] = {}
    properties = {
        "schema": {"const": PREFIX + name},
        "version": {"const": VERSIONS[name]},
    }
    hints = {**_hints(content), **(further or {})}
    optional = _optional_keys(content)
    properties |= {key: _form(hint).describe(definitions) for key, hint in hints.items()}
    return {
        "$schema": _DRAFT,
        "title": PREFIX + name,
        "description": _first_line(content),
        "type": "object",
        "properties": properties,
        "required": [key for key in properties if key not in optional],
        "additionalProperties": False,
        "$defs": definitions,
    }


@cache
def _form(hint: Any) -> Form:
    """Returns the form of a type hint.

    Raises:
        TypeError: Nothing is known of such a hint; a mistake of the program, not of the JSON.
    """
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin is Annotated:
        return _marked(arguments)
    if origin is Literal:
        return ChoiceForm(arguments)
    if origin in (typing.Union, types.UnionType):
        rest = [one for one in arguments if one is not type(None)]
        if len(rest) == 1 and len(rest) < len(arguments):
            return OptionalForm(_form(rest[0]))
        if len(rest) == len(arguments) and all(one in PLAIN for one in rest):
            return EitherPlain(tuple(Plain(one) for one in rest))
    if origin is tuple and arguments[-1:] == (Ellipsis,):
        return SequenceForm(_form(arguments[0]))
    if origin is tuple:
        return Row(tuple(map(_form, arguments)))
    if origin in (dict, Mapping) and arguments[0] is str:
        return ByName(_form(arguments[1]))
    if origin is not None and origin.__name__ == "ndarray":
        return ArrayForm(typing.get_args(arguments[1])[0])
    if hint is Any:
        return Anything()
    if hint in PLAIN:
        return Plain(hint)
    if typing.is_typeddict(hint):
        return KeysForm(hint)
    if origin is list:
        return ListForm(_form(arguments[0]))
    if dataclasses.is_dataclass(hint) and isinstance(hint, type):
        return RecordForm(hint)
    raise TypeError(f"no JSON form is known for the type hint {hint!r}")


def _marked(arguments: tuple[Any, ...]) -> Form:
    hint, mark = arguments
    if mark is Mark.MAY_BE_INFINITE and hint is float:
        return UnboundedNumber()
    if mark is Mark.BY_NAME:
        pair = typing.get_args(typing.get_args(hint)[0])
        return ByName(_form(pair[1]), is_pairs=True)
    raise TypeError(f"no JSON form is known for {hint!r} with {mark!r}")


@dataclass(frozen=True, slots=True)
class RecordForm:
    """The fields of a dataclass."""

    kind: type

    def write(self, value: Any) -> Any:
        if not isinstance(value, self.kind):
            raise TypeError(f"got {type(value).__name__}, expected {self.kind.__name__}")
        hints = _hints(self.kind).items()
        return {name: _form(hint).write(getattr(value, name)) for name, hint in hints}

    def read(self, content: Any, path: str) -> Any:
        if not isinstance(content, dict):
            refuse(path, content, "an object")
        hints = _hints(self.kind)
        for name in hints:
            if name not in content:
                raise SchemaError(f"{below(path, name)}: it is missing")
        for name in content:
            if name not in hints:
                raise SchemaError(f"{below(path, name)}: there is no such field")
        return self.kind(
            **{
                name: _form(hint).read(content[name], below(path, name))
                for name, hint in hints.items()
            }
        )

    def describe(self, definitions: dict[str, Any]) -> dict[str, Any]:
        name = self.kind.__name__
        if name not in definitions:
            definitions[name] = {}  # stands in while its fields are described
            hints = _hints(self.kind)
            definitions[name] = {
                "description": _first_line(self.kind),
                "type": "object",
                "properties": {
                    key: _form(hint).describe(definitions) for key, hint in hints.items()
                },
                "required": list(hints),
                "additionalProperties": False,
            }
        return {"$ref": f"#/$defs/{name}"}


@dataclass(frozen=True, slots=True)
class KeysForm:
    """The keys of a typed dictionary, of which some may be missing."""

    kind: Any

    def write(self, value: Any) -> Any:
        return {key: form.write(value[key]) for key, form in self._forms() if key in value}

    def read(self, content: Any, path: str) -> Any:
        if not isinstance(content, dict):
            refuse(path, content, "an object")
        forms = dict(self._forms())
        for key in forms:
            if key not in content and key not in _optional_keys(self.kind):
                raise SchemaError(f"{below(path, key)}: it is missing")
        for key in content:
            if key not in forms:
                raise SchemaError(f"{below(path, key)}: there is no such field")
        return {
            key: form.read(content[key], below(path, key))
            for key, form in forms.items()
            if key in content
        }

    def describe(self, definitions: dict[str, Any]) -> dict[str, Any]:
        name = self.kind.__name__
        if name not in definitions:
            definitions[name] = {}  # stands in while its keys are described
            definitions[name] = {
                "description": _first_line(self.kind),
                "type": "object",
                "properties": {key: form.describe(definitions) for key, form in self._forms()},
                "required": [
                    key for key, _ in self._forms() if key not in _optional_keys(self.kind)
                ],
                "additionalProperties": False,
            }
        return {"$ref": f"#/$defs/{name}"}

    def _forms(self) -> list[tuple[str, Form]]:
        return [(key, _form(hint)) for key, hint in _hints(self.kind).items()]


class ListForm(SequenceForm):
    """A list that stays a list when it is read."""

    def read(self, content: Any, path: str) -> Any:
        return [*SequenceForm.read(self, content, path)]


@cache
def _optional_keys(kind: Any) -> frozenset[str]:
    """Returns the keys that may be missing; Python's own list does not see hints that are texts."""
    hints = typing.get_type_hints(kind, include_extras=True)
    return frozenset(key for key, hint in hints.items() if typing.get_origin(hint) is NotRequired)


@cache
def _hints(kind: Any) -> dict[str, Any]:
    """Returns the type hint of every field of a dataclass or typed dictionary, in order."""
    hints = typing.get_type_hints(kind, include_extras=True)
    if typing.is_typeddict(kind):
        return {
            key: typing.get_args(hint)[0] if typing.get_origin(hint) is NotRequired else hint
            for key, hint in hints.items()
        }
    return {field.name: hints[field.name] for field in dataclasses.fields(kind)}


def _first_line(kind: type) -> str:
    return (kind.__doc__ or "").strip().partition("\n")[0]
