"""JSON ↔ dataclass: every value comes back equal; what cannot be is named by its path."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, NotRequired, TypedDict

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from foveal.errors import SchemaError
from foveal.schema import (
    VERSIONS,
    Counts,
    Unbounded,
    from_json,
    json_schema,
    stamped,
    to_json,
    unstamped,
)


@dataclass(frozen=True)
class Leaf:
    """A leaf."""

    low: float | None
    kind: Literal["a", "b"]


@dataclass(frozen=True)
class Tree:
    """Everything that a field can be."""

    name: str
    count: int
    share: float
    is_on: bool
    leaf: Leaf | None
    leaves: tuple[Leaf, ...]
    pair: tuple[int, str]
    steps: dict[str, float]
    settings: Mapping[str, Any]
    tally: Counts
    t: Unbounded
    path: float | str


@dataclass(frozen=True, eq=False)
class Drawn:
    values: NDArray[np.float32]
    paths: NDArray[np.int64]


TREE = Tree(
    name="x",
    count=3,
    share=0.5,
    is_on=True,
    leaf=Leaf(None, "a"),
    leaves=(Leaf(0.25, "b"),),
    pair=(1, "z"),
    steps={"one": 1.5},
    settings={"size": [64, 64], "window": None},
    tally=(("b", 2), ("a", 1)),
    t=float("inf"),
    path="end",
)


def through_text(value: Any, kind: Any) -> Any:
    return from_json(kind, json.loads(json.dumps(to_json(value), allow_nan=False)))


def test_a_value_comes_back_equal() -> None:
    assert through_text(TREE, Tree) == TREE


numbers = st.floats(allow_nan=False, allow_infinity=False)
leaves = st.builds(Leaf, st.none() | numbers, st.sampled_from(["a", "b"]))


# The first draw reads the tables of Unicode, which takes a busy machine a second.
@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(
    st.builds(
        Tree,
        name=st.text(),
        count=st.integers(),
        share=numbers,
        is_on=st.booleans(),
        leaf=st.none() | leaves,
        leaves=st.lists(leaves, max_size=3).map(tuple),
        pair=st.tuples(st.integers(), st.text()),
        steps=st.dictionaries(st.text(), numbers, max_size=3),
        settings=st.dictionaries(st.text(), st.none() | numbers | st.booleans(), max_size=3),
        tally=st.dictionaries(st.text(), st.integers(), max_size=3).map(lambda d: tuple(d.items())),
        t=st.floats(allow_nan=False),
        path=numbers | st.text(),
    )
)
def test_any_value_comes_back_equal(tree: Tree) -> None:
    assert through_text(tree, Tree) == tree


@given(
    st.lists(
        st.lists(
            st.floats(width=32, allow_nan=False, allow_infinity=False), min_size=2, max_size=2
        ),
        min_size=1,
        max_size=3,
    )
)
def test_arrays_come_back_bit_by_bit(rows: list[list[float]]) -> None:
    drawn = Drawn(np.array(rows, np.float32), np.arange(3))
    back = through_text(drawn, Drawn)
    assert back.values.dtype == np.float32
    assert np.array_equal(back.values, drawn.values)
    assert np.array_equal(back.paths, drawn.paths)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"share": "1"}, r'^share: got "1", expected a number$'),
        ({"share": float("nan")}, r"^share: got NaN, expected a finite number"),
        ({"share": 10**400}, r"^share: got 10+\.\.\., expected a finite number"),
        ({"share": None}, r"^share: got null"),
        ({"share": True}, r"^share: got true"),
        ({"count": 3.0}, r"^count: got 3\.0, expected a whole number"),
        ({"count": True}, r"^count: got true"),
        ({"is_on": 1}, r"^is_on: got 1, expected true or false"),
        ({"name": None}, r"^name: got null, expected text"),
        ({"leaf": []}, r"^leaf: got \[\], expected an object"),
        ({"leaf": {"low": 1}}, r"^leaf\.kind: it is missing"),
        (
            {"leaves": [{"low": 1, "kind": "c"}]},
            r'^leaves\[0\]\.kind: got "c", expected one of a, b',
        ),
        ({"leaves": [{"low": 1, "kind": "a", "x": 1}]}, r"^leaves\[0\]\.x: there is no such field"),
        ({"leaves": {}}, r"^leaves: got {}, expected a list"),
        ({"pair": [1]}, r"^pair: got \[1\], expected a list of 2"),
        ({"steps": {"one": "fast"}}, r"^steps\.one: got"),
        ({"settings": {"a": [float("inf")]}}, r"^settings\.a\[0\]: got Infinity"),
        ({"tally": {"a": 1.5}}, r"^tally\.a: got"),
        ({"path": True}, r"^path: got true, expected a number or text"),
        ({"path": None}, r"^path: got null"),
        ({"t": "NaN"}, r"^t: got"),
        ({"new\x1b[31m": 1}, r"^new\S+: there is no such field"),
    ],
)
def test_what_cannot_be_is_named(change: dict[str, Any], message: str) -> None:
    with pytest.raises(SchemaError, match=message) as raised:
        from_json(Tree, to_json(TREE) | change)
    assert "\x1b" not in str(raised.value)


@pytest.mark.parametrize("field", [field.name for field in dataclasses.fields(Tree)])
def test_a_missing_field_is_named(field: str) -> None:
    content = to_json(TREE)
    del content[field]
    with pytest.raises(SchemaError, match=rf"^{field}: it is missing"):
        from_json(Tree, content)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ([[1.0, 2.0], [1.0]], r"^values: got .*rows of one length"),
        ([[1.0, "a"]], r'^values\[0\]\[1\]: got "a"'),
        ([None], r"^values\[0\]: got null"),
        ("x", r"^values: got"),
    ],
)
def test_an_array_that_cannot_be_is_named(values: Any, message: str) -> None:
    with pytest.raises(SchemaError, match=message):
        from_json(Drawn, {"values": values, "paths": [1]})


def test_a_place_within_a_file_stands_in_front() -> None:
    with pytest.raises(SchemaError, match=r"^audit\.leaf\.low: got"):
        from_json(Tree, to_json(TREE) | {"leaf": {"low": "x", "kind": "a"}}, path="audit")


def test_a_stamp_is_read_back() -> None:
    assert unstamped("audit", stamped("audit", {"a": 1})) == {"a": 1}


@pytest.mark.parametrize(
    ("content", "got"),
    [
        ({}, "no schema"),
        ({"schema": 1}, "1 version null"),
        ({"schema": "foveal.audit", "version": True}, '"foveal.audit" version true'),
        ({"schema": "foveal.audit", "version": 99}, '"foveal.audit" version 99'),
        ({"schema": "foveal.lint", "version": 1}, '"foveal.lint" version 1'),
    ],
)
def test_another_schema_or_version_is_refused_by_name(content: Any, got: str) -> None:
    with pytest.raises(SchemaError) as raised:
        unstamped("audit", content)
    expected = f"got {got}, expected foveal.audit version {VERSIONS['audit']}"
    assert expected in str(raised.value)


def test_an_unknown_hint_is_a_mistake_of_the_program() -> None:
    @dataclass
    class Wrong:
        value: complex

    Wrong.__annotations__["value"] = complex
    with pytest.raises(TypeError, match="no JSON form is known for"):
        from_json(Wrong, {"value": 1})


_Keys = TypedDict("_Keys", {"class": str})


class Row(_Keys):
    """A row."""

    count: int
    note: NotRequired[list[str] | None]


def test_a_typed_dictionary_may_lack_a_key() -> None:
    rows: list[Any] = [{"class": "a", "count": 1}, {"class": "a", "count": 1, "note": ["b"]}]
    for row in rows:
        assert from_json(Row, to_json(row, Row)) == row  # type: ignore[type-var]
    schema = json_schema("audit", Row)
    assert schema["required"] == ["schema", "version", "class", "count"]
    assert [*schema["properties"]][2:] == ["class", "count", "note"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"count": 1}, "^class: it is missing"),
        ({"class": "a", "count": 1, "x": 1}, "^x: there is no such field"),
        ({"class": "a", "count": "1"}, '^count: got "1"'),
        ({"class": "a", "count": 1, "note": [1]}, r"^note\[0\]: got 1, expected text"),
    ],
)
def test_a_typed_dictionary_is_read_strictly(content: Any, message: str) -> None:
    with pytest.raises(SchemaError, match=message):
        from_json(Row, content)


def test_the_published_form_names_every_field() -> None:
    schema = json_schema("audit", Tree)
    fields = ["schema", "version", *(field.name for field in dataclasses.fields(Tree))]
    assert schema["required"] == fields
    assert schema["$defs"]["Leaf"]["properties"]["kind"] == {"enum": ["a", "b"]}
