"""One part of a ledger: a Parquet file with the answers of one shard.

Its columns are those of ``foveal predict``; a part of features has ``digest``, ``logits`` and
``features`` besides. Its footer says of which model, preprocessing and listing it is, how many
rows it has, and which of them have no answer and why. Nothing in it depends on time or machine,
so that a part that is computed twice has the same bytes.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal, TypedDict

from foveal.errors import LedgerError, SchemaError
from foveal.features.parts import FEATURES_KEY, FeatureOrigin
from foveal.images import pixel_versions_digest
from foveal.runs.classifier import Answered, Classifier
from foveal.runs.named_images import NamedImage
from foveal.runs.prediction_rows import arrow_schema, describe, flatten
from foveal.schema import stamped, unstamped
from foveal.sharding.sources import LazyImage
from foveal.text import printable

Contents = Literal["answers", "features"]

FOOTER_KEY: Final = b"foveal"
_ROWS_AT_ONCE: Final = 4096


@dataclass(frozen=True, slots=True)
class BadRow:
    """A row without an answer, and why."""

    row: int
    path: str
    reason: str


class BadRowJson(TypedDict):
    """A row without an answer, and why."""

    row: int
    path: str
    reason: str


class PartFooter(TypedDict):
    """The footer of a part: which shard of what it is, its rows, and those without an answer."""

    shard: int
    model: str
    novelty: str
    operating_point: str
    preprocessing: str
    manifest: str
    num_rows: int
    bad: list[BadRowJson]


@dataclass(frozen=True, slots=True)
class PartFacts:
    """What the footer of a part says.

    Attributes:
        shard: Its number, from 0.
        origin: What it was made of, by name: ``ledger.ORIGIN``.
        num_rows: All of them.
        bad: Those without an answer.
    """

    shard: int
    origin: Mapping[str, str]
    num_rows: int
    bad: tuple[BadRow, ...]


@dataclass(frozen=True, slots=True)
class Part:
    """A part as it will lie on the disk."""

    content: bytes
    facts: PartFacts


def make_part(
    classifier: Classifier,
    images: Iterator[NamedImage],
    *,
    shard: int,
    origin: Mapping[str, str],
    contents: Contents,
    num_workers: int | None,
) -> Part:
    """Answers for the images of one shard.

    Raises:
        SourceLostError: The source cannot be read any more.
    """
    import pyarrow as pa
    from pyarrow import parquet

    schema = arrow_schema(classifier.class_names)
    if contents == "features":
        for name, kind in (
            ("digest", pa.string()),
            ("logits", pa.list_(pa.float64(), len(classifier.class_names))),
            ("features", pa.list_(pa.float32(), classifier.novelty.mean.size)),
        ):
            schema = schema.append(pa.field(name, kind))
    bad: list[BadRow] = []
    rows: list[dict[str, Any]] = []
    num_rows = 0
    buffer = pa.BufferOutputStream()
    with parquet.ParquetWriter(buffer, schema) as writer:
        for batch in classifier.stream(images, num_workers=num_workers):
            for one in batch:
                if (reason := one.prediction.error) is not None:
                    bad.append(BadRow(num_rows, one.prediction.path, reason))
                row = flatten(describe(one.prediction, classifier.class_names))
                rows.append({**row, **_further(one)} if contents == "features" else row)
                num_rows += 1
            if len(rows) >= _ROWS_AT_ONCE:
                writer.write_table(pa.Table.from_pylist(rows, schema=schema))
                rows = []
        if rows or not num_rows:
            writer.write_table(pa.Table.from_pylist(rows, schema=schema))
        facts = PartFacts(shard, dict(origin), num_rows, tuple(bad))
        footer = {FOOTER_KEY: _footer(facts)}
        if contents == "features":
            footer[FEATURES_KEY] = feature_origin(classifier).footer()
        writer.add_key_value_metadata(footer)
    return Part(bytes(buffer.getvalue()), facts)


def feature_origin(classifier: Classifier) -> FeatureOrigin:
    """Returns what the features of a run depend on: the frozen network, whatever stands on it."""
    backbone = classifier.manifest["backbone"]
    return FeatureOrigin(
        architecture=str(backbone["name"]).split(".", 1)[0],
        weights=str(backbone["weights_sha256"]),
        preprocessing=classifier.preprocessing.digest,
        decoders=pixel_versions_digest(),
        views=",".join(classifier.views),
    )


def _further(one: Answered) -> dict[str, Any]:
    image = one.image.image
    return {
        "digest": image.digest if isinstance(image, LazyImage) else None,
        "logits": one.prediction.logits or None,
        "features": None if one.features is None else one.features.tolist(),
    }


def _footer(facts: PartFacts) -> bytes:
    content = {
        "shard": facts.shard,
        **facts.origin,
        "num_rows": facts.num_rows,
        "bad": [{"row": one.row, "path": one.path, "reason": one.reason} for one in facts.bad],
    }
    return json.dumps(stamped("part", content), ensure_ascii=False).encode()


def read_facts(file: Path, keys: Sequence[str]) -> PartFacts | None:
    """Reads the footer of a part; ``None`` where the file is damaged.

    Args:
        file: The part.
        keys: The names of the digests in its origin.

    Raises:
        LedgerError: It is a Parquet file, but no part of this version.
        OSError: It cannot be opened.
    """
    from pyarrow import ArrowException, parquet

    try:
        metadata = parquet.read_metadata(file)
    except (ArrowException, ValueError):
        return None
    stored = metadata.metadata or {}
    try:
        content = unstamped("part", json.loads(stored[FOOTER_KEY]))
        return PartFacts(
            int(content["shard"]),
            {key: str(content[key]) for key in keys},
            int(content["num_rows"]),
            tuple(BadRow(**one) for one in content["bad"]),
        )
    except (KeyError, ValueError, TypeError, SchemaError):
        raise LedgerError(
            f"{printable(str(file))} is no part that this version of Foveal wrote.",
            next_step="Move it elsewhere, or begin again with another folder.",
        ) from None
