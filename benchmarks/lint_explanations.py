"""Why each error and warning of the survey is true: by rule and family."""

from __future__ import annotations

EXPLANATIONS: dict[tuple[str, str], str] = {}
