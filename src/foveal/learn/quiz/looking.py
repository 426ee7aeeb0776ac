"""Questions on looking into a trained network: topics 14 and 26."""

from __future__ import annotations

from foveal.learn.exercise import Exercise
from foveal.learn.quiz.building import arrange, assign, choose, compute, decide, number
from foveal.learn.topics.by_hand import grad_cam


def _weights_by_hand() -> Exercise:
    maps = ((2.0, 0.0, 4.0, 2.0), (1.0, 3.0, 0.0, 2.0))
    gradients = ((1.0, 1.0, 0.0, 2.0), (-1.0, -2.0, -1.0, 0.0))
    weights, _ = grad_cam(maps, gradients)
    position = 0
    values = tuple(channel[position] for channel in maps)
    here = sum(weight * value for weight, value in zip(weights, values, strict=True))

    def square(flat: tuple[float, ...]) -> str:
        return f"[{flat[0]:g} {flat[1]:g} | {flat[2]:g} {flat[3]:g}]"

    return compute(
        "14-2",
        "Two channels of 2×2 and the gradients of the class score:\n"
        "```\n"
        f"map 1 {square(maps[0])}   gradient {square(gradients[0])}\n"
        f"map 2 {square(maps[1])}   gradient {square(gradients[1])}\n"
        "```\n"
        "Give Grad-CAM's weights of both channels, and the map's value at the top left.",
        number(
            "first",
            "Weight of channel 1",
            weights[0],
            (
                "sum-for-mean",
                sum(gradients[0]),
                "Average over the four positions; that is their sum.",
            ),
            ("maps-for-gradients", sum(maps[0]) / 4, "Average the **gradients**, not the map."),
            tolerance=0.001,
        ),
        number(
            "second",
            "Weight of channel 2",
            weights[1],
            (
                "sum-for-mean",
                sum(gradients[1]),
                "Average over the four positions; that is their sum.",
            ),
            (
                "relu-too-early",
                0.0,
                "Weights may be negative. The ReLU comes after the sum over channels.",
            ),
            tolerance=0.001,
        ),
        number(
            "value",
            "Top left",
            max(0.0, here),
            (
                "channels-not-weighted",
                sum(values),
                "Weight each channel before adding.",
            ),
            (
                "negative-dropped",
                weights[0] * values[0],
                "The second channel speaks against the class; its share belongs in the sum.",
            ),
            tolerance=0.001,
            follow=f"max(0, first*{values[0]:g} + second*{values[1]:g})",
        ),
        steps=(
            f"Mean gradient of channel 1: {weights[0]:g}.",
            f"Mean gradient of channel 2: {weights[1]:g}.",
            f"{weights[0]:g}·{values[0]:g} + ({weights[1]:g})·{values[1]:g} = {here:g}; "
            "ReLU keeps it."
            if here > 0
            else "ReLU makes it 0.",
        ),
        proof=(
            "import torch\n"
            f"maps = torch.tensor({[list(m) for m in maps]})\n"
            f"gradients = torch.tensor({[list(g) for g in gradients]})\n"
            "weights = gradients.mean(dim=1)\n"
            "for weight in weights:\n    print(round(float(weight), 4))\n"
            f"print(round(float((weights @ maps).relu()[{position}]), 4))"
        ),
        reasons="Average the gradients over space, sum the weighted channels, then ReLU.",
        hint="First the mean of each gradient map.",
    )


