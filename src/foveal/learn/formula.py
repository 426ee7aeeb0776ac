"""Small exact arithmetic: what a learner types, and how one blank follows from another.

A formula knows numbers, names, ``+ - * / ^``, brackets, tuples, ``name[1]`` and the functions
``floor``, ``ceil``, ``max``, ``min`` and ``sqrt`` of a square. It computes with fractions, so
nothing is lost. It calls nothing and knows no other words, so hostile text is harmless; the
web page has the same grammar.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from fractions import Fraction

from foveal.learn.exercise import Value

MAX_LENGTH = 2000
_MAX_DEPTH = 40
_MAX_BITS = 512

_TOKEN = re.compile(r"\s*(?:(\d+(?:\.\d+)?|\.\d+)|([A-Za-z_]\w*)|(\*\*|//|[-+*/^(),\[\]]))")
_NAME = re.compile(r"[A-Za-z_]\w*(?:\[\d+\])?(?!\w*\()")
_Result = Fraction | tuple[Fraction, ...]


class FormulaError(ValueError):
    """The text is no formula, or has no value."""


def evaluate(text: str, values: Mapping[str, Value] | None = None) -> Value:
    """Returns the value: int where it is whole, float otherwise, or a tuple of whole numbers.

    Args:
        text: The formula.
        values: What its names mean.

    Raises:
        FormulaError: It cannot be read, or has no value.

    >>> evaluate("floor((h + 2*1 - 3)/2) + 1", {"h": 56})
    28
    >>> evaluate("(64, c[1]/2)", {"c": (3, 56, 56)})
    (64, 28)
    >>> evaluate("127/2")
    63.5
    """
    if len(text) > MAX_LENGTH:
        raise FormulaError(f"it is longer than {MAX_LENGTH} characters")
    result = _Parser(_tokens(text), values or {}).read()
    if isinstance(result, tuple):
        if any(part.denominator != 1 for part in result):
            raise FormulaError("a part of the shape is no whole number")
        return tuple(int(part) for part in result)
    return int(result) if result.denominator == 1 else float(result)


def pretty(formula: str, values: Mapping[str, Value]) -> str:
    """Returns the formula as one would write it, names replaced by their values.

    >>> pretty("floor((c[1] + 2*1 - 3)/2) + 1", {"c": (64, 56, 56)})
    'floor((56 + 2·1 − 3)/2) + 1'
    """
    shown = substituted(formula, values)
    return shown.replace("*", "·").replace("-", "−").replace("^2", "²")


def substituted(formula: str, values: Mapping[str, Value]) -> str:
    """Returns the formula with numbers in the place of those names."""

    def value_of(found: re.Match[str]) -> str:
        text = found.group()
        if text.partition("[")[0] not in values:
            return text
        value = evaluate(text, values)
        shown = f"{value:.10g}" if isinstance(value, float) else str(value)
        return f"({shown})" if shown.startswith("-") else shown

    return _NAME.sub(value_of, formula)


def _tokens(text: str) -> list[str]:
    found = []
    position = 0
    text = text.rstrip()
    while position < len(text):
        match = _TOKEN.match(text, position)
        if match is None:
            raise FormulaError(f"{text[position:].strip()[:10]!r} is not understood")
        found.append(match.group().strip())
        position = match.end()
    return found


class _Parser:
    """Recursive descent over the tokens."""

    def __init__(self, tokens: list[str], values: Mapping[str, Value]) -> None:
        self.tokens = tokens
        self.values = values
        self.position = 0
        self.depth = 0

    def read(self) -> _Result:
        result = self.sum()
        if self.position < len(self.tokens):
            raise FormulaError(f"{self.tokens[self.position]!r} was not expected there")
        return result

    def peek(self) -> str:
        return self.tokens[self.position] if self.position < len(self.tokens) else ""

    def take(self) -> str:
        token = self.peek()
        self.position += 1
        return token

    def expect(self, token: str) -> None:
        if self.take() != token:
            raise FormulaError(f"{token!r} is missing")

    def sum(self) -> _Result:
        self.depth += 1
        if self.depth > _MAX_DEPTH:
            raise FormulaError("there are too many brackets")
        result = self.product()
        while self.peek() in ("+", "-"):
            sign = 1 if self.take() == "+" else -1
            result = _number(result) + sign * _number(self.product())
        self.depth -= 1
        return result

    def product(self) -> _Result:
        result = self.signed()
        while self.peek() in ("*", "/", "//"):
            sign = self.take()
            other = _number(self.signed())
            if sign == "*":
                result = _limited(_number(result) * other)
            elif other == 0:
                raise FormulaError("it divides by zero")
            else:
                result = _number(result) / other
                if sign == "//":
                    result = Fraction(math.floor(result))
        return result

    def signed(self) -> _Result:
        signs = 1
        while self.peek() in ("+", "-"):
            signs *= -1 if self.take() == "-" else 1
        result = self.power()
        return result if signs == 1 else -_number(result)

    def power(self) -> _Result:
        base = self.atom()
        if self.peek() not in ("^", "**"):
            return base
        self.take()
        exponent = _number(self.atom())
        number = _number(base)
        if exponent.denominator != 1 or not 0 <= exponent <= 64:
            raise FormulaError("an exponent is no whole number from 0 to 64")
        return _limited(number ** int(exponent))

    def atom(self) -> _Result:
        token = self.take()
        if token == "(":
            return self.bracket()
        if re.fullmatch(r"\d+(\.\d+)?|\.\d+", token):
            return _limited(Fraction(token))
        if token in _FUNCTIONS and self.peek() == "(":
            self.take()
            arguments = self.bracket()
            parts = arguments if isinstance(arguments, tuple) else (arguments,)
            return _FUNCTIONS[token](parts)
        if token in self.values:
            return self.named(token)
        raise FormulaError(f"{token!r} is not understood" if token else "something is missing")

    def bracket(self) -> _Result:
        parts = [_number(self.sum())]
        is_tuple = False
        while self.peek() == ",":
            is_tuple = True
            self.take()
            if self.peek() == ")":
                break
            parts.append(_number(self.sum()))
        self.expect(")")
        return tuple(parts) if is_tuple else parts[0]

    def named(self, name: str) -> _Result:
        value = self.values[name]
        if isinstance(value, tuple):
            parts = tuple(Fraction(part) for part in value if isinstance(part, int))
            if self.peek() != "[":
                return parts
            self.take()
            index = _number(self.sum())
            self.expect("]")
            if not 0 <= index < len(parts):
                raise FormulaError(f"{name} has no axis {index}")
            return parts[int(index)]
        if isinstance(value, str):
            raise FormulaError(f"{name} is no number")
        return Fraction(value)


def _number(result: _Result) -> Fraction:
    if isinstance(result, tuple):
        raise FormulaError("a shape was not expected there")
    return result


def _limited(number: Fraction) -> Fraction:
    if max(number.numerator.bit_length(), number.denominator.bit_length()) > _MAX_BITS:
        raise FormulaError("a number is too large")
    return number


def _floor(parts: tuple[Fraction, ...]) -> Fraction:
    return Fraction(math.floor(parts[0]))


def _ceil(parts: tuple[Fraction, ...]) -> Fraction:
    return Fraction(math.ceil(parts[0]))


def _sqrt(parts: tuple[Fraction, ...]) -> Fraction:
    number = parts[0]
    if number < 0:
        raise FormulaError("it takes the root of a negative number")
    above, below = math.isqrt(number.numerator), math.isqrt(number.denominator)
    if above**2 == number.numerator and below**2 == number.denominator:
        return Fraction(above, below)
    return Fraction(math.sqrt(number))


def _max(parts: tuple[Fraction, ...]) -> Fraction:
    return max(parts)


def _min(parts: tuple[Fraction, ...]) -> Fraction:
    return min(parts)


_FUNCTIONS = {"floor": _floor, "ceil": _ceil, "sqrt": _sqrt, "max": _max, "min": _min}
