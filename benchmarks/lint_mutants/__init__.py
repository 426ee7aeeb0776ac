"""Broken networks made by code: each rule has to find each of its own.

A mutant is a healthy network with one thing done to it. ``python -m benchmarks.lint_mutants``
runs every rule on its mutants and on the healthy networks, and prints the table of recall.
"""

from benchmarks.lint_mutants.behaviour import BEHAVIOUR_MUTATIONS
from benchmarks.lint_mutants.calls import CALL_MUTATIONS
from benchmarks.lint_mutants.mutant import Mutant, Mutation, make_mutants
from benchmarks.lint_mutants.structure import STRUCTURE_MUTATIONS
from benchmarks.lint_mutants.training import TRAINING_MUTATIONS
from benchmarks.lint_mutants.weights import WEIGHTS_MUTATIONS
from benchmarks.lint_mutants.zoo import HEALTHY, Patient

MUTATIONS: tuple[Mutation, ...] = (
    *STRUCTURE_MUTATIONS,
    *WEIGHTS_MUTATIONS,
    *BEHAVIOUR_MUTATIONS,
    *TRAINING_MUTATIONS,
    *CALL_MUTATIONS,
)

__all__ = ["HEALTHY", "MUTATIONS", "Mutant", "Mutation", "Patient", "make_mutants"]
