"""What a network may be given: sequences, volumes, several tensors, dictionaries, indices."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from foveal.errors import TraceError
from foveal.graph import trace
from foveal.inspection import inspect
from foveal.linting import lint


class Two(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.image = nn.Conv2d(3, 4, 3)
        self.table = nn.Embedding(10, 4)

    def forward(self, image, tokens):
        return self.image(image).mean((2, 3)) + self.table(tokens).mean(1)


class OneDictionary(Two):
    def forward(self, batch):
        return super().forward(batch["image"], batch["tokens"])


class OneList(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3)

    def forward(self, images):
        return [self.conv(image) for image in images]


class Standardised(nn.Conv2d):
    """A convolution of a class of its own, as networks without normalisation have."""


class GatedByConv1d(nn.Module):
    """Channel attention by a convolution over the channels, as in ECA-Net."""

    def __init__(self, conv: nn.Module) -> None:
        super().__init__()
        self.conv, self.gate = conv, nn.Conv1d(1, 1, 3, padding=1)

    def forward(self, x):
        x = self.conv(x)
        return x * self.gate(x.mean((2, 3))[:, None]).transpose(1, 2)[..., None]


class Functional(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(4, 3, 3, 3))

    def forward(self, x):
        return nn.functional.conv2d(x, self.weight)


TOKENS = torch.zeros(1, 5, dtype=torch.int64)


@pytest.mark.parametrize(
    ("model", "given", "whole"),
    [
        (nn.Conv1d(2, 4, 3), (2, 50), (1, 2, 50)),
        (nn.Conv1d(2, 4, 3), (8, 2, 50), (8, 2, 50)),
        (nn.ConvTranspose1d(2, 4, 3), (2, 50), (1, 2, 50)),
        (nn.Conv3d(1, 4, 3), (1, 8, 8, 8), (1, 1, 8, 8, 8)),
        (nn.Conv3d(1, 4, 3), (2, 1, 8, 8, 8), (2, 1, 8, 8, 8)),
        (nn.Conv2d(3, 4, 3), (3, 8, 8), (1, 3, 8, 8)),
        (GatedByConv1d(Standardised(3, 4, 3)), (3, 8, 8), (1, 3, 8, 8)),
        (GatedByConv1d(Functional()), (3, 8, 8), (1, 3, 8, 8)),
        (nn.LSTM(5, 4), (6, 2, 5), (6, 2, 5)),
        (nn.LSTM(5, 4), torch.Size((6, 2, 5)), (6, 2, 5)),
        (nn.TransformerEncoderLayer(8, 2, batch_first=True), (2, 6, 8), (2, 6, 8)),
        (nn.Linear(4, 2), (3, 8, 4), (1, 3, 8, 4)),
        (nn.Embedding(10, 4), (2, 5), (2, 5)),
        (nn.Conv2d(3, 4, 3), torch.zeros(5, 3, 8, 8), (5, 3, 8, 8)),
    ],
)
def test_a_shape_is_read_as_the_model_takes_it(model, given, whole):
    graph = trace(model, given)

    assert graph.status == "complete"
    assert graph.inputs[0].shape == whole


def test_an_input_that_is_looked_up_in_a_table_is_of_whole_numbers():
    graph = trace(Two(), [(3, 8, 8), (1, 5)])

    assert [item.dtype for item in graph.inputs] == ["float32", "int64"]
    assert graph.status == "complete"


@pytest.mark.parametrize(
    ("model", "given", "names", "passed"),
    [
        (Two(), [(3, 8, 8), (1, 5)], ["image", "tokens"], "by position"),
        (Two(), {"tokens": TOKENS, "image": (3, 8, 8)}, ["tokens", "image"], "by name"),
        (
            OneDictionary(),
            {"image": (3, 8, 8), "tokens": TOKENS},
            ["batch.image", "batch.tokens"],
            "in a container",
        ),
        (OneList(), [(3, 8, 8), (3, 9, 9)], ["images.0", "images.1"], "in a container"),
        (
            OneDictionary(),
            {"batch": {"image": (3, 8, 8), "tokens": TOKENS}},
            ["batch.image", "batch.tokens"],
            "by name",
        ),
    ],
)
def test_several_inputs_have_names(model, given, names, passed):
    graph = trace(model, given)

    assert [item.name for item in graph.inputs] == names
    assert graph.inputs[0].passed in {passed, "in a container"}
    assert graph.status == "complete"


@pytest.mark.parametrize(
    ("model", "given"),
    [
        (nn.Sequential(nn.Conv1d(2, 4, 3), nn.BatchNorm1d(4), nn.Conv1d(4, 2, 3)), (2, 50)),
        (nn.Sequential(nn.Conv3d(1, 4, 3), nn.BatchNorm3d(4), nn.MaxPool3d(2)), (1, 8, 8, 8)),
        (nn.Sequential(nn.Embedding(10, 4), nn.Flatten(), nn.Linear(20, 2)), TOKENS),
        (Two(), [(3, 8, 8), (1, 5)]),
        (Two(), {"image": (3, 8, 8), "tokens": TOKENS}),
        (OneDictionary(), {"image": (3, 8, 8), "tokens": TOKENS}),
        (OneList(), [(3, 8, 8), (3, 9, 9)]),
    ],
)  # fmt: skip
def test_tables_and_rules_take_them_all(model, given):
    table, report = inspect(model, given), lint(model, input_shape=given)

    assert table.totals.macs.status == "complete"
    failed = {code: why for code, why in report.undetermined.items() if "failed" in why}
    assert failed == {}
    assert not report.is_refused_input
    assert report.count("error") == 0


@pytest.mark.parametrize(
    ("model", "batch"),
    [
        (nn.Sequential(nn.Conv1d(2, 4, 3), nn.ReLU()), torch.rand(4, 2, 50)),
        (Two(), [torch.rand(4, 3, 8, 8), TOKENS.expand(4, -1)]),
        (OneDictionary(), {"image": torch.rand(4, 3, 8, 8), "tokens": TOKENS.expand(4, -1)}),
        (nn.Sequential(nn.Embedding(10, 4)), TOKENS),
    ],
)
def test_a_batch_of_anything_says_what_the_input_is(model, batch):
    report = lint(model, batch=batch)

    assert report.input_source == "the batch"
    assert report.undetermined == {}


def test_a_real_pass_uses_the_numbers_of_the_example():
    class Packs(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.table = nn.Embedding(3, 4)

        def forward(self, tokens):
            rows = self.table(tokens)
            return nn.utils.rnn.pack_padded_sequence(rows, [2], batch_first=True).data

    assert trace(Packs(), torch.tensor([[0, 2]])).status in {"partial", "unavailable"}
    with pytest.raises(TraceError, match="index out of range"):
        trace(Packs(), torch.tensor([[0, 5]]))
