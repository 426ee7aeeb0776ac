"""Reads what a learner typed, in any usual spelling; what cannot be read is no wrong answer.

========  ==========================================================================
integer   ``73,856``  ``73856``  ``73 856``  ``2^6``  ``64*9 + 1``  ``= 64 px``
number    ``0.118``  ``0,118``  ``1/9``  ``12 %``
shape     ``64×64×64``  ``(1, 64, 64, 64)``  ``64x64x64``  ``torch.Size([1, 64, 64, 64])``
choice    ``b``  ``B)``  the text of the choice
boolean   ``true``  ``yes``  ``f``
order     ``b a c``  ``b, a, c``  ``b > a > c``  ``bac``
match     ``b a c``  ``1b 2a 3c``
code      one expression; spaces and quotes do not matter
========  ==========================================================================
"""

from __future__ import annotations

import ast
import math
import re
import unicodedata
from dataclasses import dataclass

from foveal.learn.exercise import Field, Value
from foveal.learn.formula import FormulaError, evaluate

MAX_LENGTH = 500
MAX_WORDS_LENGTH = 5000  # of an answer in the learner's own words

_SUPERSCRIPTS = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹", "0123456789")
_SIGNS = str.maketrans(
    {"×": "*", "·": "*", "⋅": "*", "∗": "*", "÷": "/", "−": "-", "–": "-", "’": "'"}
)
_GROUPED = re.compile(r"(?<![\d.])[1-9]\d{0,2}(?:[ ,_']\d{3})+(?!\d)")
_YES = frozenset(("true", "t", "yes", "y", "1", "right"))
_NO = frozenset(("false", "f", "no", "n", "0", "wrong"))
# 64x64 or 1×2×3 and nothing else: a shape, and no product that somebody wrote for a count.
_CROSSED = re.compile(r"[(\[]?\d+(?:,\d{3})*(?: ?[x×] ?\d+(?:,\d{3})*)+[)\]]?")
_BATCH = frozenset(("n", "b", "none", "-1", "?", "batch", "1"))
_PART = re.compile(r"^(?:[a-z_]+\s*[:=]\s*)?(.+)$")


@dataclass(frozen=True, slots=True)
class Unreadable:
    """Text that could not be read, and why; it is never marked as wrong.

    Attributes:
        reason: What came and what was expected, as one sentence.
    """

    reason: str


def read(field: Field, text: str) -> Value | Unreadable:
    """Returns the value that the text means for this blank, or why it means none.

    An integer blank also accepts 63.5: somebody who did not round down means just that.

    >>> from foveal.learn.exercise import Field
    >>> read(Field("n", "Parameters", "integer", 73856), "73 856")
    73856
    >>> read(Field("s", "Shape", "shape", (64, 64, 64)), "(1, 64, 64, 64)")
    (64, 64, 64)
    >>> read(Field("n", "Parameters", "integer", 6), "1x2x3").reason
    "'1x2x3' looks like a shape, and one number is asked; write a product with *, as in 64*9."
    >>> read(Field("n", "Parameters", "integer", 73856), "about 74k").reason
    "'about 74k' is no number; write all its digits, or a formula such as 64*9 + 1."
    """
    limit = MAX_WORDS_LENGTH if field.kind == "open" else MAX_LENGTH
    if len(text) > limit:
        return Unreadable(f"The answer is longer than {limit:,} characters.")
    if not text.strip():
        return Unreadable("Nothing was entered.")
    match field.kind:
        case "integer" | "number":
            return _shape_for_count(field, text) or _read_number(field, text)
        case "shape":
            return _read_shape(field, text)
        case "choice":
            return _read_choice(field, text)
        case "boolean":
            return _read_boolean(text)
        case "order":
            return _read_keys(field, text, count=len(field.choices), repeats=False)
        case "match":
            return _read_keys(field, text, count=len(field.items), repeats=True)
        case "code":
            return _read_code(text)
        case "open":
            return text.strip()


def _shape_for_count(field: Field, text: str) -> Unreadable | None:
    """Returns what to say where a shape was typed for one number; None where none was.

    ``64x9 + 1`` is a formula. Who is asked for a count and types ``64x9`` alone may mean a
    shape, so it is better to ask again.
    """
    plain = re.sub(r"\s+", " ", unicodedata.normalize("NFKC", text).lower())
    plain = _without_unit(plain.strip(" =≈~."), field.unit.lower())
    if _CROSSED.fullmatch(plain) is None:
        return None
    return Unreadable(
        f"{text.strip()!r} looks like a shape, and one number is asked; write a product with *, "
        "as in 64*9."
    )


