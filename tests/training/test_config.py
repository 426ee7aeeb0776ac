"""A choice that makes no sense is refused before any work is done."""

from __future__ import annotations

import pytest

from foveal.errors import UsageError
from foveal.images import VIEWS
from foveal.training import TrainConfig


def test_defaults_are_accepted() -> None:
    config = TrainConfig()
    assert config.views == ("identity",)
    assert config.num_folds == 5


@pytest.mark.parametrize(
    ("choice", "message"),
    [
        ({"alpha": 0.0}, "between 0 and 1; 0 came"),
        ({"alpha": 1.0}, "between 0 and 1; 1 came"),
        ({"size_px": 15}, "between 16 and 4096 pixels; 15 came"),
        ({"size_px": 4097}, "between 16 and 4096 pixels; 4097 came"),
        ({"num_folds": 1}, "number of folds must be at least 2; 1 came"),
        ({"num_workers": 0}, "number of workers must be at least 1; 0 came"),
        ({"seed": -1}, "seed must be at least 0; -1 came"),
        ({"test_size": 0.0}, "test share must lie between 0 and 1; 0 came"),
        ({"test_size": 1.0}, "test share must lie between 0 and 1; 1 came"),
        ({"views": ()}, "At least one view is needed"),
        ({"views": ("identity", "hflp")}, r"no view named 'hflp'.\nDid you mean hflip\?"),
        ({"fit": "sqash"}, r"no fit named 'sqash'.\nDid you mean squash\?"),
        ({"class_weights": "balance"}, r"no class weighting named 'balance'(.|\n)*balanced"),
        ({"conditional": "zzz"}, "no kind of coverage named 'zzz'.\nKnown: marginal, class."),
    ],
)
def test_senseless_choice_is_refused(choice: dict[str, object], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        TrainConfig(**choice)  # type: ignore[arg-type]


@pytest.mark.parametrize("view", VIEWS)
def test_every_view_is_accepted(view: str) -> None:
    assert TrainConfig(views=(view,)).views == (view,)  # type: ignore[arg-type]
