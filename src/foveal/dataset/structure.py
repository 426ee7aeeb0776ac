"""Structure that could be groups: columns, folders, parts of file names, times.

Nothing here is decided: what is said is which values repeat, and whether their name tells what they
are. ``group_choice`` takes one by its name or by what images show; ``training.group_search`` tests
them by accuracy.
"""

from __future__ import annotations

import dataclasses
import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from foveal.dataset.groups import sessions
from foveal.dataset.manifest import Manifest, natural_key
from foveal.dataset.name_parts import SOURCES, Meaning, meaning_of, parts_of_names
from foveal.text import count_noun, printable

MIN_GROUPS = 5
FOLD_COLUMNS = ("fold", "folds", "kfold", "k_fold", "cv_fold", "fold_id", "cv")
_MIN_KNOWN = 0.5
_MIN_IMAGES_PER_GROUP = 1.2
_MAX_SHARE = 0.5
_COUNTER_SHARE = 0.95
_GAPS_SECONDS = {60: "a minute", 3600: "an hour", 8 * 3600: "eight hours"}
_FEW_WORDS = 20

Kind = Literal["column", "folder", "name", "time"]
_KINDS: tuple[Kind, ...] = ("column", "folder", "name", "time")
_SAME_AS_LABEL = "it says the same as the label"


@dataclass(frozen=True, slots=True)
class Candidate:
    """Values that repeat and could say which images belong together.

    Attributes:
        kind: Where they stand.
        source: That, as a phrase: ``"column 'patient_id'"``.
        option: What to type to have them kept together, or apart.
        values: For each usable image, or ``None``.
        groups: The same as numbers, [N]; an image without a value is a group of its own.
        num_groups: Different values.
        example: One of them.
        meaning: What the name says.
        word: The word that says it.
        also: Other sources that make the same groups.
    """

    kind: Kind
    source: str
    option: str
    values: tuple[str | None, ...]
    groups: NDArray[np.int64]
    num_groups: int
    example: str
    meaning: Meaning = "unknown"
    word: str = ""
    also: tuple[str, ...] = ()

    @property
    def is_plain(self) -> bool:
        """Whether the name alone is reason enough to keep the images together."""
        return self.meaning == "source" and self.num_groups >= MIN_GROUPS

    @property
    def may_decide(self) -> bool:
        """Whether a test may change the headline: what an image shows is no group."""
        if self.meaning == "attribute":
            return False
        if self.kind != "folder" or self.meaning != "unknown" or self.num_groups >= _FEW_WORDS:
            return True
        # 'cat/siamese', 'cat/tabby': a few words below a class are rather kinds of it.
        known = {value for value in self.values if value}
        return sum(any(letter.isdigit() for letter in value) for value in known) >= len(known) / 2

    @property
    def described(self) -> str:
        """The source with how many groups it makes."""
        return f"{self.source}, {count_noun(self.num_groups, 'group')}"


@dataclass(frozen=True, slots=True)
class Structure:
    """What was found in the data.

    Attributes:
        candidates: The likeliest first.
        passed_over: What else was read, each with why it cannot be groups: pairs of source
            and reason.
        confounded: Cameras, sites and the like of which each goes with one class alone.
    """

    candidates: tuple[Candidate, ...]
    passed_over: tuple[tuple[str, str], ...]
    confounded: tuple[str, ...] = ()


def find_structure(manifest: Manifest) -> Structure:
    """Returns everything about the usable images that could be groups.

    Values are left out that are the same for all images, different for nearly every one, or
    the label itself.
    """
    found: list[Candidate] = []
    passed: list[tuple[str, str]] = []
    confounded: list[str] = []
    labels = manifest.labels
    folders = np.unique(
        [record.path.rpartition("/")[0] for record in manifest.usable] or [""],
        return_inverse=True,
    )[1].reshape(-1)[: len(labels)]
    passed += [
        (f"column '{printable(name)}'", "foveal train takes its folds from it if it parts no group")
        for name in manifest.column_names
        if name in FOLD_COLUMNS
    ][:1]
    for draft in _drafts(manifest):
        reason = _why_not(draft, labels, folders)
        if reason is None:
            _add(found, draft)
        elif reason == _SAME_AS_LABEL and draft.meaning == "surroundings":
            confounded.append(draft.source)
        elif draft.kind == "column":
            passed.append((draft.source, reason))
    paths = [record.path for record in manifest.usable]
    finished = [
        dataclasses.replace(one, option=_regex_option(one, paths)) if one.kind == "name" else one
        for one in found
    ]
    return Structure(tuple(sorted(finished, key=_rank)), tuple(passed), tuple(confounded))


def nests_in(inner: NDArray[np.int64], outer: NDArray[np.int64]) -> bool:
    """Whether every group of ``inner`` lies within one group of ``outer``, both [N]."""
    pairs = np.unique(np.stack([inner, outer]), axis=1).shape[1]
    return bool(pairs == len(np.unique(inner)))


@dataclass(frozen=True, slots=True)
class _Draft:
    kind: Kind
    source: str
    option: str
    values: tuple[str | None, ...]
    meaning: Meaning
    word: str