def equal(field: Field, given: Value, expected: Value) -> bool:
    """Returns whether two values are the same answer to this blank.

    Counts are exact. Where no whole number comes out (a mistake's 21.333), two decimals do.
    """
    if isinstance(given, bool) or isinstance(expected, bool):
        return given is expected
    if isinstance(given, int | float) and isinstance(expected, int | float):
        if field.kind == "number":
            # A hair more than the tolerance, so that its own ends are right in binary too.
            return abs(given - expected) <= field.tolerance * (1 + 1e-9) + 1e-12
        if isinstance(given, int) or isinstance(expected, int):
            return given == expected
        return math.isclose(given, expected, abs_tol=0.006)
    if field.kind == "code" and isinstance(given, str) and isinstance(expected, str):
        return _read_code(given) == _read_code(expected)
    return given == expected


def spell(value: Value, unit: str = "") -> str:
    """Returns the value as Foveal writes it.

    >>> spell(73856), spell((64, 28, 28)), spell(63.5), spell(True), spell(8, "groups")
    ('73,856', '64×28×28', '63.5', 'true', '8 groups')
    """
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, tuple):
        if any(isinstance(part, str) for part in value):
            return " ".join(str(part) for part in value)
        return "×".join(str(part) for part in value)
    if isinstance(value, float):
        shown = f"{value:,.4f}" if abs(value) < 1000 else f"{value:,.1f}"
        value = shown.rstrip("0").rstrip(".")
    elif isinstance(value, int):
        value = f"{value:,}"
    return f"{value} {unit}" if unit and unit != "%" else f"{value}{unit}"


def _plain(text: str) -> str:
    """Returns the text with one spelling for each sign; powers written with ^."""
    raised = re.sub(
        r"[⁰¹²³⁴⁵⁶⁷⁸⁹]+", lambda found: "^" + found.group().translate(_SUPERSCRIPTS), text
    )
    plain = unicodedata.normalize("NFKC", raised).translate(_SIGNS)
    return re.sub(r"\s+", " ", plain).strip()


def _read_number(field: Field, text: str) -> Value | Unreadable:
    plain = _plain(text).lower().rstrip(".").strip()
    plain = plain.lstrip("=≈~").strip()
    percent = plain.endswith("%")
    plain = _without_unit(plain.removesuffix("%").strip(), field.unit.lower())
    if field.kind == "integer" and re.fullmatch(r"\d{1,3}(\.\d{3})+", plain):
        whole = plain.replace(".", "")
        return Unreadable(
            f"{text.strip()!r} may be {int(whole):,} or {plain}; write {int(whole)}, or {plain}0."
            if plain.count(".") == 1
            else f"{text.strip()!r} has several points; write {int(whole)}, or {int(whole):,}."
        )
    if field.kind == "number" and re.fullmatch(r"-?[1-9]\d{0,2},\d{3}", plain):
        return Unreadable(
            f"{text.strip()!r} may be {plain.replace(',', '')} or {plain.replace(',', '.')}; "
            "write it without the comma, or with a point."
        )
    if re.fullmatch(r"-?\d+,\d+", plain) and not _GROUPED.fullmatch(plain.lstrip("-")):
        plain = plain.replace(",", ".")  # a decimal comma
    plain = _GROUPED.sub(lambda found: re.sub(r"[ ,_']", "", found.group()), plain)
    # "64 x 9" with spaces or between digits multiplies.
    plain = re.sub(r"(?<=[\d)])\s*x\s*(?=[\d(])", "*", plain)
    try:
        value = evaluate(plain)
    except FormulaError:
        digits = (
            "write all its digits, or a formula such as 64*9 + 1"
            if field.kind == "integer"
            else "write it like 0.118, or as a fraction such as 1/9"
        )
        return Unreadable(f"{text.strip()!r} is no number; {digits}.")
    if isinstance(value, tuple):
        return Unreadable(f"{text.strip()!r} is several numbers; one is expected.")
    if percent and field.unit != "%":
        assert isinstance(value, int | float)
        return value / 100
    return value