LOOKING: tuple[Exercise, ...] = (
    arrange(
        "14-1",
        "Put the steps of Grad-CAM in order.",
        (
            "run the image forward and keep the maps of a late layer",
            "there is nothing to weight yet",
        ),
        (
            "differentiate the class score with respect to these maps",
            "how would the score react to each value?",
        ),
        ("average the gradients over space", "one weight a channel"),
        ("sum the maps with these weights", "one map instead of many"),
        ("set negative values to zero (ReLU)", "only what speaks for the class"),
        ("enlarge the map and lay it over the image", "it is still a few cells wide"),
        reasons="Forward, backward, average, weighted sum, ReLU, enlarge.",
        hint="What is needed before a gradient can be taken, and what before a sum?",
    ),
    _weights_by_hand(),
    choose(
        "14-3",
        "Why does Grad-CAM apply a ReLU to the weighted sum?",
        "To keep only the positions that raise the class's score",
        (
            "Because a layer's maps must not be negative",
            "Maps after a ReLU are not; the weights can be, and so can the sum.",
        ),
        (
            "To make the map sharper",
            "It removes negative positions. The resolution is that of the layer.",
        ),
        (
            "To make it differentiable",
            "Nothing is differentiated after this point.",
        ),
        reasons="A negative position lowers the score of this class; it may belong to another one. "
        "It is left out of the picture.",
        hint="What does a negative value of the sum mean?",
    ),
    decide(
        "14-4",
        "A Grad-CAM map that lies neatly on the object proves that the network looks at the "
        "object.",
        False,
        otherwise="A plausible picture is no test. Networks with random weights can give maps "
        "that look just as good; only a comparison tells.",
        reasons="Test a map: with moved copies, with random weights, by deleting what it marks. "
        "`foveal explain` says for each map whether it can be believed.",
        hint="What would a map of a network with random weights look like?",
    ),
    choose(
        "26-1",
        "In activation maximisation, what is changed by the gradient?",
        "The pixels of the input",
        (
            "The weights of the chosen channel",
            "They stay fixed: it is they that are being asked.",
        ),
        (
            "The learning rate of the layer",
            "There is no training, so no such thing.",
        ),
        (
            "The weights of the last layer",
            "No weight moves at all.",
        ),
        reasons="Gradient **ascent** on the input, with the network frozen.",
        hint="What do you want to see in the end?",
    ),
    assign(
        "26-2",
        "What do maximised pictures show at each depth?",
        ("edges and colours", "textures and parts", "objects and classes"),
        ("an early layer", "edges and colours", "Its units see a few pixels."),
        ("a middle layer", "textures and parts", "Its units combine edges over a larger field."),
        ("a class logit", "objects and classes", "It sums up evidence from the whole image."),
        reasons="The field grows with depth, and so does what a unit can ask for.",
        hint="How large is the receptive field at each depth?",
    ),
    choose(
        "26-3",
        "Pictures maximised for “dumbbell” all show an arm as well. What have you learned?",
        "The network takes the arm for a part of the class",
        (
            "The optimisation failed; start again from other noise",
            "If every start shows an arm, it is not the start.",
        ),
        (
            "The network has found that dumbbells need arms",
            "It has found that **training images** show them together. A dumbbell on a shelf may "
            "now be missed.",
        ),
        (
            "The network overfits",
            "It learned something that is common to many images, in training and validation "
            "alike. That is why validation does not show it.",
        ),
        reasons="A spurious feature: what always occurs together cannot be told apart by the "
        "loss. The picture makes "
        "it visible.",
        hint="What did the photographs of dumbbells in the training set show?",
    ),
    choose(
        "26-4",
        "Without any regulariser, gradient ascent on the pixels gives high-frequency noise that "
        "excites the unit strongly. Why?",
        "Nothing in the objective asks for a natural picture",
        (
            "The learning rate is too large; a smaller one gives photos",
            "It only gives the same noise more slowly.",
        ),
        (
            "The unit has learned nothing",
            "Units with clear meanings give noise as well, when nothing keeps the picture smooth.",
        ),
        (
            "The gradient of a ReLU network is random",
            "It is exact. It simply points at the nearest strong input, whatever it looks like.",
        ),
        reasons="Many inputs excite a unit, most of them unlike any photo. Blur, jitter, "
        "frequency penalties and decorrelated colours bring a preference for "
        "pictures.",
        hint="Is there any term that says what a picture looks like?",
    ),
)
