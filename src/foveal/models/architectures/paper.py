"""What a paper defines: where an architecture was published, and which options it has."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

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


@dataclass(frozen=True, slots=True)
class Paper:
    """A publication, as much of it as finds it again.

    Attributes:
        authors: Family names; three at most, then "et al.".
        title: As printed.
        year: Of publication.
        identifier: An arXiv number as ``"arXiv:1512.03385"``, else the venue.
    """

    authors: str
    title: str
    year: int
    identifier: str

    def __str__(self) -> str:
        return f"{self.authors}: {self.title} ({self.year}, {self.identifier})"
