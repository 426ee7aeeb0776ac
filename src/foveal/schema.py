"""Dataclasses as JSON and back, by their type hints; name and version of every schema.

Reading is strict: an unknown key, a missing key, another type or a number that is not finite is
an error with the place of the field, such as ``metrics.per_class[2].recall.low``. The published
JSON Schemas (``docs/schemas``) come from the same type hints.
"""

from __future__ import annotations

import dataclasses
import json
import math
import types
import typing
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from functools import cache
from typing import TYPE_CHECKING, Annotated, Any, Literal, NoReturn, Protocol, TypeVar

from foveal.errors import SchemaError
from foveal.text import printable

if TYPE_CHECKING:
    import numpy as np

_T = TypeVar("_T")

VERSIONS: dict[str, int] = {
    "audit": 1,
    "evaluate": 2,
    "evaluation": 2,
    "explain": 1,
    "explanations": 1,
    "inspect": 1,
    "inspect.comparison": 1,
    "lab": 1,
    "lab.list": 1,
    "learn.items": 1,
    "learn.recheck": 1,
    "learn.topics": 1,
    "learn.variants": 1,
    "lint": 1,
    "onnx": 1,
    "predict": 1,
    "preprocessing": 1,
    "probe": 1,
    "report": 2,
    "report.drawn": 1,
    "run": 2,
    "train": 2,
    "visualise": 1,
}
"""Every schema and its version, which rises when a reader of the older one would fail."""

_PREFIX = "foveal."
_DRAFT = "https://json-schema.org/draft/2020-12/schema"


class Mark(Enum):
    """What a type hint alone does not say of a field's JSON."""

    MAY_BE_INFINITE = "infinite numbers are the texts Infinity and -Infinity"
    BY_NAME = "pairs of a name and a value are one object"


Unbounded = Annotated[float, Mark.MAY_BE_INFINITE]
"""A number that may be infinite, such as a t statistic without spread."""

Counts = Annotated[tuple[tuple[str, int], ...], Mark.BY_NAME]
"""Counts by name in an order that matters."""


def stamped(name: str, content: Mapping[str, Any]) -> dict[str, Any]:
    """Returns ``content`` with the schema's name and version in front.

    >>> stamped("audit", {"num_images": 3})
    {'schema': 'foveal.audit', 'version': 1, 'num_images': 3}
    """
    return {"schema": _PREFIX + name, "version": VERSIONS[name], **content}


def unstamped(name: str, content: object) -> dict[str, Any]:
    """Returns ``content`` without its schema's name and version, which must be ours.

    Raises:
        SchemaError: It is no object, or of another schema or version.
    """
    if not isinstance(content, dict):
        _refuse("", content, "an object")
    found = content.get("schema"), content.get("version")
    if found != (_PREFIX + name, VERSIONS[name]) or isinstance(found[1], bool):
        got = "no schema" if found[0] is None else f"{_shown(found[0])} version {_shown(found[1])}"
        raise SchemaError(
            f"schema: got {got}, expected {_PREFIX}{name} version {VERSIONS[name]}",
            next_step="Make it again with this version of Foveal.",
        )
    return {key: value for key, value in content.items() if key not in ("schema", "version")}


def to_json(value: Any, hint: Any = None) -> Any:
    """Returns a dataclass, or any value of type ``hint``, as JSON values.

    A ``float`` that is not finite becomes ``null``; an ``Unbounded`` one keeps its sign.

    >>> from foveal.evaluation import Interval
    >>> to_json(Interval(0.5, None, float("nan")))
    {'estimate': 0.5, 'low': None, 'high': None}
    """
    wanted: Any = type(value) if hint is None else hint
    return _form(wanted).write(value)


def from_json(kind: type[_T], content: object, *, place: str = "") -> _T:
    """Returns the ``kind`` that :func:`to_json` wrote.

    Args:
        kind: A dataclass.
        content: JSON values.
        place: Where ``content`` stands in its file, for messages.

    Raises:
        SchemaError: A field is missing, unknown, or cannot be; it is named.

    >>> from foveal.evaluation import Interval
    >>> from_json(Interval, {"estimate": 0.5, "low": None, "high": "1"})
    Traceback (most recent call last):
        ...
    foveal.errors.SchemaError: high: got "1", expected a number
    """
    wanted: Any = kind
    value: _T = _form(wanted).read(content, place)
    return value


def json_schema(name: str, content: Any, *, further: Mapping[str, Any] | None = None) -> Any:
    """Returns the JSON Schema (draft 2020-12) of what ``stamped(name, to_json(...))`` gives.

    Args:
        name: A key of ``VERSIONS``.
        content: The dataclass.
        further: Type hints of more keys beside the dataclass's own.
    """
    definitions: dict[str, Any] = {}
    properties = {
        "schema": {"const": _PREFIX + name},
        "version": {"const": VERSIONS[name]},
    }
    hints = {**_hints(content), **(further or {})}
    properties |= {key: _form(hint).describe(definitions) for key, hint in hints.items()}
    return {
        "$schema": _DRAFT,
        "title": _PREFIX + name,
        "description": _first_line(content),
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
        "$defs": definitions,
    }


