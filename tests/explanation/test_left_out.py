from __future__ import annotations

import pytest

from foveal.errors import UsageError
from foveal.explanation import LEFT_OUT, refuse_left_out


@pytest.mark.parametrize(
    "method", ["guided-backprop", "guided-grad-cam", "deconvnet", "GuidedBackprop",
               "guided_backpropagation", "Guided Grad-CAM"],
)  # fmt: skip
def test_a_method_that_fails_sanity_checks_is_refused_with_the_reason(method: str):
    with pytest.raises(UsageError, match="fails the parameter-randomisation test"):
        refuse_left_out(method)


@pytest.mark.parametrize(
    "method", ["cam", "grad-cam", "grad-cam++", "hirescam", "layercam", "ablation-cam",
               "occlusion", "input-gradients", "nonsense"],
)  # fmt: skip
def test_every_other_name_is_somebody_elses_business(method: str):
    assert refuse_left_out(method) is None


def test_the_list_names_each_method_once():
    assert len({name for name, _ in LEFT_OUT}) == len(LEFT_OUT)