def _drafts(manifest: Manifest) -> Iterator[_Draft]:
    for position, column in enumerate(manifest.column_names):
        values = tuple(record.told[position] or None for record in manifest.usable)
        if column in FOLD_COLUMNS:
            continue  # the protocol uses it, or says why not
        meaning, word = meaning_of(column)
        name = printable(column)
        option = f"--group-column {shlex.quote(name)}"
        yield _Draft("column", f"column '{name}'", option, values, meaning, word)
    paths = [record.path for record in manifest.usable]
    folders = [path.split("/")[:-1] for path in paths]
    for level in range(max(map(len, folders), default=0)):
        values = tuple(parts[level] if len(parts) > level else None for parts in folders)
        meaning, word = _meaning_of_values(values)
        expression = "^" + "[^/]+/" * level + "([^/]+)/"
        option = f"--group-regex {shlex.quote(expression)}"
        yield _Draft("folder", f"folder level {level + 1}", option, values, meaning, word)
    for part in parts_of_names(paths):
        meaning, word = meaning_of(part.word) if part.word else ("unknown", "")
        values = tuple(value or None for value in part.values)
        expression = part.words
        yield _Draft("name", part.words, expression, values, meaning, word)
    yield from _times(manifest)


def _meaning_of_values(values: Sequence[str | None]) -> tuple[Meaning, str]:
    """Reads ``patient_003`` and ``sub-01``: one word in all values, with a number behind."""
    words = {value.rstrip("0123456789").rstrip(" _-.") for value in values if value}
    if len(words) != 1 or not any(value and value[-1:].isdigit() for value in values):
        return "unknown", ""
    return meaning_of(words.pop())


def _times(manifest: Manifest) -> Iterator[_Draft]:
    times = np.array(
        [np.nan if r.acquired_seconds is None else r.acquired_seconds for r in manifest.usable]
    )
    for gap_seconds, words in _GAPS_SECONDS.items():
        values = sessions(times, gap_seconds=gap_seconds)
        source = f"acquisition times less than {words} apart"
        yield _Draft("time", source, f"--group-gap {gap_seconds}", values, "unknown", "")


def _number(values: Sequence[str | None]) -> NDArray[np.int64]:
    numbers: dict[str, int] = {}
    alone = iter(range(len(values), 2 * len(values)))
    return np.array(
        [next(alone) if v is None else numbers.setdefault(v, len(numbers)) for v in values],
        dtype=np.int64,
    )


def _why_not(draft: _Draft, labels: NDArray[np.int64], folders: NDArray[np.int64]) -> str | None:
    """Returns why the values cannot be groups, or ``None`` where they can."""
    known = [value for value in draft.values if value is not None]
    distinct = len(set(known))
    if not known:
        return "it is empty"
    if distinct == 1:
        return f"it says '{printable(known[0])}' for every image that it knows"
    if len(known) < _MIN_KNOWN * len(draft.values):
        return f"it is filled for only {len(known):,} of {len(draft.values):,} images"
    groups = _number(draft.values)
    if nests_in(groups, labels) and nests_in(labels, groups):
        return _SAME_AS_LABEL
    if len(known) == distinct:
        return "it is different for every image"
    if draft.kind != "column" and _is_counter(groups, folders):
        return "it is a counter that begins anew in every folder"
    if draft.meaning == "source":
        return None
    if len(known) < _MIN_IMAGES_PER_GROUP * distinct:
        return "it is different for nearly every image"
    sizes = np.bincount(np.unique(groups, return_inverse=True)[1].reshape(-1))
    if draft.meaning == "surroundings":
        return None
    if distinct < MIN_GROUPS:
        return f"it has only {distinct} different values"
    if sizes.max() > _MAX_SHARE * len(groups):
        return "most images have the same value"
    return None


def _is_counter(groups: NDArray[np.int64], folders: NDArray[np.int64]) -> bool:
    pairs = np.unique(np.stack([groups, folders]), axis=1).shape[1]
    return bool(pairs >= _COUNTER_SHARE * len(groups))


def _add(found: list[Candidate], draft: _Draft) -> None:
    groups = _number(draft.values)
    for index, other in enumerate(found):
        if nests_in(groups, other.groups) and nests_in(other.groups, groups):
            found[index] = dataclasses.replace(other, also=(*other.also, draft.source))
            return
    known = [value for value in draft.values if value is not None]
    found.append(
        Candidate(
            kind=draft.kind,
            source=draft.source,
            option=draft.option,
            values=draft.values,
            groups=groups,
            num_groups=len(set(known)),
            example=min(known, key=natural_key),
            meaning=draft.meaning,
            word=draft.word,
        )
    )


def _regex_option(candidate: Candidate, paths: Sequence[str]) -> str:
    for part in parts_of_names(paths):
        if part.words == candidate.source:
            return f"--group-regex {shlex.quote(part.find_expression(paths))}"
    return candidate.option


def _rank(candidate: Candidate) -> tuple[int, int, int, int]:
    meanings: tuple[Meaning, ...] = ("source", "surroundings", "unknown", "attribute")
    rank = SOURCES.index(candidate.word) if candidate.word in SOURCES else len(SOURCES)
    return (
        meanings.index(candidate.meaning),
        rank,
        _KINDS.index(candidate.kind),
        candidate.num_groups,
    )
