"""Inputs that a network refuses: which layer, which numbers, what would work."""

from __future__ import annotations

import pytest
import torch
import torchvision
from torch import nn

from foveal.errors import TraceError
from foveal.graph import trace


def small() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(3, 8, 3, stride=2), nn.ReLU(), nn.Conv2d(8, 8, 5, stride=2), nn.MaxPool2d(3)
    )


def test_wrong_channels_name_the_layer_and_both_numbers():
    with pytest.raises(TraceError, match=r"layer 'conv1' \(conv2d\) expects 3 channels, got 1"):
        trace(torchvision.models.resnet18(weights=None), (1, 64, 64))


def test_a_norm_of_the_wrong_width_names_both_numbers():
    model = nn.Sequential(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(4))

    with pytest.raises(TraceError, match=r"layer '1' \(batch_norm\).*4 values, expected 8"):
        trace(model, (3, 8, 8))


def test_wrong_channels_inside_say_where_to_look():
    model = nn.Sequential(nn.Conv2d(3, 8, 3), nn.Conv2d(4, 8, 3))

    with pytest.raises(TraceError, match=r"layer '1' .*expects 4 channels, got 8") as caught:
        trace(model, (3, 8, 8))

    assert "what comes before" in caught.value.next_step


def test_too_small_an_input_names_the_layer_and_the_smallest_size():
    # Backwards: the pooling needs 3, so the second convolution 5 + 2 * 2 = 9, so the first
    # 3 + 8 * 2 = 19.
    with pytest.raises(
        TraceError, match=r"too small: at layer '2' \(conv2d\) only 4 x 4"
    ) as caught:
        trace(small(), (3, 9, 9))

    assert caught.value.next_step == "The smallest square input that works is 3 x 19 x 19."
    trace(small(), (3, 19, 19))
    with pytest.raises(TraceError, match="too small"):
        trace(small(), (3, 18, 18))


def test_too_small_for_alexnet():
    with torch.device("meta"):
        model = torchvision.models.alexnet(weights=None).eval()

    with pytest.raises(TraceError, match=r"too small: at layer 'features.12'") as caught:
        trace(model, (3, 48, 48))

    # Three poolings need 3, so 3 -> 7 -> 15 backwards, and the first convolution 4 * 14 + 11 - 4.
    assert caught.value.next_step == "The smallest square input that works is 3 x 63 x 63."


def test_a_fixed_input_size_is_found():
    model = nn.Sequential(nn.Conv2d(1, 4, 3), nn.Flatten(), nn.Linear(4 * 26 * 26, 10))

    with pytest.raises(
        TraceError, match=r"layer '2' \(linear\) expects 2704 features, got 3600"
    ) as c:
        trace(model, (1, 32, 32))

    assert c.value.next_step == "It does work on 1 x 28 x 28."


def test_a_module_that_raises_is_named_with_its_place():
    class Picky(nn.Module):
        def forward(self, x):
            raise ValueError("not today")

    with pytest.raises(TraceError, match=r"'1' \(Picky\), test_failures.py line \d+ .*not today"):
        trace(nn.Sequential(nn.ReLU(), Picky()), (3, 8, 8))


def test_the_original_error_is_kept_as_the_cause():
    with pytest.raises(TraceError) as caught:
        trace(small(), (1, 32, 32))

    assert isinstance(caught.value.__cause__, RuntimeError)


def test_shapes_that_do_not_add_up_name_the_operation():
    class Adds(nn.Module):
        def forward(self, x):
            return x + x[:, :, 1:]

    with pytest.raises(
        TraceError, match=r"layer 'Adds' \(add\) refused its input of 1 x 3 x 8 x 8"
    ):
        trace(Adds(), (3, 8, 8))


def test_missing_arguments_are_reported_with_the_model():
    class Two(nn.Module):
        def forward(self, left, right):
            return left + right

    with pytest.raises(TraceError, match="missing 1 required positional argument: 'right'"):
        trace(Two(), (3, 8, 8))


def test_the_wrong_dtype_is_no_silent_success():
    model = nn.Sequential(nn.Flatten(0), nn.ReLU(), nn.Embedding(4, 4))

    with pytest.raises(TraceError, match="embedding"):
        trace(model, (1, 4), dtype=torch.float32)


@pytest.mark.parametrize(
    ("layer", "shape", "words"),
    [
        (nn.Conv3d(1, 4, 3), (3, 64, 64), "--input 1x16x64x64"),
        (nn.Conv3d(2, 4, 3), (64, 64), "one volume as channels x depth x height x width"),
        (nn.Conv1d(4, 8, 3), (3, 64, 64), r"one sequence as channels x length: --input 4x128"),
        (nn.Conv1d(4, 8, 3), (2, 3, 64, 64), "expects a sequence with 4 channels, got 2 x 3"),
    ],
)
def test_sequences_and_volumes_are_asked_for_in_our_words(
    layer: nn.Module, shape: tuple[int, ...], words: str
) -> None:
    with pytest.raises(TraceError) as caught:
        trace(nn.Sequential(layer, nn.ReLU()), shape)
    assert words in f"{caught.value.message} {caught.value.next_step}"
