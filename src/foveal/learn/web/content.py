"""What the page holds: tables of networks, what labs measured, and the drills' variants.

The explorer draws the tables. The labs were measured once on a named machine, for those who only
read. Variants are gzipped and kept from one time to the next: making some nine thousand exercises
takes several seconds, and the same version of Foveal always makes the same ones.
"""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import Any, Final

from foveal.draw.page import packed
from foveal.evaluation.evidence import Interval
from foveal.features.cache import cache_directory
from foveal.files import write_atomically
from foveal.inspection import Inspection, OpRow, inspect
from foveal.inspection.picture.component import component
from foveal.inspection.picture.picture import picture_of
from foveal.learn.drills import TEMPLATES, Template
from foveal.learn.drills.template import LEVELS
from foveal.learn.exercise import to_json
from foveal.learn.labs import LABS, Lab, load_lab
from foveal.learn.labs.lab import Chart, LabResult, Point, Series
from foveal.models.sources import open_network

# What to look at, and in a few words what it is.
NETWORKS: Final[tuple[tuple[str, str], ...]] = (
    ("foveal:cifar_net", "A small network for CIFAR-10"),
    ("foveal:vgg16", "VGG-16, 2014"),
    ("foveal:resnet18", "ResNet-18, 2015"),
)


def network_tables(model: str | None = None) -> list[dict[str, Any]]:
    """Returns the tables, a network of one's own first, each with its ``drawing`` as markup.

    Raises:
        UnknownModelError: There is no such model.
        TraceError: It cannot be followed.
    """
    own = [] if model is None else [(model, f"Yours: {model}")]
    listed = (*own, *NETWORKS)
    return [_table(spec, title, number) for number, (spec, title) in enumerate(listed)]


def _table(spec: str, title: str, number: int) -> dict[str, Any]:
    resolved = open_network(spec, weights="none")
    shape = resolved.input_shape
    table: Inspection = inspect(resolved.module, shape, name=spec)
    size = table.inputs[0].shape[-2:]
    return {
        "name": spec,
        "title": title,
        "size": list(size),
        "channels": table.inputs[0].shape[1],
        "parameters": table.totals.parameters,
        "rows": [_row(row) for row in table.ops],
        "drawing": component(picture_of(table), name=f"drawn-{number}"),
    }


def _row(row: OpRow) -> dict[str, Any]:
    field = row.receptive_field
    return {
        "name": row.name,
        "kind": row.kind.replace("_", " "),
        "shape": list(row.output_shape[1:]),
        "parameters": row.parameters,
        "macs": row.macs.value,
        "field": _axes(field.size),
        "stride": _axes(field.effective_stride),
        "start": _axes(field.start),
        "global": bool(field.is_global) and all(field.is_global),
        "reason": field.reason or "",
    }


def _axes(values: tuple[Any, ...]) -> list[float] | None:
    """Returns one number an axis, or nothing where one is unknown."""
    if not values or any(value is None for value in values):
        return None
    return [int(value) if value == int(value) else float(value) for value in values]


@dataclass(frozen=True, slots=True)
class RecordedLab:
    """One run of a lab that is part of the package.

    Attributes:
        lab: The experiment.
        result: What it gave.
        machine: Where it ran.
        command: What repeats it.
    """

    lab: Lab
    result: LabResult
    machine: str
    command: str


def recorded_labs() -> tuple[RecordedLab, ...]:
    """Returns the labs that were recorded, in their order; the others are left out."""
    found = []
    for name, _ in LABS:
        file = files("foveal.learn.web") / "recorded" / f"{name}.json"
        if file.is_file():
            content = json.loads(file.read_text("utf-8"))
            found.append(
                RecordedLab(
                    load_lab(name), _result(content), content["machine"], content["command"]
                )
            )
    return tuple(found)


def _result(content: Mapping[str, Any]) -> LabResult:
    return LabResult(
        header=tuple(content["header"]),
        rows=tuple(tuple(row) for row in content["rows"]),
        chart=None if content["chart"] is None else _chart(content["chart"]),
        finding=content["finding"],
        sentence=content["sentence"],
        answer=content["answer"],
        notes=tuple(content["notes"]),
    )


def _chart(content: Mapping[str, Any]) -> Chart:
    series = tuple(
        Series(
            each["name"],
            tuple(Point(point["x"], Interval(**point["value"])) for point in each["points"]),
        )
        for each in content["series"]
    )
    return Chart(**{**content, "series": series})


NUM_VARIANTS: Final = 201
"""Of each drill, in equal share at the three levels."""

Progress = Callable[[int, int], None]


def variants(template: Template) -> list[dict[str, Any]]:
    """Returns the variants of a drill that the page holds, traps in equal share at each level."""
    share = NUM_VARIANTS // len(LEVELS)
    return [to_json(template.exercise(seed, level)) for level in LEVELS for seed in range(share)]


def packed_drills(progress: Progress = lambda done, total: None) -> dict[str, str]:
    """Returns the packed variants of each drill, from the cache where they are there.

    Args:
        progress: Called with (done, total) while they are made.
    """
    file = cache_directory() / "learn" / f"drills-{_sources_digest()}.json"
    names = [each.name for each in TEMPLATES]
    with suppress(OSError, ValueError, AttributeError):
        kept: dict[str, str] = json.loads(file.read_bytes())
        if list(kept) == names and all(map(_is_whole, kept.values())):
            return kept
    made = {}
    for index, template in enumerate(TEMPLATES):
        progress(index, len(TEMPLATES))
        made[template.name] = packed(variants(template))
    with suppress(OSError):  # a cache that cannot be written costs time only
        write_atomically(file, json.dumps(made).encode("ascii"))
    return made


def _is_whole(text: object) -> bool:
    """Returns whether a kept text can be unpacked; gzip checks its own sum."""
    if not isinstance(text, str):
        return False
    with suppress(ValueError, OSError, EOFError, zlib.error):
        return bool(gzip.decompress(base64.b64decode(text, validate=True)))
    return False


def _sources_digest() -> str:
    """Returns a digest of all that makes the exercises: another version makes others."""
    digest = hashlib.sha256(f"{NUM_VARIANTS}".encode())
    package = files("foveal")
    for folder in (package / "learn", package / "learn" / "drills", package / "arithmetic"):
        for source in _sources(folder):
            digest.update(source.name.encode() + b"\0" + source.read_bytes() + b"\0")
    return digest.hexdigest()[:32]


def _sources(folder: Traversable) -> Iterator[Traversable]:
    yield from sorted(
        (each for each in folder.iterdir() if each.name.endswith(".py")),
        key=lambda each: each.name,
    )
