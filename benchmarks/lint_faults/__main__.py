"""How many faults of published kinds the linter names, by class of fault, and twins it accuses.

    python -m benchmarks.lint_faults [AREA ...] [--write]

Prints found, missed and false for each class. ``--write`` puts the page into docs/lint-faults.md.
Exit code 1 when a sound twin is warned of, or less than four fifths of the faults are named.
"""

from __future__ import annotations

import argparse
import sys
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from benchmarks.lint_faults.case import Fault
from benchmarks.lint_faults.known import FAULTS, OUT_OF_SIGHT
from benchmarks.lint_faults.unseen import FIRST_RUN, UNSEEN

PAGE = Path(__file__).parents[2] / "docs" / "lint-faults.md"
GOAL = 0.8


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the linter says of a fault and of its twin: codes of errors and warnings."""

    fault: Fault
    broken: tuple[str, ...]
    sound: tuple[str, ...]

    @property
    def is_found(self) -> bool:
        """Whether a rule that names the fault is among them."""
        return not set(self.fault.codes).isdisjoint(self.broken)


def judge(fault: Fault) -> Verdict:
    """Lints a fault and its twin, each from the same seed."""
    told = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for build in (fault.broken, fault.sound):
            torch.manual_seed(0)
            report = build().report()
            told.append(tuple(sorted({f.code for f in report.findings if f.severity != "info"})))
    return Verdict(fault, *told)


def by_area(verdicts: Sequence[Verdict]) -> list[str]:
    """Returns the table of found, missed and false."""
    lines = [
        "| class of fault | faults | found | missed | false: twins warned of |",
        "|---|--:|--:|--:|--:|",
    ]
    areas = dict.fromkeys(verdict.fault.area for verdict in verdicts)
    for area in [*areas, "all"]:
        own = [verdict for verdict in verdicts if area in {verdict.fault.area, "all"}]
        found = sum(verdict.is_found for verdict in own)
        false = sum(bool(verdict.sound) for verdict in own)
        lines.append(f"| {area} | {len(own)} | {found} | {len(own) - found} | {false} |")
    return lines


def in_full(verdicts: Sequence[Verdict]) -> list[str]:
    """Returns the table of every fault."""
    lines = ["| class | fault | named by | its sound twin |", "|---|---|---|---|"]
    for verdict in verdicts:
        codes = ", ".join(verdict.broken) or "–"
        lines.append(
            f"| {verdict.fault.area} | {verdict.fault.title} "
            f"| {codes if verdict.is_found else f'**missed** ({codes})'} "
            f"| {', '.join(verdict.sound) or 'silent'} |"
        )
    return lines


def main(arguments: list[str] | None = None) -> None:
    """Judges the faults of the classes named, or of all."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("areas", nargs="*", metavar="AREA")
    parser.add_argument("--write", action="store_true", help=f"write {PAGE.name}")
    options = parser.parse_args(arguments)
    text = list(_HEADER)
    everything: list[Verdict] = []
    for heading, words, faults in (
        ("Written with the rules in mind", _KNOWN, FAULTS),
        ("Written before the linter was run on them", _UNSEEN, UNSEEN),
    ):
        chosen = [fault for fault in faults if not options.areas or fault.area in options.areas]
        verdicts = [judge(fault) for fault in chosen]
        everything += verdicts
        text += [f"## {heading}", "", words, "", *by_area(verdicts), "", *in_full(verdicts), ""]
    page = "\n".join(text)
    if options.write:
        PAGE.write_text(page, encoding="utf-8")
    print(page)
    false = [verdict for verdict in everything if verdict.sound]
    if false or sum(verdict.is_found for verdict in everything) < GOAL * len(everything):
        sys.exit(1)


_HEADER = (
    "# Recall: the linter on faults of the kinds that studies describe",
    "",
    "Made by `python -m benchmarks.lint_faults --write`.",
    "",
    "The kinds are those of DeepFD, AUTOTRAINER, UMLAUT, NeuraLint, DeepLocalize and the taxonomy",
    "of Humbatova et al.; the networks are small and our own, each with a sound twin that differs",
    "in the fault alone. The call is the natural one: model, batch, labels, loss and optimizer. A",
    "fault is found when an error or a warning is among the rules that name it; a twin is warned",
    "of falsely when any rule gives it an error or a warning.",
    "",
    "What a look at one batch cannot tell is not among them: " + "; ".join(OUT_OF_SIGHT) + ".",
    "",
)
_KNOWN = (
    "These have the same authors as the rules, so the figure is an upper bound for faults that\n"
    "others collected."
)
_UNSEEN = (
    "These were written down, with the rules that should name each, before the linter was run on\n"
    "any of them, and on forms of networks that the list above does not have. The first run named\n"
    f"{FIRST_RUN[0]} of {FIRST_RUN[1]} and warned of {FIRST_RUN[2]} twins, truly (they had dead "
    "units). Rules were mended\nafter it, so what follows is an upper bound again."
)

if __name__ == "__main__":
    main()
