"""Refusing configurations that no layer can have, in words that name the layer."""

from __future__ import annotations

from foveal.errors import UsageError


def require_at_least(minimum: int, *, operation: str, **values: int) -> None:
    """Raises if one of the values is below ``minimum``.

    Args:
        minimum: The smallest value allowed.
        operation: What is being computed, such as ``"convolution"``.
        **values: The settings to check, by name.

    Raises:
        UsageError: A value is too small; names operation, setting and value.
    """
    for name, value in values.items():
        if value < minimum:
            raise UsageError(f"{operation}: {name} is {value}, expected at least {minimum}.")


def require_divisible(*, operation: str, groups: int, **channels: int) -> None:
    """Raises if ``groups`` does not divide each of the channel counts.

    Raises:
        UsageError: Names operation, channel count and groups.
    """
    require_at_least(1, operation=operation, groups=groups, **channels)
    for name, value in channels.items():
        if value % groups:
            raise UsageError(
                f"{operation}: {name} is {value}, which {groups} groups do not divide.",
                next_step="Choose groups that divide both the input and the output channels.",
            )
