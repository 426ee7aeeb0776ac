"""Prints the table of recall; exit code 1 when a mutant is missed or a healthy one accused.

python -m benchmarks.lint_mutants [CODE …] [--write]
"""

from __future__ import annotations

import argparse
import sys
import warnings
from collections import defaultdict
from pathlib import Path

import torch

from benchmarks.lint_mutants import HEALTHY, MUTATIONS, make_mutants
from benchmarks.lint_mutants.behaviour import with_batch
from benchmarks.lint_mutants.faults import FAULTS, OUT_OF_SIGHT
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
    table, found_faults = ([], []) if options.codes else published_faults()
    faults += found_faults
    text = "\n".join([*_HEADER, *table, *_MUTANTS, *lines, "", *_silent(), ""])
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
    "# Recall: the linter on broken networks",
    "",
    "Made by `python -m benchmarks.lint_mutants --write`.",
    "",
]
_MUTANTS = [
    "## Does each rule find what it was written for?",
    "",
    "Each mutant is a healthy network with one thing done to it at a place drawn by chance",
    "(seeded); the rule has to speak on the mutant and to be silent on the network that it was",
    "made of. Rules and mutants have the same authors, so 100% here says that a rule works, and",
    "nothing about faults that no rule was written for.",
    "",
]


def published_faults() -> tuple[list[str], list[str]]:
    """Returns the section on faults of published kinds, and what is wrong with the linter."""
    rows, faults, num_found, num_silent = [], [], 0, 0
    for fault in FAULTS:
        torch.manual_seed(0)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            broken, sound = fault.broken().report(), fault.sound().report()
        told = sorted({f.code for f in broken.findings if f.severity != "info"})
        loud = sorted({f.code for f in sound.findings if f.severity != "info"})
        is_found = bool(set(told) & set(fault.codes))
        num_found += is_found
        num_silent += not loud
        codes = ", ".join(told) or "–"
        rows.append(
            f"| {fault.area} | {fault.title} | {codes if is_found else f'**missed** ({codes})'} "
            f"| {', '.join(loud) or 'silent'} |"
        )
        if loud:
            faults.append(f"{', '.join(loud)} on the sound twin of {fault.title}")
        if not is_found:
            faults.append(f"nothing names {fault.title}: {codes}")
    total = len(FAULTS)
    lines = [
        "## Does the linter name faults of the kinds that studies describe?",
        "",
        f"**{num_found} of {total} faults named ({num_found / total:.0%}) by an error or warning; "
        f"{num_silent} of {total} sound twins silent.**",
        "",
        "The kinds are those of DeepFD, AUTOTRAINER, UMLAUT, NeuraLint, DeepLocalize and the",
        "taxonomy of Humbatova et al.; the networks are small and our own, each with a twin that",
        "differs in the fault alone. The call is the natural one: model, batch, labels, loss and",
        "optimizer. Since we wrote these faults with the rules in mind, this is an upper bound for",
        "faults that others collected. What a look at one batch cannot tell is not among them: "
        + "; ".join(OUT_OF_SIGHT)
        + ".",
        "",
        "| where | fault | named by | its sound twin |",
        "|---|---|---|---|",
        *rows,
        "",
    ]
    return lines, faults


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
                f"at {finding.place}: {finding.evidence}"
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