def _refuse(place: str, got: object, expected: str) -> NoReturn:
    raise SchemaError(f"{place or 'content'}: got {_shown(got)}, expected {expected}")


def _shown(value: object) -> str:
    try:
        text = json.dumps(value)
    except (TypeError, ValueError, RecursionError):
        text = type(value).__name__
    return printable(text if len(text) <= 60 else f"{text[:57]}...")


class _Form(Protocol):
    """How values of one type hint are written, read and described."""

    def write(self, value: Any) -> Any: ...
    def read(self, content: Any, place: str) -> Any: ...
    def describe(self, definitions: dict[str, Any]) -> dict[str, Any]: ...


@cache
def _form(hint: Any) -> _Form:
    """Returns the form of a type hint.

    Raises:
        TypeError: Nothing is known of such a hint; a mistake of the program, not of the JSON.
    """
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin is Annotated:
        return _marked(arguments)
    if origin is Literal:
        return _Choice(arguments)
    if origin in (typing.Union, types.UnionType):
        rest = [one for one in arguments if one is not type(None)]
        if len(rest) == 1 and len(rest) < len(arguments):
            return _Optional(_form(rest[0]))
    if origin is tuple and arguments[-1:] == (Ellipsis,):
        return _Sequence(_form(arguments[0]))
    if origin is tuple:
        return _Row(tuple(map(_form, arguments)))
    if origin in (dict, Mapping) and arguments[0] is str:
        return _ByName(_form(arguments[1]))
    if origin is not None and origin.__name__ == "ndarray":
        return _Array(typing.get_args(arguments[1])[0])
    if hint is Any:
        return _Anything()
    if hint in _PLAIN:
        return _Plain(hint)
    if dataclasses.is_dataclass(hint) and isinstance(hint, type):
        return _Record(hint)
    raise TypeError(f"no JSON form is known for the type hint {hint!r}")


def _marked(arguments: tuple[Any, ...]) -> _Form:
    hint, mark = arguments
    if mark is Mark.MAY_BE_INFINITE and hint is float:
        return _UnboundedNumber()
    if mark is Mark.BY_NAME:
        pair = typing.get_args(typing.get_args(hint)[0])
        return _ByName(_form(pair[1]), is_pairs=True)
    raise TypeError(f"no JSON form is known for {hint!r} with {mark!r}")


_PLAIN: dict[type, tuple[str, str]] = {
    bool: ("boolean", "true or false"),
    int: ("integer", "a whole number"),
    float: ("number", "a number"),
    str: ("string", "text"),
}


@dataclass(frozen=True, slots=True)
class _Plain:
    kind: type

    def write(self, value: Any) -> Any:
        if self.kind is float and not math.isfinite(value):
            return None
        return self.kind(value)

    def read(self, content: Any, place: str) -> Any:
        accepted = (int, float) if self.kind is float else self.kind
        if not isinstance(content, accepted) or (
            isinstance(content, bool) and self.kind is not bool
        ):
            _refuse(place, content, _PLAIN[self.kind][1])
        if isinstance(content, (int, float)) and self.kind is float and not _is_finite(content):
            _refuse(place, content, "a finite number")
        return self.kind(content)

    def describe(self, definitions: dict[str, Any]) -> dict[str, Any]:
        return {"type": _PLAIN[self.kind][0]}


def _is_finite(value: float) -> bool:
    try:
        return math.isfinite(value)
    except OverflowError:  # a whole number beyond the range of float
        return False


@dataclass(frozen=True, slots=True)
class _UnboundedNumber:
    def write(self, value: Any) -> Any:
        if math.isinf(value):
            return "Infinity" if value > 0 else "-Infinity"
        return _Plain(float).write(value)

    def read(self, content: Any, place: str) -> Any:
        if content in ("Infinity", "-Infinity"):
            return float(content)
        return _Plain(float).read(content, place)

    def describe(self, definitions: dict[str, Any]) -> dict[str, Any]:
        return {"anyOf": [{"type": "number"}, {"enum": ["Infinity", "-Infinity"]}]}


@dataclass(frozen=True, slots=True)
class _Choice:
    values: tuple[Any, ...]

    def write(self, value: Any) -> Any:
        return value

    def read(self, content: Any, place: str) -> Any:
        for value in self.values:
            if type(value) is type(content) and value == content:
                return value
        return _refuse(place, content, f"one of {', '.join(map(str, self.values))}")

    def describe(self, definitions: dict[str, Any]) -> dict[str, Any]:
        return {"enum": list(self.values)}


@dataclass(frozen=True, slots=True)
class _Optional:
    inner: _Form

    def write(self, value: Any) -> Any:
        return None if value is None else self.inner.write(value)

    def read(self, content: Any, place: str) -> Any:
        return None if content is None else self.inner.read(content, place)

    def describe(self, definitions: dict[str, Any]) -> dict[str, Any]:
        return {"anyOf": [self.inner.describe(definitions), {"type": "null"}]}


