from __future__ import annotations

import re

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from foveal.errors import ModelError, UsageError
from foveal.explanation import (
    cost_of_judging,
    input_gradients,
    judge_map,
    judge_maps,
    occlusion_maps,
)


def _remake(model, images, classes):
    pairs = zip(images, classes, strict=True)
    return [
        occlusion_maps(model, image[None], classes=index, window_px=4)[0][0]
        for image, index in pairs
    ]


def _statuses(verdict) -> dict[str, str]:
    return {check.name: check.status for check in verdict.checks}


@pytest.mark.parametrize("effort", ["quick", "full"])
def test_a_true_map_is_supported(corner_network, corner_image, true_map, effort):
    assert judge_map(corner_network, corner_image, true_map, effort=effort).level == "supported"


def test_a_false_map_is_doubtful_at_a_glance(corner_network, corner_image, false_map):
    assert judge_map(corner_network, corner_image, false_map).level == "doubtful"


def test_a_false_map_is_refuted_on_a_full_test(corner_network, corner_image, false_map):
    verdict = judge_map(corner_network, corner_image, false_map, effort="full")
    assert verdict.level == "refuted"
    assert (_statuses(verdict)["deletion"], _statuses(verdict)["insertion"]) == ("failed",) * 2


def test_an_occlusion_map_is_supported_by_every_test_there_is(corner_network, corner_image):
    (found,) = _remake(corner_network, corner_image[None], [1])
    verdict = judge_map(corner_network, corner_image, found, effort="full", remake=_remake)
    assert verdict.level == "supported"
    assert _statuses(verdict) == {
        "completeness": "unavailable", "deletion": "passed", "insertion": "passed",
        "randomisation": "passed",
    }  # fmt: skip


def test_a_map_that_is_right_by_accident_is_refuted(corner_network, corner_image, true_map):
    verdict = judge_map(
        corner_network, corner_image, true_map, effort="full",
        remake=lambda model, images, classes: [true_map] * len(images),
    )  # fmt: skip
    assert (_statuses(verdict)["deletion"], verdict.level) == ("passed", "refuted")
    assert "shows the image, not what the network learned" in verdict.sentence


def test_a_map_that_does_not_add_up_is_refuted(corner_network, corner_image, make_map):
    signed = np.array([[2.0, 0.0], [0.0, 0.0]])
    found = make_map(signed, signed=signed, bias=7.0)
    verdict = judge_map(corner_network, corner_image, found)
    assert verdict.level == "refuted"
    assert "does not belong to this answer" in verdict.sentence


def test_adding_up_is_held_against_the_network_and_not_the_maps_own_word(
    corner_network, corner_image, make_map
):
    signed = np.array([[2.0, 0.0], [0.0, 0.0]])
    found = make_map(signed, signed=signed, bias=7.0, logit=7.5)
    assert _statuses(judge_map(corner_network, corner_image, found))["completeness"] == "failed"


def test_sentence_tells_place_and_probabilities(corner_network, corner_image, true_map):
    verdict = judge_map(corner_network, corner_image, true_map, class_names=["sound", "cracked\n"])
    assert re.fullmatch(
        r"The answer 'cracked\\n' rests on the upper left quarter: covering the marked fifth "
        r"of the image lowers its probability from \d\d% to \d\d%; covering an equal area "
        r"elsewhere lowers it to \d\d% on average\.",
        verdict.sentence,
    )


def test_probability_in_the_sentence_is_the_networks(corner_network, corner_image, true_map):
    with torch.no_grad():
        probability = float(corner_network(corner_image[None]).softmax(1)[0, 1])
    assert (
        f"from {probability:.0%} to" in judge_map(corner_network, corner_image, true_map).sentence
    )


def test_a_class_that_is_not_the_answer_is_called_so(corner_network, corner_image, make_map):
    found = make_map(1 - np.eye(2), class_index=0)
    verdict = judge_map(corner_network, corner_image, found)
    assert "lass 0, which is not the answer," in verdict.sentence


def test_an_even_map_is_untested(corner_network, corner_image, make_map):
    verdict = judge_map(corner_network, corner_image, make_map(np.ones((4, 4))))
    assert (verdict.level, _statuses(verdict)["deletion"]) == ("untested", "unavailable")


def test_a_image_in_which_nothing_can_be_covered_is_untested(corner_network, true_map):
    verdict = judge_map(corner_network, torch.full((1, 32, 32), 0.7), true_map, effort="full")
    assert verdict.level == "untested"


def test_a_blank_map_with_evidence_against_the_class_is_untested(
    corner_network, corner_image, make_map
):
    found = make_map(np.zeros((4, 4)), signed=-np.eye(4))
    verdict = judge_map(corner_network, corner_image, found)
    assert verdict.level == "untested"
    assert "blank map. Every area that counts speaks against" in verdict.sentence


def test_a_blank_map_of_a_broken_network_is_refuted(corner_image, make_map):
    dead = nn.Sequential(
        nn.Conv2d(1, 2, 1, bias=False), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(),
        nn.Linear(2, 2),
    )  # fmt: skip
    dead[0].weight.data.fill_(-1.0)
    found = make_map(np.zeros((4, 4)), signed=np.zeros((4, 4)))
    verdict = judge_map(dead, corner_image, found)
    assert (verdict.level, _statuses(verdict)["blank"]) == ("refuted", "failed")


def test_a_batch_is_judged_as_each_alone(corner_network, corner_image, true_map, false_map):
    images = torch.stack((corner_image, corner_image.flip(2)))
    together = judge_maps(corner_network, images, [true_map, false_map], effort="full")
    alone = tuple(
        judge_map(corner_network, image, heat_map, effort="full")
        for image, heat_map in zip(images, (true_map, false_map), strict=True)
    )
    assert [verdict.sentence for verdict in together] == [verdict.sentence for verdict in alone]


