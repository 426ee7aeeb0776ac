"""What the names of columns, folders and files say about groups: the words, in one place."""

from __future__ import annotations

import re
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
