"""What a classifier over a frozen network is, in words and as values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class ModelDescription:
    """How one kind of classifier describes itself, for the report and for ``report.json``.

    Attributes:
        kind: One word, such as ``"linear"``; the maker's.
        sentence: What it is and what was chosen, as a phrase without a full stop.
        parameters: What was chosen, as JSON values by name.
    """

    kind: str
    sentence: str
    parameters: Mapping[str, Any]