def test_the_same_seed_gives_the_same_verdict(corner_network, corner_image, true_map):
    one, other = (
        judge_map(corner_network, corner_image, true_map, effort="full", seed=3, remake=None)
        for _ in range(2)
    )
    assert one == other


def test_another_seed_moves_the_copies_elsewhere(corner_network, corner_image, true_map):
    one, other = (
        judge_map(corner_network, corner_image, true_map, effort="full", seed=seed)
        for seed in (1, 2)
    )
    assert one.checks[1].reference != other.checks[1].reference


def test_probabilities_are_judged_as_the_logits_they_come_from(
    corner_network, corner_image, true_map
):
    ends_in_softmax = nn.Sequential(corner_network, nn.Softmax(1))
    sentences = [
        judge_map(model, corner_image, true_map, effort="full").sentence
        for model in (corner_network, ends_in_softmax)
    ]
    assert sentences[0] == sentences[1]


class Single(nn.Module):
    """One output: the logit of class 1 against class 0, or its probability."""

    def __init__(self, network: nn.Module, *, sigmoid: bool) -> None:
        super().__init__()
        self.network, self.sigmoid = network, sigmoid

    def forward(self, images: Tensor) -> Tensor:
        logit = self.network(images)[:, 1]
        return logit.sigmoid() if self.sigmoid else logit


@pytest.mark.parametrize("sigmoid", [False, True])
def test_one_output_is_a_logit_unless_the_map_knows_better(
    corner_network, corner_image, make_map, sigmoid: bool
):
    with torch.no_grad():
        logit = float(corner_network(corner_image[None])[0, 1])
    found = make_map(np.array([[1.0, 0.0], [0.0, 0.0]]), class_index=0, logit=logit)
    verdict = judge_map(Single(corner_network, sigmoid=sigmoid), corner_image, found)
    assert f"lowers its probability from {1 / (1 + np.exp(-logit)):.0%} to" in verdict.sentence


def test_half_precision_reaches_the_same_level(corner_network, corner_image, true_map, false_map):
    images = torch.stack((corner_image, corner_image))
    verdicts = judge_maps(corner_network.bfloat16(), images, [true_map, false_map], effort="full")
    assert [verdict.level for verdict in verdicts] == ["supported", "refuted"]


def test_it_works_where_gradients_are_off(corner_network, corner_image, true_map):
    def remake(model, images, classes):
        pairs = zip(images, classes, strict=True)
        return [input_gradients(model, image[None], classes=k)[0][0] for image, k in pairs]

    corner_network.requires_grad_(False)
    (found,) = remake(corner_network, corner_image[None], [1])
    with torch.inference_mode():
        verdict = judge_map(corner_network, corner_image, found, effort="full", remake=remake)
    assert _statuses(verdict)["randomisation"] != "unavailable"


@pytest.mark.parametrize(("effort", "with_remake"), [("quick", False), ("full", True)])
def test_cost_is_what_was_said(corner_network, corner_image, true_map, effort, with_remake):
    seen, remade = [], []
    corner_network.register_forward_hook(lambda _, args, __: seen.append(len(args[0])))

    def remake(model, images, classes):
        remade.append(len(images))
        return [true_map] * len(images)

    judge_map(corner_network, corner_image, true_map, effort=effort, remake=remake)
    cost = cost_of_judging(1, effort=effort, remakes=with_remake)
    order_run = 1 if with_remake else 0  # the copy runs once to learn the order of its layers
    assert sum(seen) == cost.forward_passes + order_run
    assert sum(remade) == cost.remakes


def test_no_maps_no_verdicts(corner_network):
    assert judge_maps(corner_network, torch.zeros(0, 1, 32, 32), []) == ()


def test_a_map_of_another_image_size_is_refused(corner_network, corner_image, make_map):
    found = make_map(np.eye(4), image_size_px=(16, 16))
    with pytest.raises(UsageError, match=r"expected \(16, 16\) as for the map"):
        judge_map(corner_network, corner_image, found)


def test_another_number_of_maps_than_images_is_refused(corner_network, corner_image, true_map):
    with pytest.raises(UsageError, match="got 1 images for 2 maps"):
        judge_maps(corner_network, corner_image[None], [true_map, true_map])


def test_a_class_that_the_network_does_not_have_is_refused(corner_network, corner_image, make_map):
    with pytest.raises(UsageError, match="explains class 5; the network has 2 outputs"):
        judge_map(corner_network, corner_image, make_map(np.eye(4), class_index=5))


def test_names_that_are_too_few_are_refused(corner_network, corner_image, true_map):
    with pytest.raises(UsageError, match="got 1 class names, expected 2"):
        judge_map(corner_network, corner_image, true_map, class_names=["sound"])


def test_random_weights_that_overflow_leave_the_rest_of_the_verdict(
    corner_network, corner_image, true_map
):
    def remake(model, images, classes):
        raise ModelError("the scores of image 0 are not finite")

    verdict = judge_map(corner_network, corner_image, true_map, effort="full", remake=remake)
    assert verdict.level == "supported"
    assert verdict.checks[3].sentence.endswith("the scores of image 0 are not finite")


def test_an_unknown_effort_is_refused(corner_network, corner_image, true_map):
    with pytest.raises(UsageError, match=r"got effort='thorough', expected"):
        judge_map(corner_network, corner_image, true_map, effort="thorough")


def test_a_network_of_shapes_alone_is_refused(corner_network, corner_image, true_map):
    with pytest.raises(ModelError, match="on the meta device"):
        judge_map(corner_network.to("meta"), corner_image, true_map)
