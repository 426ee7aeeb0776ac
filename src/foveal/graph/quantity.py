"""A number together with how far it can be believed.

``complete``: the number is exact. ``partial``: it is a lower bound, some of it could not be
seen. ``unavailable``: there is no number; the reason says why. A figure that is not complete
always has a reason.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Generic, Literal, TypeVar

Status = Literal["complete", "partial", "unavailable"]

Value = TypeVar("Value")


@dataclass(frozen=True, slots=True)
class Quantity(Generic[Value]):
    """One value with its status.

    Attributes:
        value: The number, or None when it is unavailable.
        status: Whether the value is exact, a lower bound or absent.
        reason: Why the value is not exact; None when it is.
    """

    value: Value | None
    status: Status = "complete"
    reason: str | None = None

    def __post_init__(self) -> None:
        if (self.reason is None) != (self.status == "complete"):
            raise ValueError(f"a quantity that is {self.status} came with reason {self.reason!r}")
        if (self.value is None) != (self.status == "unavailable"):
            raise ValueError(f"a quantity that is {self.status} came with value {self.value!r}")

    @classmethod
    def unavailable(cls, reason: str) -> Quantity[Value]:
        """Returns a quantity without a value."""
        return cls(None, "unavailable", reason)

    @classmethod
    def partial(cls, value: Value, reason: str) -> Quantity[Value]:
        """Returns a lower bound."""
        return cls(value, "partial", reason)


def total(quantities: Iterable[Quantity[int]]) -> Quantity[int]:
    """Returns the sum; a lower bound as soon as one of the quantities is no exact number.

    >>> total([Quantity(2), Quantity(3)])
    Quantity(value=5, status='complete', reason=None)
    >>> total([Quantity(2), Quantity.unavailable("fft is not counted")])
    Quantity(value=2, status='partial', reason='fft is not counted')
    """
    sum_known = 0
    reasons: dict[str, None] = {}
    for quantity in quantities:
        sum_known += quantity.value or 0
        if quantity.reason is not None:
            reasons[quantity.reason] = None
    if not reasons:
        return Quantity(sum_known)
    return Quantity.partial(sum_known, "; ".join(reasons))
