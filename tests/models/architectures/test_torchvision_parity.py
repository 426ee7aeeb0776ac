"""Where torchvision has the network: the same tensors, and the same numbers from them."""

from __future__ import annotations

import copy
import warnings

import pytest
import torch
import torchvision
from torch import nn

from foveal.models import CATALOGUE, build, read_state_dict
from foveal.models.architectures import DenseNet, GoogLeNet, GoogLeNetOutputs, ResNet

SHARED = sorted({entry.name for entry in CATALOGUE} & set(torchvision.models.list_models()))
# The smallest of each family; VGG's have 130 million parameters.
SMALLEST = (
    *("alexnet", "resnet18", "resnet50", "densenet121", "googlenet"),
    pytest.param("vgg11", marks=pytest.mark.slow),
    pytest.param("vgg11_bn", marks=pytest.mark.slow),
)
Pair = tuple[nn.Module, nn.Module, torch.Tensor]


def theirs(name: str, **options: object) -> nn.Module:
    if name == "googlenet":
        options.setdefault("init_weights", False)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return torchvision.models.get_model(name, weights=None, **options)


def with_weights_of(ours: nn.Module, name: str, **options: object) -> nn.Module:
    """Theirs, with tensors of its own that are equal to ours."""
    with torch.device("meta"):
        reference = theirs(name, num_classes=7, **options)
    copies = {key: tensor.clone() for key, tensor in ours.state_dict().items()}
    reference.load_state_dict(copies, strict=True, assign=True)
    return reference


@pytest.fixture(scope="module", params=SMALLEST)
def pair(request: pytest.FixtureRequest) -> Pair:
    """Ours, theirs with the same weights, and a batch."""
    torch.manual_seed(0)
    ours = build(request.param, num_classes=7)
    size = 96 if request.param == "alexnet" else 64
    return ours, with_weights_of(ours, request.param), torch.randn(2, 3, size, size)


def run(network: nn.Module, images: torch.Tensor) -> object:
    torch.manual_seed(1)  # the same units drop out
    with torch.no_grad():
        return network(images)


def tensors(network: nn.Module) -> tuple[dict[str, tuple[int, ...]], list[str]]:
    """Names and shapes of all tensors, and which of them are parameters, in order."""
    state = {name: tuple(tensor.shape) for name, tensor in network.state_dict().items()}
    return state, [name for name, _ in network.named_parameters()]


def test_half_of_the_catalogue_is_in_torchvision() -> None:
    assert len(SHARED) == 19


@pytest.mark.parametrize("name", SHARED)
def test_the_tensors_have_torchvisions_names_shapes_and_order(name: str) -> None:
    with torch.device("meta"):
        assert tensors(build(name)) == tensors(theirs(name))


def test_the_outputs_in_training_are_torchvisions(pair: Pair) -> None:
    """For GoogLeNet all three, in torchvision's order."""
    ours, reference, images = pair
    got, expected = run(ours.train(), images), run(reference.train(), images)
    torch.testing.assert_close(tuple(got), tuple(expected), rtol=1e-5, atol=1e-5)


def test_training_moves_the_running_statistics_as_torchvisions(pair: Pair) -> None:
    ours, reference, images = pair
    run(ours.train(), images)
    run(reference.train(), images)
    torch.testing.assert_close(dict(ours.named_buffers()), dict(reference.named_buffers()))


def test_the_outputs_in_evaluation_are_torchvisions(pair: Pair) -> None:
    ours, reference, images = pair
    run(ours.train(), 3 * images + 1)  # running statistics other than 0 and 1
    reference.load_state_dict(ours.state_dict())
    torch.testing.assert_close(
        run(ours.eval(), images), run(reference.eval(), images), rtol=1e-5, atol=1e-5
    )


def test_googlenets_outputs_have_torchvisions_names() -> None:
    assert GoogLeNetOutputs._fields == torchvision.models.GoogLeNetOutputs._fields


def test_googlenet_without_auxiliary_classifiers_returns_plain_logits_in_training() -> None:
    network = GoogLeNet(num_classes=7, auxiliary=False)
    assert network(torch.randn(2, 3, 64, 64)).shape == (2, 7)


