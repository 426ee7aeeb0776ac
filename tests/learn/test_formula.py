from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from foveal.arithmetic import convolution_size
from foveal.learn.formula import FormulaError, evaluate


@given(st.integers(20, 500), st.integers(1, 9), st.integers(1, 4), st.integers(0, 4))
def test_it_follows_the_engine(size: int, kernel: int, stride: int, padding: int) -> None:
    text = f"floor((h + 2*{padding} - {kernel})/{stride}) + 1"
    expected = convolution_size(size, kernel=kernel, stride=stride, padding=padding)
    assert evaluate(text, {"h": size}) == expected


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("2 + 3*4", 14),
        ("-2^2", -4),
        ("2^0 + 1", 2),
        ("7//2", 3),
        ("ceil(7/2)", 4),
        ("max(3, 9, 4) - min(5, 2)", 7),
        ("sqrt(9/4)", 1.5),
        ("(1, 2*3, floor(7/2))", (1, 6, 3)),
        ("s", (3, 8, 8)),
        ("s[0]*s[1]*s[2]", 192),
        ("1/3*3", 1),
    ],
)
def test_values(text: str, value: object) -> None:
    assert evaluate(text, {"s": (3, 8, 8)}) == value


@pytest.mark.parametrize(
    "text",
    ["", "1 +", "(1", "1)", "1 2", "s[9]", "s + 1", "unknown", "9^99", "1/0", "9^64^64", "(" * 500],
)
def test_what_has_no_value_says_why(text: str) -> None:
    with pytest.raises(FormulaError, match=r"\w"):
        evaluate(text, {"s": (3, 8, 8)})
