"""What names say about groups: the words, in one place, and file names taken apart.

An expression takes the same part out of every name.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

Meaning = Literal["source", "surroundings", "attribute", "unknown"]
"""``"source"``: what images were taken of or cut from, such as a patient. ``"surroundings"``:
what they were taken with or where, such as a device. ``"attribute"``: what an image is said to
show, such as a diagnosis or an age."""

# The widest first: of two that are nested in one another, the earlier one is kept together.
SOURCES = (
    *("patient", "subject", "participant", "person", "individual", "donor", "volunteer"),
    *("animal", "mouse", "rat", "dog", "cow", "plant", "tree", "family"),
    *("case", "study", "exam", "examination", "admission", "visit", "accession"),
    *("specimen", "biopsy", "lesion", "tumor", "tumour", "nodule", "tissue", "sample"),
    *("slide", "wsi", "series", "scan", "volume", "stack"),
    *("video", "movie", "film", "clip", "scene", "sequence", "recording", "session", "burst"),
    *("plate", "well", "wafer", "lot", "batch", "module", "panel", "roll", "coil"),
    *("plot", "parcel", "transect", "flight"),
)
_SHORT_FORMS = {
    **dict.fromkeys(("pid", "pat", "pt", "ptid", "mrn", "patients", "paciente"), "patient"),
    **dict.fromkeys(("subj", "sub", "subjects"), "subject"),
    **dict.fromkeys(("vid", "videos"), "video"),
    **dict.fromkeys(("seq",), "sequence"),
    **dict.fromkeys(("cases",), "case"),
    **dict.fromkeys(("slides",), "slide"),
}
_SURROUNDINGS = frozenset(
    (
        *("site", "hospital", "center", "centre", "institution", "clinic", "lab", "laboratory"),
        *("device", "camera", "cam", "scanner", "machine", "sensor", "microscope", "station"),
        *("operator", "reader", "annotator", "photographer", "user", "line", "factory", "plant"),
        *("date", "day", "week", "month", "year", "time", "timestamp", "shift", "location"),
        *("region", "city", "country", "cohort", "dataset", "manufacturer", "vendor", "protocol"),
    )
)
_ATTRIBUTES = frozenset(
    (
        *("label", "labels", "class", "category", "diagnosis", "dx", "grade", "stage", "score"),
        *("type", "subtype", "subclass", "kind", "species", "breed", "genus", "target", "finding"),
        *("findings", "severity", "quality", "sex", "gender", "age", "weight", "height", "width"),
        *("view", "laterality", "side", "eye", "orientation", "size", "format", "comment", "notes"),
        *(
            "description",
            "caption",
            "text",
            "probability",
            "confidence",
            "bbox",
        ),
    )
)
_AFFIXES = frozenset(
    (
        *("id", "ids", "no", "nr", "num", "number", "code", "key", "name", "uid", "uuid", "guid"),
        *("idx", "index", "hash", "hashed", "anon", "anonymized", "anonymised", "ref"),
        *("image", "img", "the", "of", "scanning", "imaging", "acquisition", "capture"),
    )
)
_ENDINGS = ("uuid", "uid", "ids", "id", "number", "num", "name", "code", "nr", "no")


def meaning_of(name: str) -> tuple[Meaning, str]:
    """Returns what the name of a column says, and the word that says it.

    >>> meaning_of("patient_id"), meaning_of("SlideNo")
    (('source', 'patient'), ('source', 'slide'))
    >>> meaning_of("patient_age"), meaning_of("device")
    (('unknown', ''), ('surroundings', 'device'))
    """
    words = [word for word in re.split(r"[\W_\d]+", name.casefold()) if word]
    telling = [_plain(word) for word in words if word not in _AFFIXES]
    if len(telling) != 1:
        known = [word for word in telling if word in _ATTRIBUTES]
        return (
            ("attribute", known[0]) if telling and len(known) == len(telling) else ("unknown", "")
        )
    (word,) = telling
    if word in SOURCES:
        return "source", word
    if word in _SURROUNDINGS:
        return "surroundings", word
    return ("attribute", word) if word in _ATTRIBUTES else ("unknown", "")


def _plain(word: str) -> str:
    known = {*SOURCES, *_SURROUNDINGS, *_ATTRIBUTES}
    if word in _SHORT_FORMS:
        return _SHORT_FORMS[word]
    for candidate in (word, *(word.removesuffix(ending) for ending in _ENDINGS)):
        if candidate in known:
            return candidate
        if candidate in _SHORT_FORMS:
            return _SHORT_FORMS[candidate]
    return word


# Letters with the digits behind them are one part: "P003_tile07" is "P003" and "tile07". So are
# a UUID and a hash: "8f14e45f-3" is "8f14e45f" and "3".
_UUID = r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}"
_HASH = r"(?<![^\W_])(?=[0-9a-fA-F]*\d[a-fA-F])[0-9a-fA-F]{6,}(?![^\W_])"
_PART = rf"{_UUID}|{_HASH}|[^\W\d_]*\d+|[^\W\d_]+"
_MIN_SHARE = 0.9
_MAX_PARTS = 6


@dataclass(frozen=True, slots=True)
class NamePart:
    """A part of the file names.

    Attributes:
        values: For each path the part, or ``""`` where the name has none.
        position: Where it stands, from 0; of a beginning, where it ends.
        before: For each path the part before it; ``None`` for a beginning.
        words: What the part is called, such as ``"part 1 of the file names"``.
        word: The letters that stand before its digits in every name, such as ``"patient"``.
    """

    values: tuple[str, ...]
    position: int
    before: tuple[str, ...] | None
    words: str
    word: str

    def find_expression(self, paths: Sequence[str]) -> str:
        """Returns an expression whose first bracketed part is this part, for every path."""
        return _find_expression(paths, self)


def parts_of_names(paths: Sequence[str]) -> Iterator[NamePart]:
    """Yields the parts that nearly all file names have, single ones and beginnings.

    Args:
        paths: POSIX paths.
    """
    stems = [path.rsplit("/", 1)[-1].rsplit(".", 1)[0] for path in paths]
    names = [[match.span() for match in re.finditer(_PART, stem)] for stem in stems]
    most = max((len(spans) for spans in names), default=0)
    for position in range(min(most, _MAX_PARTS)):
        if sum(len(spans) > position for spans in names) < _MIN_SHARE * len(paths):
            return
        single = [
            stem[slice(*spans[position])] if len(spans) > position else ""
            for stem, spans in zip(stems, names, strict=True)
        ]
        before = [
            stem[slice(*spans[position - 1])] if 0 < position < len(spans) else ""
            for stem, spans in zip(stems, names, strict=True)
        ]
        yield _part(single, f"part {position + 1} of the file names", position, before)
        if position > 0:
            start = [
                stem[: spans[position][1]] if len(spans) > position else ""
                for stem, spans in zip(stems, names, strict=True)
            ]
            yield _part(start, f"parts 1 to {position + 1} of the file names", position, None)


def _part(values: list[str], words: str, position: int, before: list[str] | None) -> NamePart:
    word = ""
    if before is not None:
        word = _common([value.rstrip("0123456789") for value in values if value])
        if not word and all(value.isdigit() for value in values if value):
            word = _common([value for value in before if value])
    return NamePart(tuple(values), position, None if before is None else tuple(before), words, word)


def _common(words: Sequence[str]) -> str:
    """Returns the word that all of ``words`` are, without case, or nothing."""
    found = {word.casefold() for word in words}
    return found.pop() if len(found) == 1 else ""


def _find_expression(paths: Sequence[str], wanted: NamePart) -> str:
    """Returns the first expression of a few plain kinds that fits, or one that always does."""
    values, position, before = wanted.values, wanted.position, wanted.before
    letters = Counter(value.rstrip("0123456789") for value in values if value)
    word = re.escape(letters.most_common(1)[0][0]) if letters else ""
    tries = []
    if before is not None:
        if word:
            tries.append(rf"({word}\d+)")
        previous = _common([value for value in before if value])
        if previous and not word:
            tries += [rf"{re.escape(previous)}{mark}(\d+)" for mark in ("_", "-", " ", "")]
    for mark in ("_", "-", " "):
        other = rf"[^/{mark}]+"
        if before is None:
            tries.append(rf"([^/]+){mark}{other}$")
            tries.append(rf"(?:^|/)({other}" + (mark + other) * position + r")[^/]*$")
        else:
            tries.append((other + mark) * position + rf"([^/.{mark}]+)[^/]*$")
    parts = [value or None for value in values]
    for expression in tries:
        if [_find(expression, path) for path in paths] == parts:
            return expression
    gap = r"(?:[^\w/]|_)*"
    part = rf"(?:{_PART})"
    if before is None:
        return rf"(?:^|/)({gap}{part}(?:{gap}{part}){{{position}}})[^/]*$"
    return rf"(?:^|/)(?:{gap}{part}){{{position}}}{gap}({part})[^/]*$"


def _find(expression: str, path: str) -> str | None:
    match = re.search(expression, path)
    return match.group(1) if match else None
