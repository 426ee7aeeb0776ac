"""``make bench ARGS=claims``: prints how often each planted fault is found, missed, and claimed
of honest sets. ``docs/claims.md`` holds what it printed.

``SEEDS=2 python -m benchmarks claims`` makes two sets a kind instead of five, and
``ABOUT=shortcut`` only those that are found in one way.
"""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.claims.planted import KINDS, Planted, honest
from benchmarks.measuring import print_table

NUM_HONEST = 20


@dataclass(frozen=True, slots=True)
class Outcome:
    """What was said of one set: the finished run, and new data scored by it."""

    planted: Planted
    finished: Any
    scored: Any

    @property
    def evidence(self) -> Any:
        return self.finished.trained.evidence


def claims_more_than_chance(outcome: Outcome) -> bool:
    low = outcome.evidence.baseline.gain.low
    return low is not None and low > 0.0


def is_grouped_by_a_test(outcome: Outcome) -> bool:
    """Whether structure or copies were found that lower the headline."""
    grouping = outcome.evidence.grouping
    trained = outcome.finished.trained
    return grouping.origin in ("test", "name") or len(np.unique(trained.groups)) < len(
        trained.groups
    )


def names_a_shortcut(outcome: Outcome) -> bool:
    from foveal.reporting.sections.heat_maps import shortcut_warnings

    return any(True for _ in shortcut_warnings(outcome.finished.explanations))


def listed_labels(outcome: Outcome) -> set[str]:
    usable = outcome.finished.trained.manifest.usable
    return {usable[issue.index].path for issue in outcome.evidence.label_review}


def counts_the_seen(outcome: Outcome) -> bool:
    expected = len(outcome.planted.truth) or 20
    scored = outcome.scored
    evidence = outcome.evidence if scored is None else scored.evidence
    return bool(0.9 * expected <= evidence.protocol.num_seen <= expected)


@dataclass(frozen=True, slots=True)
class Saying:
    """How a fault is told: on a set that has it, and on one that has not."""

    is_found: Callable[[Outcome], bool]
    is_claimed: Callable[[Outcome], bool]


SAYINGS: dict[str, Saying] = {
    # A leak is found where the headline no longer claims what only copies or patients give.
    "leak": Saying(lambda one: not claims_more_than_chance(one), is_grouped_by_a_test),
    "seen": Saying(counts_the_seen, lambda one: one.evidence.protocol.num_seen > 0),
    "shortcut": Saying(names_a_shortcut, names_a_shortcut),
    "labels": Saying(
        lambda one: len(listed_labels(one) & one.planted.truth) >= 4,
        lambda one: len(listed_labels(one)) > 4,
    ),
    "chance": Saying(
        lambda one: not claims_more_than_chance(one) and not listed_labels(one),
        lambda one: not claims_more_than_chance(one),
    ),
}


def train_on(planted: Planted, folder: Path, **choices: Any) -> Outcome:
    from foveal.api import load, make_run
    from foveal.runs.scoring import evaluate_classifier
    from foveal.training import TrainConfig

    config = TrainConfig(size_px=128, backend="onnxruntime", **choices)
    finished = make_run(planted.data, folder / "run", config=config, command="benchmark")
    scored = None
    if planted.new_data is not None:
        scored = evaluate_classifier(load(folder / "run"), planted.new_data)
    return Outcome(planted, finished, scored)


def main() -> None:
    num_seeds = int(os.environ.get("SEEDS", "5"))
    rows, outcomes = [], []
    start = time.perf_counter()
    wanted = os.environ.get("ABOUT", "")
    for kind in KINDS:
        if wanted not in ("", kind.about):
            continue
        num_found = 0
        for seed in range(num_seeds):
            with tempfile.TemporaryDirectory() as name:
                folder = Path(name)
                planted = kind.plant(folder / "data", np.random.default_rng([seed, 1]))
                outcome = train_on(planted, folder, **kind.choices)
                num_found += SAYINGS[kind.about].is_found(outcome)
        rows.append((kind.name, kind.about, f"{num_found} of {num_seeds}"))
        print(f"{kind.name}: {num_found} of {num_seeds}", flush=True)
    for seed in range(NUM_HONEST):
        with tempfile.TemporaryDirectory() as name:
            planted = honest(Path(name) / "data", np.random.default_rng([seed, 2]))
            outcome = train_on(planted, Path(name))
            outcomes.append({about: one.is_claimed(outcome) for about, one in SAYINGS.items()})
    print_table(("planted", "found by", "found"), rows)
    print()
    print_table(
        ("said of honest sets", "sets", "falsely claimed"),
        [
            (about, str(NUM_HONEST), str(sum(outcome[about] for outcome in outcomes)))
            for about in SAYINGS
        ],
    )
    print(f"\n{time.perf_counter() - start:.0f} s")


if __name__ == "__main__":
    main()
