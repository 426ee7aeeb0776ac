"""A mutation, and the mutants that it makes of the healthy networks."""

from __future__ import annotations

import copy
import random
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field
from typing import Any, Literal

import torch

from benchmarks.lint_mutants.zoo import HEALTHY, Healthy, Patient, admit, settle, weather
from foveal.linting import LintReport, lint

State = Literal["new", "settled", "trained"]


class NoLayerError(Exception):
    """A network has no layer for a mutation, such as a batch norm where it has none."""


@dataclass(frozen=True, slots=True)
class Mutation:
    """One way to break a network.

    Attributes:
        code: The rule that has to find it.
        title: What is done.
        apply: Breaks a patient in place, choosing by chance where; ``NoLayerError`` if it
            cannot.
        state: What the healthy network has behind it: nothing, settled batch norms, or
            weights that look trained.
        prepare: Done to the healthy network as well, such as giving it a sound optimizer.
        times: How often for each network.
    """

    code: str
    title: str
    apply: Callable[[Patient, random.Random], None]
    state: State = "new"
    prepare: Callable[[Patient], None] | None = None
    times: int = 1


@dataclass(frozen=True, slots=True)
class Mutant:
    """A broken network, and the healthy one that it was made of."""

    mutation: Mutation
    name: str
    seed: int
    broken: Patient
    healthy: Patient = field(repr=False)


_KNOWN: dict[tuple[str, State, int], Patient] = {}


def _patient(healthy: Healthy, state: State, seed: int) -> Patient:
    """Returns a healthy network of its own; made once, copied afterwards."""
    key = (healthy.name, state, seed)
    if key not in _KNOWN:
        patient = admit(healthy, seed=seed)
        if state == "settled":
            settle(patient)
        elif state == "trained":
            weather(patient)
        _KNOWN[key] = patient
    return copy.deepcopy(_KNOWN[key])


def make_mutants(mutation: Mutation, *, among: Collection[str] | None = None) -> Iterator[Mutant]:
    """Yields the mutants of one mutation: of the networks named, or all, with a layer for it."""
    for index, healthy in enumerate(HEALTHY):
        if among is not None and healthy.name not in among:
            continue
        for turn in range(mutation.times):
            seed = 1000 * turn + index
            broken, sound = (_patient(healthy, mutation.state, seed) for _ in range(2))
            try:
                if mutation.prepare is not None:
                    for patient in (broken, sound):
                        torch.manual_seed(seed)
                        mutation.prepare(patient)
                torch.manual_seed(seed)
                mutation.apply(broken, random.Random(seed))
            except NoLayerError:
                continue
            yield Mutant(mutation, f"{healthy.name} #{turn}", seed, broken, sound)


def examine(patient: Patient, select: list[str] | None = None) -> LintReport:
    """Lints a patient with what belongs to it."""
    options: dict[str, Any] = dict(patient.options)
    if "batch" not in options:
        options.setdefault("input_shape", (3, patient.size_px, patient.size_px))
    return lint(patient.model, select=select, **options)