def _without_unit(text: str, unit: str) -> str:
    """Returns the text without a unit or a noun after the last digit or bracket."""
    words = {unit, unit.rstrip("s"), "px", "pixels", "pixel", "times"} - {""}
    words |= {"parameters", "params", "parameter", "weights", "macs", "mac", "channels"}
    for word in sorted(words, key=len, reverse=True):
        shorter = text.removesuffix(word)
        if shorter != text and shorter.rstrip()[-1:] in set("0123456789)"):
            return shorter.rstrip()
    if unit == "times" and text.endswith(("x", "*")):
        return text[:-1].rstrip()
    return text


def _read_shape(field: Field, text: str) -> Value | Unreadable:
    assert isinstance(field.answer, tuple)
    plain = _plain(text).lower().lstrip("=").strip()
    plain = plain.removeprefix("torch.size").strip()
    while plain[:1] + plain[-1:] in ("()", "[]"):
        plain = plain[1:-1].strip()
    parts = _shape_parts(plain)
    sizes: list[int] = []
    for index, part in enumerate(parts):
        found = _PART.match(part.strip())
        word = "" if found is None else found.group(1).strip()
        if index == 0 and word in _BATCH and len(parts) == len(field.answer) + 1:
            continue
        try:
            value = evaluate(word)
        except FormulaError:
            value = ""
        if isinstance(value, bool) or not isinstance(value, int | float):
            return Unreadable(
                f"{text.strip()!r} is no shape; write sizes like 64×28×28 or (64, 28, 28)."
            )
        if not isinstance(value, int):
            return Unreadable(f"{text.strip()!r} has a size of {value}; sizes are whole numbers.")
        sizes.append(value)
    if not sizes:
        return Unreadable(f"{text.strip()!r} has no sizes; write them like 64×28×28.")
    return tuple(sizes)


def _shape_parts(plain: str) -> list[str]:
    """Splits at commas or semicolons, else at multiplication signs, else at spaces."""
    times = re.split(r"\s*(?:\bby\b|(?<=[\d?nb])\s*x\s*(?=[\d?])|(?<!\*)\*(?!\*))\s*", plain)
    if len(times) > 1 and not re.search(r",(?!\d{3}(?!\d))|;", plain):
        # Between crosses a comma groups digits: 1,024×7×7.
        return [re.sub(r"(?<=\d)[ ,](?=\d{3})", "", part) for part in times]
    if "," in plain or ";" in plain:
        return [part for part in re.split(r"[,;]", plain) if part.strip()]
    if re.fullmatch(r"[\w?-]+(?: [\w?-]+)+", plain):
        return plain.split(" ")
    return [plain]


def _read_choice(field: Field, text: str) -> Value | Unreadable:
    plain = _plain(text).casefold()
    for choice in field.choices:
        if _plain(choice.text).casefold().replace("`", "") == plain.replace("`", ""):
            return choice.key
    key = plain.strip("()[]. :")
    for choice in field.choices:
        if choice.key.casefold() == key:
            return choice.key
    keys = ", ".join(choice.key for choice in field.choices)
    return Unreadable(f"{text.strip()!r} is none of the choices; type one of {keys}.")


def _read_boolean(text: str) -> Value | Unreadable:
    word = text.strip().strip(".!").casefold()
    if word in _YES or word in _NO:
        return word in _YES
    return Unreadable(f"{text.strip()!r} is neither; type true or false.")


def _read_keys(field: Field, text: str, *, count: int, repeats: bool) -> Value | Unreadable:
    keys = [choice.key.casefold() for choice in field.choices]
    plain = text.casefold()
    found = re.findall(r"[a-z]+", re.sub(r"\d+\s*[-=:.)>]*\s*", " ", plain))
    if len(found) == 1 and all(len(key) == 1 for key in keys):
        found = list(found[0])
    if any(key not in keys for key in found) or len(found) != count:
        example = " ".join(sorted(keys)[:count])
        return Unreadable(
            f"{text.strip()!r} does not name {count} of {', '.join(keys)}; type it like {example}."
        )
    if not repeats and len(set(found)) != len(found):
        return Unreadable(f"{text.strip()!r} names one of them twice; each comes once.")
    return tuple(field.choices[keys.index(key)].key for key in found)


def _read_code(text: str) -> Value | Unreadable:
    plain = text.strip().strip("`").strip()
    try:
        tree = ast.parse(plain, mode="eval")
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return Unreadable(f"{plain!r} is no expression of Python.")
    return ast.unparse(tree)