def test_googlenet_rescales_its_input_as_torchvision() -> None:
    torch.manual_seed(0)
    ours = GoogLeNet(num_classes=7, rescale_input=True).eval()
    reference = with_weights_of(ours, "googlenet", transform_input=True).eval()
    images = torch.randn(1, 3, 64, 64)
    torch.testing.assert_close(run(ours, images), run(reference, images), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(
    ("output_stride", "replaced"), [(16, [False, False, True]), (8, [False, True, True])]
)
def test_dilated_resnets_are_torchvisions(output_stride: int, replaced: list[bool]) -> None:
    torch.manual_seed(0)
    ours = ResNet(50, num_classes=7, output_stride=output_stride)
    reference = with_weights_of(ours, "resnet50", replace_stride_with_dilation=replaced)
    images = torch.randn(2, 3, 64, 64)
    torch.testing.assert_close(run(ours, images), run(reference, images), rtol=1e-5, atol=1e-5)


def test_densenets_dropout_is_torchvisions() -> None:
    torch.manual_seed(0)
    ours = DenseNet(121, num_classes=7, dropout=0.3)
    reference = with_weights_of(ours, "densenet121", drop_rate=0.3)
    images = torch.randn(2, 3, 64, 64)
    torch.testing.assert_close(run(ours, images), run(reference, images), rtol=1e-5, atol=1e-5)


INITIALISED = (
    *("resnet18", "densenet121", "googlenet"),
    pytest.param("vgg11_bn", marks=pytest.mark.slow),
)


@pytest.mark.parametrize("name", INITIALISED)
def test_the_initial_weights_spread_as_torchvisions(name: str) -> None:
    options = {"init_weights": True} if name == "googlenet" else {}
    torch.manual_seed(0)
    ours, reference = build(name).state_dict(), theirs(name, **options).state_dict()
    # 20,000 draws determine a deviation to 0.5 %.
    tensors = [key for key, t in reference.items() if t.numel() > 20_000]
    deviations = [[float(found[key].std()) for key in tensors] for found in (ours, reference)]
    assert deviations[0] == pytest.approx(deviations[1], rel=0.03)


@pytest.mark.parametrize("name", INITIALISED)
def test_the_initial_norms_and_biases_are_torchvisions(name: str) -> None:
    ours, reference = build(name, num_classes=7), theirs(name, num_classes=7)
    constants = [
        key
        for key, tensor in reference.named_parameters()
        if tensor.ndim == 1 and torch.equal(tensor, tensor[:1].expand_as(tensor))
    ]
    assert len(constants) > 10
    assert all(
        torch.equal(ours.get_parameter(key), reference.get_parameter(key)) for key in constants
    )


def test_a_checkpoint_of_torchvision_loads_without_running_its_code(tmp_path) -> None:
    torch.manual_seed(0)
    reference = theirs("resnet18").eval()
    torch.save(reference.state_dict(), tmp_path / "resnet18.pth")
    network = build("resnet18").eval()
    network.load_state_dict(read_state_dict(tmp_path / "resnet18.pth"), strict=True)
    images = torch.randn(1, 3, 64, 64)
    torch.testing.assert_close(run(network, images), run(reference, images))


def old_layout(state_dict: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """The names of densenet121-a639ec97.pth: ``denselayer1.norm.1.weight``."""
    renamed = {}
    for name, tensor in state_dict.items():
        for part in ("norm1", "norm2", "conv1", "conv2"):
            name = name.replace(f".{part}.", f".{part[:4]}.{part[4:]}.")
        renamed[name] = tensor
    return renamed


@pytest.mark.parametrize("copied", [False, True])
def test_densenet_loads_the_layout_of_the_official_checkpoints(copied: bool) -> None:
    torch.manual_seed(0)
    reference = theirs("densenet121", num_classes=7)
    old = old_layout(reference.state_dict())
    names_before = list(old)
    network = DenseNet(121, num_classes=7)
    if copied:
        network = copy.deepcopy(network)
    network.load_state_dict(old, strict=True)
    torch.testing.assert_close(network.state_dict(), reference.state_dict())
    assert list(old) == names_before
