"""Dataclasses as JSON and back, by their type hints; name and version of every schema."""

from foveal.schema.type_hints import Counts, Mark, Unbounded, from_json, json_schema, to_json
from foveal.schema.versions import VERSIONS, stamped, unstamped

__all__ = [
    "VERSIONS",
    "Counts",
    "Mark",
    "Unbounded",
    "from_json",
    "json_schema",
    "stamped",
    "to_json",
    "unstamped",
]
