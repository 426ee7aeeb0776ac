"""Refusing options that an architecture does not have, with the nearest ones it has."""

from __future__ import annotations

from collections.abc import Iterable

from foveal.errors import UsageError
from foveal.text import near_names


def require_one_of(
    known: Iterable[int] | Iterable[str], *, architecture: str, **values: int | str
) -> None:
    """Raises if one of the values is not among ``known``.

    Args:
        known: What the paper defines: all numbers or all words.
        architecture: What is being built, such as ``"VGG"``.
        **values: The settings to check, by name.

    Raises:
        UsageError: Names the architecture, the setting, what came, and the nearest known.
    """
    choices: tuple[int | str, ...] = tuple(known)
    for name, value in values.items():
        if value not in choices:
            raise UsageError(
                f"{architecture}: {name} is {value!r}, expected one of "
                f"{', '.join(map(str, choices))}.",
                next_step=_nearest(name, value, choices),
            )


def _nearest(name: str, value: int | str, choices: tuple[int | str, ...]) -> str | None:
    numbers = [choice for choice in choices if isinstance(choice, int)]
    if numbers and isinstance(value, int):
        return f"The nearest is {name}={min(numbers, key=lambda number: abs(number - value))}."
    near = near_names(str(value), map(str, choices), limit=1)
    return f"Did you mean {name}={near[0]!r}?" if near else None
