"""Prints the table of recall; exit code 1 when a mutant is missed or a healthy one accused.

python -m benchmarks.lint_mutants [CODE …] [--write]
"""

from __future__ import annotations

import argparse
import sys
from collections import defaultdict
from pathlib import Path

from benchmarks.lint_mutants import HEALTHY, MUTATIONS, make_mutants
from benchmarks.lint_mutants.behaviour import with_batch
from benchmarks.lint_mutants.mutant import examine
from benchmarks.lint_mutants.training import sound_set_up
from benchmarks.lint_mutants.zoo import admit, settle, weather
from foveal.linting import RULES

PAGE = Path(__file__).parents[2] / "docs" / "lint-recall.md"
ENOUGH = 10


def main(arguments: list[str] | None = None) -> None:
    """Runs the mutants of the rules named, or of all."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("codes", nargs="*", metavar="CODE")
    parser.add_argument("--write", action="store_true", help=f"write {PAGE.name}")
    options = parser.parse_args(arguments)
    titles = {rule.code: rule.title for rule in RULES}
    made: dict[str, int] = defaultdict(int)
    found: dict[str, int] = defaultdict(int)
    what: dict[str, list[str]] = defaultdict(list)
    faults: list[str] = []
    for mutation in MUTATIONS:
        if options.codes and mutation.code not in options.codes:
            continue
        what[mutation.code].append(mutation.title)
        for mutant in make_mutants(mutation):
            if examine(mutant.healthy, [mutation.code]).of(mutation.code):
                # An information may be true of a healthy network; then nothing is shown.
                if mutation.code not in INFORMS:
                    faults.append(f"{mutation.code} speaks on the healthy {mutant.name}")
                continue
            made[mutation.code] += 1
            report = examine(mutant.broken, [mutation.code])
            if sys.stderr.isatty():
                print(f"\r{mutation.code} {mutant.name:40}", end="", file=sys.stderr)
            if report.of(mutation.code):
                found[mutation.code] += 1
            else:
                outcome = report.outcomes[mutation.code]
                faults.append(f"{mutation.code} misses {mutant.name} ({mutation.title}): {outcome}")
    lines = ["| rule | what | mutation | mutants | found | recall |", "|---|---|---|--:|--:|--:|"]
    for code in what:
        recall = f"{found[code] / made[code]:.0%}" if made[code] else "–"
        lines.append(
            f"| [{code}](rules/{code}.md) | {titles.get(code, '?')} | {'; '.join(what[code])} "
            f"| {made[code]} | {found[code]} | {recall} |"
        )
        if made[code] < ENOUGH:
            faults.append(f"{code} has {made[code]} mutants, fewer than {ENOUGH}")
    missing = [] if options.codes else [r.code for r in RULES if r.code not in what]
    faults += [f"{code} has no mutation" for code in missing]
    if not options.codes:
        faults += accused()
    text = "\n".join([*_HEADER, *_MUTANTS, *lines, "", *_silent(), ""])
    if options.write:
        PAGE.write_text(text, encoding="utf-8")
    print(text)
    for fault in faults:
        print(fault, file=sys.stderr)
    if faults:
        sys.exit(1)


# Rules whose findings are true of healthy networks too; mutants are made of the others.
INFORMS = frozenset(["S103", "S115", "S116", "S117", "T406"])
_HEADER = [
    "# Recall: does each rule find what it was written for?",
    "",
    "Made by `python -m benchmarks.lint_mutants --write`.",
    "",
]
_MUTANTS = [
    "Each mutant is a healthy network with one thing done to it at a layer drawn by chance",
    "(seeded); the rule has to speak on the mutant and to be silent on the network that it was",
    "made of. Rules and mutants have the same authors, so 100% here says that a rule works, and",
    "nothing about faults that no rule was written for; for those see",
    "[lint-faults.md](lint-faults.md).",
    "",
]


def accused() -> list[str]:
    """Returns the errors and warnings of any rule on the healthy networks."""
    faults: list[str] = []
    for index, healthy in enumerate(HEALTHY):
        for state in ("new", "settled with a batch", "trained with an optimizer"):
            patient = admit(healthy, seed=index)
            if state == "settled with a batch":
                with_batch(settle(patient))
            elif state == "trained with an optimizer":
                sound_set_up(weather(patient))
            faults += [
                f"{finding.code} ({finding.severity}) on the healthy {healthy.name}, {state}, "
                f"at {finding.location}: {finding.evidence}"
                for finding in examine(patient).findings
                if finding.severity != "info"
            ]
    return faults


def _silent() -> list[str]:
    names = ", ".join(healthy.name for healthy in HEALTHY)
    return [
        f"Healthy networks ({len(HEALTHY)}): {names}. Every rule is run on each of them as new, "
        "with a batch and settled batch norms, and with a sound optimizer; an error or warning "
        "there fails the command."
    ]


if __name__ == "__main__":
    main()