@dataclass(frozen=True, slots=True)
class _Sequence:
    inner: _Form

    def write(self, value: Any) -> Any:
        return [self.inner.write(one) for one in value]

    def read(self, content: Any, place: str) -> Any:
        if not isinstance(content, list):
            _refuse(place, content, "a list")
        return tuple(self.inner.read(one, f"{place}[{n}]") for n, one in enumerate(content))

    def describe(self, definitions: dict[str, Any]) -> dict[str, Any]:
        return {"type": "array", "items": self.inner.describe(definitions)}


@dataclass(frozen=True, slots=True)
class _Row:
    inner: tuple[_Form, ...]

    def write(self, value: Any) -> Any:
        return [form.write(one) for form, one in zip(self.inner, value, strict=True)]

    def read(self, content: Any, place: str) -> Any:
        if not isinstance(content, list) or len(content) != len(self.inner):
            _refuse(place, content, f"a list of {len(self.inner)}")
        pairs = zip(self.inner, content, strict=True)
        return tuple(form.read(one, f"{place}[{n}]") for n, (form, one) in enumerate(pairs))

    def describe(self, definitions: dict[str, Any]) -> dict[str, Any]:
        items = [form.describe(definitions) for form in self.inner]
        return {"type": "array", "prefixItems": items, "items": False, "minItems": len(items)}


@dataclass(frozen=True, slots=True)
class _ByName:
    inner: _Form
    is_pairs: bool = False

    def write(self, value: Any) -> Any:
        return {str(key): self.inner.write(one) for key, one in dict(value).items()}

    def read(self, content: Any, place: str) -> Any:
        if not isinstance(content, dict):
            _refuse(place, content, "an object")
        found = {key: self.inner.read(one, _below(place, key)) for key, one in content.items()}
        return tuple(found.items()) if self.is_pairs else found

    def describe(self, definitions: dict[str, Any]) -> dict[str, Any]:
        return {"type": "object", "additionalProperties": self.inner.describe(definitions)}


@dataclass(frozen=True, slots=True)
class _Array:
    dtype: type[np.number[Any]]

    def write(self, value: Any) -> Any:
        return value.tolist()

    def read(self, content: Any, place: str) -> Any:
        import numpy as np

        number = _Plain(int if issubclass(self.dtype, np.integer) else float)
        self._check(content, place, number)
        try:
            return np.array(content, self.dtype)
        except (ValueError, OverflowError):
            _refuse(place, content, f"rows of one length, of {self.dtype.__name__}")

    def _check(self, content: Any, place: str, number: _Plain) -> None:
        if not isinstance(content, list):
            _refuse(place, content, "a list")
        for position, one in enumerate(content):
            if isinstance(one, list):
                self._check(one, f"{place}[{position}]", number)
            else:
                number.read(one, f"{place}[{position}]")

    def describe(self, definitions: dict[str, Any]) -> dict[str, Any]:
        return {"type": "array", "items": {"type": ["number", "array"]}}


@dataclass(frozen=True, slots=True)
class _Anything:
    """Any JSON value, its numbers finite."""

    def write(self, value: Any) -> Any:
        if isinstance(value, Mapping):
            return {str(key): self.write(one) for key, one in value.items()}
        if isinstance(value, (list, tuple)):
            return [self.write(one) for one in value]
        if isinstance(value, float):
            return _Plain(float).write(value)
        return value

    def read(self, content: Any, place: str) -> Any:
        if isinstance(content, dict):
            return {key: self.read(one, _below(place, key)) for key, one in content.items()}
        if isinstance(content, list):
            return [self.read(one, f"{place}[{n}]") for n, one in enumerate(content)]
        return _Plain(float).read(content, place) if isinstance(content, float) else content

    def describe(self, definitions: dict[str, Any]) -> dict[str, Any]:
        return {}


@dataclass(frozen=True, slots=True)
class _Record:
    kind: type

    def write(self, value: Any) -> Any:
        if not isinstance(value, self.kind):
            raise TypeError(f"got {type(value).__name__}, expected {self.kind.__name__}")
        hints = _hints(self.kind).items()
        return {name: _form(hint).write(getattr(value, name)) for name, hint in hints}

    def read(self, content: Any, place: str) -> Any:
        if not isinstance(content, dict):
            _refuse(place, content, "an object")
        hints = _hints(self.kind)
        for name in hints:
            if name not in content:
                raise SchemaError(f"{_below(place, name)}: it is missing")
        for name in content:
            if name not in hints:
                raise SchemaError(f"{_below(place, name)}: there is no such field")
        return self.kind(
            **{
                name: _form(hint).read(content[name], _below(place, name))
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


@cache
def _hints(kind: Any) -> dict[str, Any]:
    """Returns the type hint of every field of a dataclass, in order."""
    hints = typing.get_type_hints(kind, include_extras=True)
    return {field.name: hints[field.name] for field in dataclasses.fields(kind)}


def _first_line(kind: type) -> str:
    return (kind.__doc__ or "").strip().partition("\n")[0]


def _below(place: str, key: str) -> str:
    return f"{place}.{printable(key)}" if place else printable(key)
