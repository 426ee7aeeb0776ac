"""Where an architecture was published."""

from __future__ import annotations

from dataclasses import dataclass


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
