"""How JSON of one kind is written, read back strictly, and described in a JSON Schema."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NoReturn, Protocol

from foveal.errors import SchemaError
from foveal.text import printable

if TYPE_CHECKING:
    import numpy as np


def refuse(path: str, got: object, expected: str) -> NoReturn:
    """Raises an error with the path of what cannot be."""
    raise SchemaError(f"{path or 'content'}: got {shown(got)}, expected {expected}")


def shown(value: object) -> str:
    """Returns a value as JSON, printable and short."""
    try:
        text = json.dumps(value)
    except (TypeError, ValueError, RecursionError):
        text = type(value).__name__
    return printable(text if len(text) <= 60 else f"{text[:57]}...")


def below(path: str, key: str) -> str:
    """Returns the path of a key within a path."""
    return f"{path}.{printable(key)}" if path else printable(key)


class Form(Protocol):
    """How values of one type hint are written, read and described."""

    def write(self, value: Any) -> Any:
        """Returns the value as JSON values."""

    def read(self, content: Any, path: str) -> Any:
        """Returns the value that JSON values stand for; what cannot be is named by its path."""

    def describe(self, definitions: dict[str, Any]) -> dict[str, Any]:
        """Returns the JSON Schema; named types go into ``definitions``."""


PLAIN: dict[type, tuple[str, str]] = {
    bool: ("boolean", "true or false"),
    int: ("integer", "a whole number"),
    float: ("number", "a number"),
    str: ("string", "text"),
}


@dataclass(frozen=True, slots=True)
class Plain:
    """A truth value, a whole number, a number or a text."""

    kind: type

    def write(self, value: Any) -> Any:
        if self.kind is float and not math.isfinite(value):
            return None
        return self.kind(value)

    def read(self, content: Any, path: str) -> Any:
        accepted = (int, float) if self.kind is float else self.kind
        if not isinstance(content, accepted) or (
            isinstance(content, bool) and self.kind is not bool
        ):
            refuse(path, content, PLAIN[self.kind][1])
        if isinstance(content, (int, float)) and self.kind is float and not _is_finite(content):
            refuse(path, content, "a finite number")
        return self.kind(content)

    def describe(self, definitions: dict[str, Any]) -> dict[str, Any]:
        return {"type": PLAIN[self.kind][0]}


def _is_finite(value: float) -> bool:
    try:
        return math.isfinite(value)
    except OverflowError:  # a whole number beyond the range of float
        return False


@dataclass(frozen=True, slots=True)
class UnboundedNumber:
    """A number that may be infinite."""

    def write(self, value: Any) -> Any:
        if math.isinf(value):
            return "Infinity" if value > 0 else "-Infinity"
        return Plain(float).write(value)

    def read(self, content: Any, path: str) -> Any:
        if content in ("Infinity", "-Infinity"):
            return float(content)
        return Plain(float).read(content, path)

    def describe(self, definitions: dict[str, Any]) -> dict[str, Any]:
        return {"anyOf": [{"type": "number"}, {"enum": ["Infinity", "-Infinity"]}]}


@dataclass(frozen=True, slots=True)
class ChoiceForm:
    """One of a few values."""

    values: tuple[Any, ...]

    def write(self, value: Any) -> Any:
        return value

    def read(self, content: Any, path: str) -> Any:
        for value in self.values:
            if type(value) is type(content) and value == content:
                return value
        return refuse(path, content, f"one of {', '.join(map(str, self.values))}")

    def describe(self, definitions: dict[str, Any]) -> dict[str, Any]:
        return {"enum": list(self.values)}


@dataclass(frozen=True, slots=True)
class OptionalForm:
    """A value or null."""

    inner: Form

    def write(self, value: Any) -> Any:
        return None if value is None else self.inner.write(value)

    def read(self, content: Any, path: str) -> Any:
        return None if content is None else self.inner.read(content, path)

    def describe(self, definitions: dict[str, Any]) -> dict[str, Any]:
        return {"anyOf": [self.inner.describe(definitions), {"type": "null"}]}


@dataclass(frozen=True, slots=True)
class EitherPlain:
    """A value of one of several plain types, such as a number or a text."""

    inner: tuple[Plain, ...]

    def write(self, value: Any) -> Any:
        return self._matching(value, "").write(value)

    def read(self, content: Any, path: str) -> Any:
        return self._matching(content, path).read(content, path)

    def describe(self, definitions: dict[str, Any]) -> dict[str, Any]:
        return {"anyOf": [form.describe(definitions) for form in self.inner]}

    def _matching(self, value: Any, path: str) -> Plain:
        for form in self.inner:
            if isinstance(value, bool) is (form.kind is bool) and (
                isinstance(value, form.kind) or (form.kind is float and isinstance(value, int))
            ):
                return form
        return refuse(path, value, " or ".join(PLAIN[form.kind][1] for form in self.inner))


@dataclass(frozen=True, slots=True)
class SequenceForm:
    """A list of any length."""

    inner: Form

    def write(self, value: Any) -> Any:
        return [self.inner.write(one) for one in value]

    def read(self, content: Any, path: str) -> Any:
        if not isinstance(content, list):
            refuse(path, content, "a list")
        return tuple(self.inner.read(one, f"{path}[{n}]") for n, one in enumerate(content))

    def describe(self, definitions: dict[str, Any]) -> dict[str, Any]:
        return {"type": "array", "items": self.inner.describe(definitions)}


@dataclass(frozen=True, slots=True)
class Row:
    """A list of fixed length."""

    inner: tuple[Form, ...]

    def write(self, value: Any) -> Any:
        return [form.write(one) for form, one in zip(self.inner, value, strict=True)]

    def read(self, content: Any, path: str) -> Any:
        if not isinstance(content, list) or len(content) != len(self.inner):
            refuse(path, content, f"a list of {len(self.inner)}")
        pairs = zip(self.inner, content, strict=True)
        return tuple(form.read(one, f"{path}[{n}]") for n, (form, one) in enumerate(pairs))

    def describe(self, definitions: dict[str, Any]) -> dict[str, Any]:
        items = [form.describe(definitions) for form in self.inner]
        return {"type": "array", "prefixItems": items, "items": False, "minItems": len(items)}


@dataclass(frozen=True, slots=True)
class ByName:
    """An object with any keys."""

    inner: Form
    is_pairs: bool = False

    def write(self, value: Any) -> Any:
        return {str(key): self.inner.write(one) for key, one in dict(value).items()}

    def read(self, content: Any, path: str) -> Any:
        if not isinstance(content, dict):
            refuse(path, content, "an object")
        found = {key: self.inner.read(one, below(path, key)) for key, one in content.items()}
        return tuple(found.items()) if self.is_pairs else found

    def describe(self, definitions: dict[str, Any]) -> dict[str, Any]:
        return {"type": "object", "additionalProperties": self.inner.describe(definitions)}


@dataclass(frozen=True, slots=True)
class ArrayForm:
    """Lists of numbers that become an array."""

    dtype: type[np.number[Any]]

    def write(self, value: Any) -> Any:
        return value.tolist()

    def read(self, content: Any, path: str) -> Any:
        import numpy as np

        number = Plain(int if issubclass(self.dtype, np.integer) else float)
        self._check(content, path, number)
        try:
            return np.array(content, self.dtype)
        except (ValueError, OverflowError):
            refuse(path, content, f"rows of one length, of {self.dtype.__name__}")

    def _check(self, content: Any, path: str, number: Plain) -> None:
        if not isinstance(content, list):
            refuse(path, content, "a list")
        for position, one in enumerate(content):
            if isinstance(one, list):
                self._check(one, f"{path}[{position}]", number)
            else:
                number.read(one, f"{path}[{position}]")

    def describe(self, definitions: dict[str, Any]) -> dict[str, Any]:
        return {"type": "array", "items": {"type": ["number", "array"]}}


@dataclass(frozen=True, slots=True)
class Anything:
    """Any JSON value, its numbers finite."""

    def write(self, value: Any) -> Any:
        if isinstance(value, Mapping):
            return {str(key): self.write(one) for key, one in value.items()}
        if isinstance(value, (list, tuple)):
            return [self.write(one) for one in value]
        if isinstance(value, float):
            return Plain(float).write(value)
        return value

    def read(self, content: Any, path: str) -> Any:
        if isinstance(content, dict):
            return {key: self.read(one, below(path, key)) for key, one in content.items()}
        if isinstance(content, list):
            return [self.read(one, f"{path}[{n}]") for n, one in enumerate(content)]
        return Plain(float).read(content, path) if isinstance(content, float) else content

    def describe(self, definitions: dict[str, Any]) -> dict[str, Any]:
        return {}
