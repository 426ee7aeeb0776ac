"""Answers read back from the parts of a ledger, by the digest of the image."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from foveal.errors import LedgerError
from foveal.evaluation import predict_sets
from foveal.evaluation.drift import project
from foveal.features.parts import PART_PATTERN
from foveal.runs.classifier import Classifier, Prediction
from foveal.sharding.ledger import answer_origin, read_ledger
from foveal.text import printable


def read_answers(
    folder: Path, classifier: Classifier
) -> Callable[[Sequence[str]], Mapping[str, Prediction]]:
    """Returns a function from digests of images to the answers that parts hold for them.

    Raises:
        LedgerError: It is no ledger, has no features, or is of another run; what differs is
            named.
    """
    facts = read_ledger(folder)
    if facts.contents != "features":
        raise LedgerError(
            f"{printable(str(folder))} holds answers without digests, so that nobody can say "
            "whose they are.",
            next_step="Make the parts with: foveal predict RUN SOURCE --shards FOLDER --features",
        )
    ours = answer_origin(classifier)
    differing = [name for name, value in ours.items() if getattr(facts, name) != value]
    if differing:
        raise LedgerError(
            f"{printable(str(folder))} is of another run. What differs: {', '.join(differing)}.",
            next_step="Give the run that the parts were made with, or leave --features out.",
        )

    def find(digests: Sequence[str]) -> Mapping[str, Prediction]:
        from pyarrow import parquet

        wanted, found = set(digests), {}
        for file in sorted(folder.glob(PART_PATTERN)):
            with parquet.ParquetFile(file) as part:
                for group in range(part.num_row_groups):
                    held = part.read_row_group(group, ["digest"]).column("digest").to_pylist()
                    rows = [row for row, name in enumerate(held) if name in wanted]
                    if not rows:
                        continue
                    for row in part.read_row_group(group).take(rows).to_pylist():
                        if row["error"] is None:
                            found[row["digest"]] = _prediction(row, classifier)
        return found

    return find


def _prediction(row: Mapping[str, Any], classifier: Classifier) -> Prediction:
    names = classifier.class_names
    probabilities = tuple(row[f"probability_{name}"] for name in names)
    # Computed again: the column joins names by bars, and a name may hold one.
    members = predict_sets(np.array([probabilities]), classifier.set_thresholds)[0]
    return Prediction(
        path=row["path"],
        label=row["label"],
        probability=row["probability"],
        probabilities=probabilities,
        prediction_set=tuple(name for name, inside in zip(names, members, strict=True) if inside),
        is_unsure=row["unsure"],
        is_unlike_training=row["unlike_training"],
        novelty=row["novelty"],
        logits=tuple(row["logits"]),
        projected=project(np.array([row["features"]], np.float32))[0],
    )
