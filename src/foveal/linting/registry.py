"""Every rule there is."""

from __future__ import annotations

from collections.abc import Iterable

from foveal.errors import UsageError
from foveal.linting import behaviour, structure, training, weights
from foveal.linting.rule import Rule
from foveal.text import near_names

RULES: tuple[Rule, ...] = (
    *structure.RULES,
    *weights.RULES,
    *behaviour.RULES,
    *training.RULES,
)


def choose_rules(
    *, select: Iterable[str] | None = None, ignore: Iterable[str] = ()
) -> tuple[Rule, ...]:
    """Returns the rules that ``select`` names and ``ignore`` does not.

    Each word is a code (``"S101"``), the beginning of one (``"S"``, ``"W2"``) or a family
    (``"weights"``). None selects all.

    Raises:
        UsageError: A word names no rule.
    """
    chosen = RULES if select is None else _named(select)
    dropped = {rule.code for rule in _named(ignore)}
    return tuple(rule for rule in chosen if rule.code not in dropped)


def rule(code: str) -> Rule:
    """Returns the rule of that code.

    Raises:
        UsageError: There is none.
    """
    for known in RULES:
        if known.code == code.upper():
            return known
    raise _unknown(code)


def _named(words: Iterable[str]) -> tuple[Rule, ...]:
    words = (words,) if isinstance(words, str) else tuple(words)
    wanted: set[str] = set()
    for word in words:
        matching = {
            known.code
            for known in RULES
            if word and (known.code.startswith(word.upper()) or known.family == word.lower())
        }
        if not matching:
            raise _unknown(word)
        wanted |= matching
    return tuple(known for known in RULES if known.code in wanted)


def _unknown(word: str) -> UsageError:
    near = near_names(word.upper(), [known.code for known in RULES])
    hint = f"Did you mean {' or '.join(near)}? " if near else ""
    return UsageError(
        f"There is no lint rule {word!r}.",
        next_step=f"{hint}Rules are named by code (S101), by the beginning of one (S) or by "
        "family (structure, weights, behaviour, training).",
    )
