"""The linter on the catalogue: what it says of published networks is true, or it is silent."""

from __future__ import annotations

import pytest
import torch

from foveal.linting import lint
from foveal.models import build, find_architecture

# Every error and warning, and why it is true.
TRUE: dict[str, dict[str, str]] = {
    "alexnet_2012": {
        "S102": "6x6 positions flattened into 4,096 units hold 62 % of the parameters"
    },
    "alexnet": {"S102": "the same layer; the pooling before it averages nothing at 224 pixels"},
    "vgg11": {"S102": "7x7 positions flattened into 4,096 units hold 77 % of the parameters"},
    "vgg11_bn": {"S102": "the same layer"},
    "vgg16_c": {"S102": "the same layer"},
    "plain34": {"S109": "34 layers without a shortcut: worse than 18 in section 4.1"},
    "plain32": {"S109": "32 layers without a shortcut: worse than 20 in section 4.2"},
}
# The other members of a family repeat its layers; deeper ones are only slower to look at.
LOOKED_AT = (
    *("alexnet_2012", "alexnet", "nin", "vgg11", "vgg11_bn", "vgg16_c", "googlenet"),
    *("resnet18", "resnet50", "resnet20", "plain18", "plain34", "plain20", "plain32"),
    *("mobilenet_v1", "cifar_net"),
    pytest.param("densenet121", marks=pytest.mark.slow),
)


@pytest.mark.parametrize("name", LOOKED_AT)
def test_every_error_and_warning_is_true(name: str) -> None:
    with torch.device("meta"):
        network = build(name).eval()
    report = lint(network, input_shape=find_architecture(name).input_shape)
    found = {finding.code for finding in report.findings if finding.severity != "info"}
    assert found == set(TRUE.get(name, {}))
