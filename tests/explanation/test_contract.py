"""What holds for every method, on every kind of head."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from foveal.errors import UsageError
from foveal.explanation import Explainer, HeatMap, explain
from foveal.explanation.methods import METHODS as ALL_METHODS

METHODS = tuple(method.name for method in ALL_METHODS if method.run is None)


@pytest.fixture(params=METHODS)
def method(request) -> str:
    return request.param


def flat(maps: tuple[tuple[HeatMap, ...], ...]) -> np.ndarray:
    return np.array([[heat_map.signed for heat_map in row] for row in maps])


def test_every_method_has_its_formulas():
    by_name = {method.name: method for method in ALL_METHODS}
    assert by_name["cam"].gradient_form is None
    assert all(by_name[name].gradient_form for name in METHODS[1:])
    assert all(by_name[name].closed_form for name in METHODS[:5])


def test_a_map_says_what_it_is(net, images, method):
    found = explain(net, images, classes=3, method=method)[1][0]

    assert (found.method, found.layer, found.class_index) == (method, "features.4", 3)
    assert found.image_size_px == (12, 10)
    assert found.layer_reason == (
        "It is the last map: 'pool' averages it for 'classifier.1', so the score is the mean of "
        "the map and the bias."
    )
    assert found.values.dtype == found.signed.dtype == np.float32
    assert found.logit == pytest.approx(net(images)[1, 3].item(), abs=1e-5)


def test_values_are_the_positive_part(net, images, method):
    for row in explain(net, images, classes="all", method=method):
        for heat_map in row:
            assert np.array_equal(heat_map.values, np.maximum(heat_map.signed, 0))


def test_a_batch_is_what_its_images_are_one_by_one(net, flat_net, images, method):
    model = net if method == "cam" else flat_net
    explainer = Explainer(model)

    together = flat(explainer.explain(images, classes=[0, 2], method=method))

    alone = [flat(explainer.explain(one[None], classes=[0, 2], method=method)) for one in images]
    np.testing.assert_allclose(together, np.concatenate(alone), atol=1e-5)


def test_all_classes_are_what_each_is_alone(net, flat_net, images, method):
    model = net if method == "cam" else flat_net
    explainer = Explainer(model)

    every = flat(explainer.explain(images, classes="all", method=method))

    alone = [flat(explainer.explain(images, classes=k, method=method)) for k in range(4)]
    np.testing.assert_allclose(every, np.concatenate(alone, 1), atol=1e-5)


def test_without_classes_the_predicted_one_is_explained(net, flat_net, images, method):
    model = net if method == "cam" else flat_net

    found = explain(model, images, method=method)

    assert [[m.class_index for m in row] for row in found] == model(images).argmax(1)[
        :, None
    ].tolist()


@pytest.mark.parametrize("method", METHODS[1:])
def test_closed_form_and_backward_pass_agree(net, images, method):
    closed = Explainer(net).explain(images, classes="all", method=method)
    # Behind an identity with weights, the head is recognised no more.
    scaled = nn.Sequential(net, _Affine())

    backward = Explainer(scaled).explain(images, classes="all", method=method, layer="0.features.4")

    np.testing.assert_allclose(flat(closed), flat(backward), atol=1e-5)


class _Affine(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones(4))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x * self.scale


@pytest.mark.parametrize("around", [torch.no_grad, torch.inference_mode, torch.enable_grad])
def test_what_the_caller_does_with_gradients_does_not_matter(net, flat_net, images, method, around):
    for model in (net, flat_net) if method != "cam" else (net,):
        expected = flat(explain(model, images, method=method))

        with around():
            found = explain(model, images * 1, method=method)

        np.testing.assert_allclose(flat(found), expected, atol=1e-5)


def test_a_model_made_in_inference_mode_can_be_explained(make_net, flat_net, images):
    with torch.inference_mode():
        model = make_net(nn.Identity(), nn.Linear(180, 7), nn.ReLU(), nn.Linear(7, 4))

    found = explain(model, images, method="hirescam")

    np.testing.assert_allclose(
        flat(found), flat(explain(flat_net, images, method="hirescam")), atol=1e-5
    )


def test_a_frozen_model_is_explained_as_any(net, flat_net, images, method):
    for model in (net, flat_net) if method != "cam" else (net,):
        expected = flat(explain(model, images, method=method))

        model.requires_grad_(False)

        np.testing.assert_array_equal(flat(explain(model, images, method=method)), expected)


def test_the_predicting_network_is_explained_in_any_mode(net, images, method):
    expected = flat(explain(net, images, method=method))

    net.train()

    np.testing.assert_array_equal(flat(explain(net, images, method=method)), expected)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_models_take_float_images(net, flat_net, images, method, dtype):
    for model in (net, flat_net) if method != "cam" else (net,):
        expected = flat(explain(model, images, classes="all", method=method))

        found = flat(explain(model.to(dtype), images, classes="all", method=method))

        assert np.abs(found - expected).max() < 0.05 * np.abs(expected).max()


def test_autocast_loses_only_its_own_precision(net, flat_net, images, method):
    for model in (net, flat_net) if method != "cam" else (net,):
        expected = flat(explain(model, images, classes="all", method=method))

        with torch.autocast("cpu", torch.bfloat16):
            found = flat(explain(model, images, classes="all", method=method))

        assert np.abs(found - expected).max() < 0.05 * np.abs(expected).max()


def test_channels_last_is_no_matter(net, flat_net, images, method):
    for model in (net, flat_net) if method != "cam" else (net,):
        expected = flat(explain(model, images, method=method))

        found = explain(
            model.to(memory_format=torch.channels_last),
            images.to(memory_format=torch.channels_last),
            method=method,
        )

        np.testing.assert_allclose(flat(found), expected, atol=1e-5)


def test_arrays_are_images_too(net, images, method):
    expected = flat(explain(net, images, method=method))

    assert np.array_equal(flat(explain(net, images.numpy(), method=method)), expected)


def test_no_images_give_no_maps(net, images, method):
    assert explain(net, images[:0], method=method) == ()


def test_a_blank_image_of_a_dead_network_is_a_blank_map(net, images, method):
    with torch.no_grad():
        net.features[3].weight.zero_()
        net.features[3].bias.fill_(-1)

    assert explain(net, images, method=method)[0][0].is_blank


def test_nan_in_an_image_is_named(net, images, method):
    images[1, 0, 0, 0] = float("nan")

    with pytest.raises(UsageError, match="image 1 of 3 holds NaN"):
        explain(net, images, method=method)


def test_large_batches_of_a_network_that_flattens_with_view(flat_net, images):
    class Viewing(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.net = flat_net

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.net.classifier(self.net.features(x).view(len(x), -1))

    many = images.repeat(2, 1, 1, 1)

    found = flat(explain(Viewing(), many, method="hirescam", classes=1))

    np.testing.assert_allclose(
        found, flat(explain(flat_net, many, method="hirescam", classes=1)), atol=1e-5
    )


def test_training_under_the_same_autocast_still_has_its_gradients(net, images, method):
    with torch.autocast("cpu", torch.bfloat16):
        explain(net, images, method=method)
        loss = net.train()(images).sum()
    loss.backward()

    assert all(parameter.grad is not None for parameter in net.parameters())
