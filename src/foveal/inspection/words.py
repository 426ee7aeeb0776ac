"""Sets of PyTorch's words, written as one line of text."""

from __future__ import annotations


def words(text: str) -> frozenset[str]:
    """Returns the words of ``text``.

    >>> sorted(words("view reshape"))
    ['reshape', 'view']
    """
    return frozenset(text.split())
