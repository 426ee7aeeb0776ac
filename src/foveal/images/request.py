"""What is wanted of a file, as one value that can be sent to another process."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from foveal.images.frames import FrameChoice
from foveal.images.window import FixedRange, Window


@dataclass(frozen=True, slots=True)
class Request:
    """How to decode; see :func:`foveal.images.decode` for the meaning of each."""

    window: Window
    max_pixels: int
    reduce_to_px: tuple[int, int] | None
    frame: FrameChoice

    def to_json(self) -> dict[str, Any]:
        """Returns plain values; :meth:`from_json` reads them."""
        return asdict(self)

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Request:
        """Reads what :meth:`to_json` wrote.

        >>> request = Request(Window(), 100, (4, 5), "middle")
        >>> Request.from_json(request.to_json()) == request
        True
        """
        window, reduce_to_px = dict(value["window"]), value["reduce_to_px"]
        window["fixed"] = tuple(FixedRange(**one) for one in window["fixed"])
        return cls(
            window=Window(**window),
            max_pixels=value["max_pixels"],
            reduce_to_px=None if reduce_to_px is None else (reduce_to_px[0], reduce_to_px[1]),
            frame=value["frame"],
        )
