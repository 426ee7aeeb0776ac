from __future__ import annotations

from pathlib import Path

import pytest

from foveal.dataset import ImageRecord, Manifest, anonymise, names_table


@pytest.fixture
def named() -> Manifest:
    records = (
        ImageRecord("ill/jane.PNG", label="ill", group="jane", digest="bb"),
        ImageRecord("ill/jane 2.png", label="ill", group="jane", digest="cc"),
        ImageRecord("well/john.dcm", label="well", digest="aa", told=("John",)),
    )
    notes = ("1 file was passed over: jane.txt.",)
    return Manifest(
        Path("/data"), records, ("ill", "well"), "table", notes=notes, column_names=("name",)
    )


def test_numbers_follow_the_digests_and_say_nothing_of_the_names(named: Manifest) -> None:
    assert [record.path for record in anonymise(named).records] == [
        *("image-000002.png", "image-000003.png", "image-000001.dcm")
    ]


def test_every_file_is_still_found(named: Manifest) -> None:
    hidden = anonymise(named)
    for old, new in zip(named.records, hidden.records, strict=True):
        assert hidden.resolve(new) == named.resolve(old)


def test_who_belongs_together_stays(named: Manifest) -> None:
    assert [record.group for record in anonymise(named).records] == ["group-0001"] * 2 + [None]


def test_nothing_else_holds_a_name(named: Manifest) -> None:
    hidden = anonymise(named)
    shown = repr((hidden.records, hidden.notes, hidden.column_names)).casefold()
    assert "jane" not in shown
    assert "john" not in shown


def test_the_private_table_leads_back(named: Manifest) -> None:
    lines = names_table(named, anonymise(named)).decode().splitlines()
    assert lines[:2] == [
        "number,file,group_number,group",
        "image-000002.png,ill/jane.PNG,group-0001,jane",
    ]
