"""What an operating point should do, as typed."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from foveal.errors import UsageError
from foveal.evaluation.operating_rule import (
    AtLeast,
    LeastCost,
    find_class,
    parse_rule,
    read_costs,
    read_rule,
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("sensitivity>=0.95 for defective", AtLeast("sensitivity", 0.95, "defective")),
        ("  Specificity >= 90% for  a b ", AtLeast("specificity", 0.9, "a b")),
        ("ppv≥1 for x", AtLeast("ppv", 1.0, "x")),
        ("NPV>=.5 for for", AtLeast("npv", 0.5, "for")),
        ("recall>=0.8 for 'for sale'", AtLeast("sensitivity", 0.8, "for sale")),
        ("precision>=0.8 for wait for it", AtLeast("ppv", 0.8, "wait for it")),
        ('tnr>=5e-1 for "x"', AtLeast("specificity", 0.5, "x")),
    ],
)
def test_a_rule_is_read(text: str, expected: AtLeast) -> None:
    assert read_rule(text) == expected
    assert parse_rule(expected.text) == expected


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "begin with sensitivity"),
        ("sensitivty>=0.9 for a", "Did you mean sensitivity"),
        ("accuracy>=0.9 for a", "begin with sensitivity, specificity, ppv or npv"),
        ("sensitivity>0.9 for a", "expected sensitivity>= and a share"),
        ("sensitivity=0.9 for a", "expected sensitivity>= and a share"),
        ("sensitivity<=0.9 for a", "expected sensitivity>= and a share"),
        ("sensitivity>=95 for a", "a share above 0 and up to 1"),
        ("sensitivity>=0 for a", "a share above 0 and up to 1"),
        ("sensitivity>=nan for a", "a share above 0 and up to 1"),
        ("sensitivity>=high for a", "a share above 0 and up to 1"),
        ("sensitivity>=0.9", "the class that it is for"),
        ("sensitivity>=0.9 for ", "the class that it is for"),
        ("sensitivity>=0.9 a", "expected"),
        ("0.95", "expected"),
    ],
)
def test_what_is_no_rule_is_refused_with_what_was_expected(text: str, message: str) -> None:
    with pytest.raises(UsageError) as caught:
        read_rule(text)
    assert message in str(caught.value)
    assert "sensitivity>=0.95 for NAME-OF-A-CLASS" in str(caught.value)


@given(st.text(min_size=1), st.floats(0.001, 1.0))
def test_any_class_name_is_read_back_from_the_text_of_its_rule(name: str, share: float) -> None:
    share = float(f"{share:.12g}")
    for rule in (AtLeast("ppv", share, name), LeastCost(10 * share, share, name)):
        again = parse_rule(rule.text)
        assert again.class_name == name
        assert again.text == rule.text


def test_costs_are_read_in_any_order() -> None:
    expected = LeastCost(10.0, 0.5, "a")
    assert read_costs("missed=10,false=0.5 for a") == expected
    assert read_costs(" False = 0.5 , Missed = 10 for a") == expected
    assert parse_rule(expected.text) == expected


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("missed=10 for a", "both missed=COST and false=COST"),
        ("missed=10,missed=1 for a", "each once"),
        ("missed=10,wrong=1 for a", "missed=COST,false=COST"),
        ("missed=-1,false=1 for a", "a cost of 0 or more"),
        ("missed=inf,false=1 for a", "a cost of 0 or more"),
        ("missed=x,false=1 for a", "a cost of 0 or more"),
        ("missed=0,false=0 for a", "a cost above 0"),
        ("missed=1,false=1", "the class that it is for"),
    ],
)
def test_what_is_no_cost_is_refused(text: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        read_costs(text)


def test_a_class_is_found_by_its_name() -> None:
    rule = read_rule("sensitivity>=0.9 for defective")
    assert find_class(rule, ["defective", "functional"]) == 0


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("defectiv", "Did you mean 'defective'?"),
        ("Defective", "Did you mean 'defective'?"),
        ("qqq", "The classes are defective, functional."),
    ],
)
def test_a_class_that_does_not_exist_is_answered_with_near_names(name: str, hint: str) -> None:
    rule = read_rule(f"sensitivity>=0.9 for {name}")
    with pytest.raises(UsageError) as caught:
        find_class(rule, ["defective", "functional"])
    assert hint in str(caught.value)
