"""Looking into a trained network: topics 14 and 26."""

from __future__ import annotations

from foveal.learn.topics.by_hand import ascend, grad_cam
from foveal.learn.topics.topic import Topic


def _grad_cam() -> str:
    maps = ((1.0, 4.0, 0.0, 3.0), (2.0, 0.0, 5.0, 1.0))
    gradients = ((0.5, 1.5, 0.5, 1.5), (-1.0, 0.0, -1.0, 0.0))
    weights, summed = grad_cam(maps, gradients)
    rows = "\n".join(
        f"map {index}  {_square(values)}   gradients  {_square(slopes)}   mean {weight:g}"
        for index, (values, slopes, weight) in enumerate(
            zip(maps, gradients, weights, strict=True), start=1
        )
    )
    positions = zip(*maps, strict=True)
    raw = tuple(
        sum(weight * value for weight, value in zip(weights, position, strict=True))
        for position in positions
    )
    return (
        "Two channels of 2×2, and the gradient of the class score at each value:\n"
        f"```\n{rows}\n"
        f"weighted sum  {_square(raw)}\n"
        f"after ReLU    {_square(summed)}\n```\n"
        "The third position spoke against the class; the ReLU leaves it out. What remains is "
        "enlarged to the size of the image and laid over it."
    )


def _maximisation() -> str:
    kernel, start = (1.0, 0.0, -1.0), (0.1, -0.2, 0.3)
    lines = []
    for steps in (0, 1, 5):
        picture = ascend(kernel, start, steps=steps, rate=0.5)
        shown = " ".join(f"{value:5.1f}" for value in picture)
        activation = sum(weight * value for weight, value in zip(kernel, picture, strict=True))
        lines.append(f"step {steps}   [{shown} ]   activation {activation:4.1f}")
    table = "\n".join(lines)
    return (
        "A filter [1 0 −1] on three pixels of noise. The weights stay; the **pixels** move along "
        f"the gradient:\n```\n{table}\n```\n"
        "The picture turns into what the filter looks for: bright on the left, dark on the right, "
        "and the middle, which it ignores, stays noise. Without a limit the values grow for ever; "
        "so real ones are regularised."
    )


def _square(values: tuple[float, ...]) -> str:
    side = int(len(values) ** 0.5)
    rows = (values[start : start + side] for start in range(0, len(values), side))
    return "[" + " | ".join(" ".join(f"{value:g}" for value in row) for row in rows) + "]"


LOOKING: tuple[Topic, ...] = (
    Topic(
        number=14,
        title="Grad-CAM",
        chapter="Looking inside",
        fact=(
            "Which positions of a late map raise the score of a class? Take the gradient of the "
            "class score (the logit) at that layer. Average it over space: one weight a channel. "
            "Sum the channels with these weights, keep what is positive (ReLU), enlarge to the "
            "size of the image and lay it over.\n\n"
            "The map is as coarse as its layer, and it shows what the network used, right or "
            "wrong. Whether it can be believed is a question of its own: test it."
        ),
        example=_grad_cam,
        misconceptions=(
            "“It needs retraining or a special head.” Any differentiable network will do.",
            "“The sharp edges come from Grad-CAM.” The map is a few cells wide; the rest is "
            "interpolation.",
            "“A map on the object proves that the network looks at the object.” A network with "
            "random weights may give the same map. Randomise the weights and compare.",
        ),
        engine=("foveal.explanation.explain", "foveal.explanation.judge_maps"),
        activities=("engine", "lab", "quiz"),
        lab="grad-cam",
        paper="Selvaraju et al., Grad-CAM, arXiv:1610.02391",
    ),
    Topic(
        number=26,
        title="activation maximisation",
        chapter="Looking inside",
        fact=(
            "Begin with noise and climb: gradient ascent on the **input**, with the weights "
            "fixed, until a chosen channel or class answers strongly. Early layers give edges and "
            "colours, middle ones textures and parts, late ones objects and classes.\n\n"
            "It can reveal a spurious feature: a dumbbell that always comes with an arm. Without "
            "regularisers (blur, jitter, decorrelated colours) the result is high-frequency noise "
            "that excites the unit and tells nobody anything."
        ),
        example=_maximisation,
        misconceptions=(
            "“The weights are trained further.” They stay; the image is what changes.",
            "“It shows where in my photo the class is.” It uses no photo. That is Grad-CAM.",
            "“The picture is the unit's only meaning.” It is one maximum from one start.",
        ),
        engine=("foveal.visualisation.maximise",),
        activities=("engine", "lab", "quiz"),
        lab="maximisation",
        paper="Olah, Mordvintsev and Schubert, Feature Visualization, Distill 2017",
    ),
)
