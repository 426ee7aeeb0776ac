"""What can be wrong with a file's bytes, each in its own words and with what to do."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from foveal.errors import ImageError

ProblemCode = Literal[
    "empty_file",
    "not_an_image",
    "unsupported_format",
    "corrupt",
    "truncated",
    "too_large",
    "unreadable",
    "missing",
    "outside_folder",
    "missing_codec",
    "missing_label",
]
"""Why one file cannot be used; a stable word for tables and tests."""


def truncated(what: str) -> ImageError:
    """Returns the error for a file that ends too early."""
    return ImageError(
        f"the file is cut short: {what}",
        code="truncated",
        next_step="Copy it again from its source.",
    )


def corrupt(what: str) -> ImageError:
    """Returns the error for a file that is all there and yet broken."""
    return ImageError(
        f"the file is damaged: {what}",
        code="corrupt",
        next_step="Copy it again from its source, or open and save it with an image editor.",
    )


def too_large(what: str) -> ImageError:
    """Returns the error for a file that would take more memory or time than is allowed."""
    return ImageError(
        what, code="too_large", next_step="Make it smaller, or use a machine with more memory."
    )


def unsupported(what: str, *, readable: Sequence[str] = ()) -> ImageError:
    """Returns the error for a real image that Foveal does not read.

    Args:
        what: The kind of image, as a phrase.
        readable: The formats that are read, where the image is of none of them.
    """
    others = f"; it reads {', '.join(readable)}" if readable else ""
    return ImageError(
        f"this is {what}, which Foveal does not read{others}",
        code="unsupported_format",
        next_step="Convert it to PNG, TIFF or JPEG, then try again.",
    )
