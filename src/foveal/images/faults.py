"""What can be wrong with a file's bytes, each in its own words and with what to do."""

from __future__ import annotations

from foveal.errors import ImageError


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
