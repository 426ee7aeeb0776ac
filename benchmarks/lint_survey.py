"""How precise the linter is on published classifiers: every error and warning, explained.

    python -m benchmarks.lint_survey [--answers FILE] [--part 1/4] [--write]

All torchvision classifiers and one small variant of each family in timm are built with random
weights, at their own input size and in evaluation mode, and looked at by every rule over
structure and weights. Findings are printed by rule and family. An error or warning is true
or the rule is mended: ``lint_explanations.py`` says why it is true, and one that is not
explained there ends the command with exit code 1.

``--answers`` keeps what was found, so that the survey can be run in parts (``--part``) and
taken up again; ``--fresh CODE`` forgets the models on which that rule spoke or failed.
``--write`` puts the table into docs/lint-survey.md.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
import time
import warnings
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch

from benchmarks.lint_explanations import EXPLANATIONS
from benchmarks.trace_survey import build, timm_models, torchvision_models
from foveal.linting import RULES, lint

PAGE = Path(__file__).parents[1] / "docs" / "lint-survey.md"
# Models above this are built without values, and rules over weights do not apply.
MAX_WEIGHTS = 40_000_000
# fmt: off
_SIZES = [
    "atto", "zepto", "femto", "pico", "test", "nano", "micro", "xxxs", "xxs", "xxtiny", "xtiny",
    "tiny", "xs", "mini", "small", "s", "lite", "t", "medium", "m", "base", "b", "large", "l",
    "huge", "h", "giant", "g", "enormous",
]
# fmt: on


@dataclass(frozen=True, slots=True)
class Answer:
    """What the rules said about one model."""

    library: str
    name: str
    family: str
    has_values: bool
    seconds: float
    findings: list[list[Any]]  # code, severity, location, evidence
    undetermined: dict[str, str]
    problem: str | None = None


def family_of(name: str, module: str) -> str:
    """Returns the family: the module, or the letters that the name begins with if they differ."""
    word = re.match(r"[a-z]+(?:v\d(?=_|$))?", name.replace("tf_", "")).group()  # type: ignore[union-attr]
    return module if module.replace("_", "").startswith(word) else f"{module}/{word}"


def chosen_models() -> Iterator[tuple[str, str, str]]:
    """Yields library, name and family: all of torchvision, one small one a family of timm."""
    for name, family in torchvision_models():
        yield "torchvision", name, f"torchvision {family}"
    families: dict[str, list[str]] = defaultdict(list)
    for name, module in timm_models():
        families[family_of(name, module)].append(name)
    for family in sorted(families):
        yield "timm", min(families[family], key=_size), family


def _size(name: str) -> tuple[int, int, str]:
    words = re.split(r"[_\d]+", name)
    rank = min((_SIZES.index(word) for word in words if word in _SIZES), default=len(_SIZES))
    numbers = [int(number) for number in re.findall(r"\d+", name)]
    return rank, sum(numbers), name


def survey_one(library: str, name: str, family: str) -> Answer:
    """Builds and lints one model."""
    began = time.perf_counter()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            model, shape = build(library, name)
            small = sum(parameter.numel() for parameter in model.parameters()) <= MAX_WEIGHTS
            if small:
                torch.manual_seed(0)
                model = _with_values(library, name)
            report = lint(model, input_shape=shape, select=["structure", "weights"])
    except Exception as error:
        problem = f"{type(error).__name__}: {error}".splitlines()[0]
        return Answer(library, name, family, False, 0.0, [], {}, problem)
    return Answer(
        library,
        name,
        family,
        small,
        time.perf_counter() - began,
        [[f.code, f.severity, f.location, f.evidence] for f in report.findings],
        dict(report.undetermined),
    )


def _with_values(library: str, name: str) -> torch.nn.Module:
    if library == "timm":
        import timm

        model: torch.nn.Module = timm.create_model(name, pretrained=False)
    else:
        import torchvision

        settings = {"init_weights": False} if name in {"googlenet", "inception_v3"} else {}
        model = torchvision.models.get_model(name, weights=None, **settings)
    return model.eval()


def page(answers: list[Answer]) -> str:
    """Returns the survey as Markdown."""
    serious, unexplained = _serious(answers)
    timm_families = {answer.family for answer in answers if answer.library == "timm"}
    num_torchvision = sum(answer.library == "torchvision" for answer in answers)
    with_values = sum(answer.has_values for answer in answers)
    seconds = sorted(answer.seconds for answer in answers)
    total = sum(count for count in serious.values())
    lines = [
        "# Precision: the linter on published classifiers",
        "",
        "Made by `python -m benchmarks.lint_survey --write`.",
        "",
        f"{num_torchvision} classifiers of torchvision (all) and {len(timm_families)} families of "
        f"timm (one small variant each), at their own input size, in evaluation mode, with random "
        f"weights ({with_values} of {len(answers)} with values; the others are larger than "
        f"{MAX_WEIGHTS // 1_000_000} million weights and were built as shapes alone). "
        f"Rules over structure and weights. Median {seconds[len(seconds) // 2]:.1f} s a model, "
        f"building it included; longest {seconds[-1]:.0f} s.",
        "",
        f"**{total} errors and warnings, {total - len(unexplained)} explained as true, "
        f"{len(unexplained)} not explained.**",
        "",
        "## By rule",
        "",
        "| rule | what | errors | warnings | infos | models | could not tell |",
        "|---|---|--:|--:|--:|--:|--:|",
    ]
    for rule in RULES:
        if rule.family not in {"structure", "weights"}:
            continue
        counts: Counter[str] = Counter()
        models = 0
        for answer in answers:
            own = [severity for code, severity, *_ in answer.findings if code == rule.code]
            counts.update(own)
            models += bool(own)
        unclear = sum(rule.code in answer.undetermined for answer in answers)
        lines.append(
            f"| [{rule.code}](rules/{rule.code}.md) | {rule.title} | {counts['error']} "
            f"| {counts['warning']} | {counts['info']} | {models} | {unclear} |"
        )
    lines += ["", "## Errors and warnings, and why each is true", ""]
    lines += ["| rule | family | findings | why |", "|---|---|--:|---|"]
    for (code, severity, family), count in sorted(serious.items()):
        why = EXPLANATIONS.get((code, family), "**not explained**")
        lines.append(f"| {code} ({severity}) | {family} | {count} | {why} |")
    reasons: dict[str, list[str]] = defaultdict(list)
    for answer in answers:
        for reason in set(answer.undetermined.values()):
            reasons[reason.splitlines()[0]].append(answer.name)
        if answer.problem is not None:
            reasons[f"not built or not linted: {answer.problem}"].append(answer.name)
    lines += ["", "## Could not tell", "", *([] if reasons else ["No rule, on no model."])]
    for reason, names in sorted(reasons.items(), key=lambda item: -len(item[1])):
        shown = ", ".join(f"`{name}`" for name in names[:6])
        lines.append(
            f"- {shown}{f' and {len(names) - 6} more' if len(names) > 6 else ''}: {reason}"
        )
    lines += ["", "## Models", "", _models(answers), ""]
    return "\n".join(lines)


def _serious(
    answers: Iterable[Answer],
) -> tuple[Counter[tuple[str, str, str]], list[tuple[str, str, str, str]]]:
    counts: Counter[tuple[str, str, str]] = Counter()
    unexplained = []
    for answer in answers:
        for code, severity, location, evidence in answer.findings:
            if severity == "info":
                continue
            counts[code, severity, answer.family] += 1
            if (code, answer.family) not in EXPLANATIONS:
                unexplained.append((code, answer.name, location, evidence))
    return counts, unexplained


def _models(answers: list[Answer]) -> str:
    return ", ".join(f"`{answer.library}:{answer.name}`" for answer in answers)


def read(file: Path | None) -> dict[tuple[str, str], Answer]:
    """Returns the answers that are kept, by library and name."""
    if file is None or not file.is_file():
        return {}
    rows = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
    return {(row["library"], row["name"]): Answer(**row) for row in rows}


def main(arguments: list[str] | None = None) -> None:
    """Surveys what is missing, prints the page, fails on what is unexplained."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--answers", type=Path, help="file of JSON lines to keep and go on from")
    parser.add_argument("--part", default="1/1", help="which part of the models, as in 2/4")
    parser.add_argument("--fresh", action="append", default=[], metavar="CODE")
    parser.add_argument("--write", action="store_true", help=f"write {PAGE.name}")
    options = parser.parse_args(arguments)
    part, parts = map(int, options.part.split("/"))
    chosen = list(chosen_models())
    known = read(options.answers)
    for key, answer in list(known.items()):
        spoken = {row[0] for row in answer.findings} | set(answer.undetermined)
        if spoken & set(options.fresh):
            del known[key]
    for library, name, family in chosen[part - 1 :: parts]:
        if (library, name) not in known:
            known[library, name] = survey_one(library, name, family)
            if options.answers is not None:
                with options.answers.open("a", encoding="utf-8") as stream:
                    stream.write(json.dumps(asdict(known[library, name])) + "\n")
        if sys.stderr.isatty():
            print(f"\r{len(known)}/{len(chosen)} {name:40}", end="", file=sys.stderr)
    answers = [known[item[:2]] for item in chosen if item[:2] in known]
    text = page(answers)
    if options.write:
        PAGE.write_text(text, encoding="utf-8")
    print(text)
    _, unexplained = _serious(answers)
    for code, name, location, evidence in unexplained:
        print(f"unexplained: {code} {name} {location}: {evidence}", file=sys.stderr)
    if unexplained:
        sys.exit(1)


if __name__ == "__main__":
    main()
