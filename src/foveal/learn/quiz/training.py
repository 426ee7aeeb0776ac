"""Questions on training and transfer: topics 10, 11, 13, 16, 22, 25 and 27."""

from __future__ import annotations

from foveal.arithmetic import linear_parameters
from foveal.learn.exercise import Exercise
from foveal.learn.quiz.building import (
    arrange,
    assign,
    choose,
    compute,
    decide,
    explain,
    number,
)
from foveal.learn.topics.by_hand import folded_batch_norm
from foveal.learn.topics.known_networks import (
    IMAGENET_CLASSES,
    RESNET18_FEATURES,
    resnet18_backbone,
)
from foveal.learn.topics.training import IMAGENET_RED


def _biases_saved() -> Exercise:
    outer, inner = 256, 64
    saved = 2 * inner + outer
    return compute(
        "11-2",
        f"A bottleneck {outer} → {inner} → {inner} → {outer} has batch norm after each of its "
        "three convolutions. How many parameters does `bias=False` save in the block?",
        number(
            "saved",
            "Parameters",
            saved,
            (
                "all-widths-counted",
                outer + 2 * inner + outer,
                f"The first {outer} is an input. Biases belong to outputs: {inner}, {inner}, "
                f"{outer}.",
            ),
            ("one-forgotten", inner + outer, "There are three convolutions."),
            (
                "batch-norm-counted",
                2 * saved,
                "Batch norm's scale and shift stay; only the biases go.",
            ),
        ),
        steps=(f"One for each output channel: {inner} + {inner} + {outer} = {saved}.",),
        proof=(
            "from torch import nn\n"
            f"widths = [({outer}, {inner}), ({inner}, {inner}), ({inner}, {outer})]\n"
            "print(sum(nn.Conv2d(a, b, 1).bias.numel() for a, b in widths))"
        ),
        reasons="β takes over. Few parameters, but none of them does anything.",
        hint="One bias for each output channel.",
    )


def _new_head() -> Exercise:
    classes = 5
    head = linear_parameters(RESNET18_FEATURES, classes)
    total = resnet18_backbone() + head
    return compute(
        "13-3",
        f"A ResNet-18 ({RESNET18_FEATURES} features) gets a new linear head for {classes} "
        "classes, and everything else is frozen. How many parameters are trained?",
        number(
            "head",
            "Parameters",
            head,
            ("bias-forgotten", head - classes, f"Add {classes} biases."),
            ("all-counted", total, "That is the whole network. The rest is frozen."),
            (
                "imagenet-head",
                linear_parameters(RESNET18_FEATURES, IMAGENET_CLASSES),
                f"That is the old head, for {IMAGENET_CLASSES:,} classes.",
            ),
        ),
        steps=(f"{RESNET18_FEATURES}·{classes} + {classes} = {head:,}.",),
        proof=(
            "from torch import nn\n"
            f"print(sum(p.numel() for p in nn.Linear({RESNET18_FEATURES}, {classes}).parameters()))"
        ),
        reasons=f"{head:,} of {total:,}: {head / total:.2%} of the network.",
        hint="One linear layer.",
    )


def _normalised_value() -> Exercise:
    mean, std = IMAGENET_RED
    level, highest = 219, 255
    value = level / highest
    right = round((value - mean) / std, 2)
    return compute(
        "16-2",
        f"A red value of {level} (of {highest}) is prepared for weights that expect mean {mean} "
        f"and standard deviation {std}. What reaches the network, to two decimals?",
        number(
            "value",
            "Value",
            right,
            (
                "not-scaled",
                round((level - mean) / std, 2),
                f"First bring 0…{highest} to 0…1.",
            ),
            (
                "std-forgotten",
                round(value - mean, 2),
                "The mean is subtracted; now divide by the standard deviation.",
            ),
            (
                "multiplied",
                round((value - mean) * std, 2),
                "Divide by the standard deviation.",
            ),
            ("scaled-only", round(value, 2), "That is only the first step, 0…1."),
            tolerance=0.006,
        ),
        steps=(
            f"{level}/{highest} = {value:.4f}.",
            f"({value:.4f} − {mean}) / {std} = {right:.2f}.",
        ),
        proof=(
            "import torch\n"
            f"value = torch.tensor({level}, dtype=torch.uint8) / {highest}\n"
            f"print(round(float((value - {mean}) / {std}), 2))"
        ),
        reasons="Scale to 0…1, subtract the mean, divide by the standard deviation; each channel "
        "with its own.",
        hint="Three steps.",
    )


def _smallest_class() -> Exercise:
    counts, share = {"normal": 250, "bacterial": 150, "viral": 100}, 5
    total, smallest = sum(counts.values()), min(counts.values())
    held_out = total // share
    text = ", ".join(f"{count} {name}" for name, count in counts.items())
    return compute(
        "25-2",
        f"{total} X-rays: {text}. A stratified split holds one in {share} out. How many of the "
        "smallest class are in the validation set?",
        number(
            "images",
            "Images",
            smallest // share,
            (
                "equal-shares",
                held_out // len(counts),
                "Stratified keeps the **proportions**; it does not make classes equal.",
            ),
            ("all-held-out", held_out, "That is the whole validation set."),
            ("training-part", smallest - smallest // share, "That many remain for training."),
            unit="images",
        ),
        steps=(f"{smallest} / {share} = {smallest // share}.",),
        proof=(
            "import torch\n"
            f"labels = torch.repeat_interleave(torch.arange({len(counts)}), "
            f"torch.tensor({list(counts.values())}))\n"
            "from sklearn.model_selection import train_test_split\n"
            f"_, held = train_test_split(labels.numpy(), test_size=1/{share}, "
            "stratify=labels.numpy(), random_state=0)\n"
            f"print(int((held == {len(counts) - 1}).sum()))"
        ),
        reasons="Every class is split in the same proportion. With so few of a class, one image "
        f"more or less moves its recall by {100 / (smallest // share):.0f} percentage points.",
        hint="Split each class by itself.",
    )


def _folded() -> Exercise:
    scale, shift, mean, variance, value = 1.5, 0.5, 2.0, 9.0, 8.0
    slope, intercept = folded_batch_norm(scale=scale, shift=shift, mean=mean, variance=variance)
    return compute(
        "27-2",
        f"Batch norm in evaluation mode with γ = {scale}, β = {shift}, running mean {mean:g} and "
        f"running variance {variance:g} (leave ε out) is y = a·x + b. Give a, b, and y for "
        f"x = {value:g}.",
        number(
            "a",
            "a",
            slope,
            (
                "variance-for-deviation",
                round(scale / variance, 4),
                "Divide by the standard deviation, the root of the variance.",
            ),
            tolerance=0.001,
        ),
        number(
            "b",
            "b",
            intercept,
            ("mean-forgotten", shift, "The mean is subtracted before: b = β − a·μ."),
            ("mean-added", shift + slope * mean, "The mean is subtracted: minus."),
            tolerance=0.001,
            follow=f"{shift} - a*{mean:g}",
        ),
        number("y", "y", slope * value + intercept, tolerance=0.001, follow=f"a*{value:g} + b"),
        steps=(
            f"a = γ/σ = {scale}/{variance**0.5:g} = {slope:g}.",
            f"b = β − a·μ = {shift} − {slope:g}·{mean:g} = {intercept:g}.",
            f"y = {slope:g}·{value:g} + ({intercept:g}) = {slope * value + intercept:g}.",
        ),
        proof=(
            "import torch\n"
            "layer = torch.nn.BatchNorm1d(1, eps=0.0).eval()\n"
            f"layer.weight.data.fill_({scale}); layer.bias.data.fill_({shift})\n"
            f"layer.running_mean.fill_({mean}); layer.running_var.fill_({variance})\n"
            "f = lambda x: float(layer(torch.tensor([[x]])).detach())\n"
            f"print(round(f(1.0) - f(0.0), 4))\nprint(round(f(0.0), 4))\n"
            f"print(round(f({value}), 4))"
        ),
        reasons="In evaluation it is a fixed linear map, so it can be folded into the convolution "
        "before it.",
        hint="a = γ/σ, and b is what comes out for x = 0.",
    )


TRAINING: tuple[Exercise, ...] = (
    choose(
        "16-1",
        "Pretrained weights are fed with the wrong mean and standard deviation. How do you notice?",
        "Not at all, except that accuracy is lower than it should be",
        (
            "PyTorch raises an error about the range of its input",
            "A convolution takes any numbers. There is no check.",
        ),
        (
            "The loss becomes NaN in the first step",
            "Only with extreme values. Usually everything looks normal.",
        ),
        (
            "Batch norm corrects it, so there is nothing to notice",
            "In evaluation mode batch norm uses **stored** statistics, which now fit badly. It "
            "makes things worse, not better.",
        ),
        reasons="This is why `Preprocessing` travels with the model, and why the linter measures "
        "what arrives (B302).",
        hint="Does any layer know what its input should look like?",
    ),
    _normalised_value(),
    decide(
        "16-3",
        "For a pretrained network, mean and standard deviation should be computed from your own "
        "images.",
        False,
        otherwise="That is right for a network trained from scratch. Pretrained weights were "
        "fitted to inputs normalised with **their** numbers, and those have to be kept.",
        reasons="The normalisation is part of the pretrained function.",
        hint="What were the weights of the first layer fitted to?",
    ),
    assign(
        "13-1",
        "Which way to begin suits each case best?",
        (
            "new head on frozen features",
            "fine-tune all layers at small rates",
            "new head on features of an earlier layer, or tune the last blocks with care",
        ),
        (
            "300 photos of dogs by breed, ImageNet weights",
            "new head on frozen features",
            "Few images and a near domain: the features fit already.",
        ),
        (
            "200,000 satellite images, ImageNet weights",
            "fine-tune all layers at small rates",
            "Enough images to move every layer towards a far domain.",
        ),
        (
            "400 electron microscope images, ImageNet weights",
            "new head on features of an earlier layer, or tune the last blocks with care",
            "Late features are too much about photos, and there are too few images for more.",
        ),
        reasons="Two questions decide: how many images, and how far from the pretraining.",
        hint="Early features are general, late ones belong to the pretraining's domain.",
    ),
    choose(
        "13-2",
        "You set `requires_grad = False` for the whole backbone and train the head with the "
        "network in `train()` mode. After each epoch you evaluate in `eval()` mode, and the "
        "backbone's output for the same image has changed. Why?",
        "Batch norm still updates its running statistics",
        (
            "The optimizer's weight decay shrinks the frozen weights",
            "Parameters without a gradient are skipped by the optimizer, decay included.",
        ),
        (
            "`requires_grad = False` works only before the network is built",
            "It works at any time, for every later backward pass.",
        ),
        (
            "The head's gradients flow into the backbone",
            "They stop where nothing requires a gradient.",
        ),
        reasons="Running statistics are buffers: they move in training mode, gradients or not. "
        "Put the frozen part into `eval()` (linter: T402).",
        hint="What in a network changes without any gradient?",
    ),
    _new_head(),
    choose(
        "10-1",
        "A new head on a frozen backbone reached 85%. Now everything is unfrozen at the head's "
        "rate of 1e-2, and after one epoch the network is at 60%. What happened?",
        "Large steps overwrote the pretrained features",
        (
            "The network overfits: it has more trainable parameters now",
            "Overfitting shows as a gap, after many epochs. Here the network got worse at once.",
        ),
        (
            "The rate was too small to adapt to the new domain",
            "Then it would have stayed where it was, at 85%.",
        ),
        (
            "Batch norm must be frozen for fine-tuning to work at all",
            "It often helps on small batches. It does not explain a fall like this.",
        ),
        reasons="Catastrophic forgetting. Below the head, use rates ten to a hundred times "
        "smaller (linter: T401).",
        hint="How far does one step move a weight that was good already?",
    ),
    arrange(
        "10-2",
        "Put the parts of a pretrained network in order of their learning rate, smallest first.",
        ("first convolution and first block", "edges and colours: the most general features"),
        ("middle blocks", "textures and parts: general, with some room to move"),
        ("last block", "closest to the old classes, so it has most to change"),
        ("new head", "it starts at random and knows nothing yet"),
        reasons="The earlier, the more general, the smaller the rate.",
        hint="Which features are useful for any image?",
    ),
    decide(
        "10-3",
        "Training the head alone first, before unfreezing, protects the backbone.",
        True,
        otherwise="As long as the head is random, its gradients are random directions, and with "
        "an unfrozen backbone they go straight into good features.",
        reasons="A settled head sends small, meaningful gradients. Probe first, then tune.",
        hint="What do the first gradients look like through a head of random weights?",
    ),
    decide(
        "11-1",
        "A convolution with `bias=False` followed by batch norm can represent fewer functions than "
        "one with a bias followed by batch norm.",
        False,
        otherwise="Whatever the bias adds to a channel, subtracting the mean takes away again; "
        "and β can put any constant back.",
        reasons="The same functions, with one parameter less a channel.",
        hint="What does batch norm do with a constant that is added to a channel?",
    ),
    _biases_saved(),
    choose(
        "11-3",
        "In a **trained** network you delete the biases before batch norm and leave everything "
        "else. What happens in evaluation mode?",
        "Outputs change: the running mean holds the old bias",
        (
            "Nothing: the bias was cancelled anyway",
            "In training it is cancelled by the batch's own mean. In evaluation the stored mean "
            "is subtracted, and it was measured with the bias.",
        ),
        (
            "The network raises an error because of a missing parameter",
            "`bias=None` is allowed; nothing complains.",
        ),
        (
            "Only β changes",
            "No other parameter moves by itself.",
        ),
        reasons="Subtract the bias from the running mean as well; then outputs stay exactly as "
        "they were. `foveal.fix` does it (S101).",
        hint="Evaluation mode subtracts the **running** mean. What was it measured on?",
    ),
    choose(
        "27-1",
        "In production a network gives the same X-ray different answers, depending on which "
        "other images are in the batch. The most likely cause?",
        "It was left in training mode",
        (
            "Floating-point rounding in different batch sizes",
            "That exists, in the last digits. It does not change answers.",
        ),
        (
            "`torch.no_grad()` was forgotten",
            "Then memory is wasted; the numbers are the same.",
        ),
        (
            "The softmax was taken over `dim=0`",
            "Then the probabilities of one image would not add up to 1, and the logits would "
            "still be the same.",
        ),
        reasons="In training mode batch norm uses the statistics of the batch. Call "
        "`model.eval()`. The linter tries it with other companions: B301.",
        hint="Which layer looks at the whole batch?",
    ),
    _folded(),
    decide(
        "27-3",
        "`with torch.no_grad():` makes batch norm use its running statistics.",
        False,
        otherwise="`no_grad` stops recording gradients. The mode of a layer is set by `train()` "
        "and `eval()`, and nothing else.",
        reasons="The two have nothing to do with each other; for prediction one wants both.",
        hint="What does `no_grad` switch off?",
    ),
    choose(
        "22-1",
        "Which augmentation is wrong for handwritten digits?",
        "Turning by half a circle",
        (
            "Shifts by a few pixels",
            "A digit stays the same digit a little further on.",
        ),
        (
            "Turning by up to ten degrees",
            "People write slanted. The label stays.",
        ),
        (
            "A little more or less contrast",
            "Ink and paper differ. The label stays.",
        ),
        reasons="An augmentation must keep the label: a six that stands on its head is a nine.",
        hint="Which change turns one digit into another?",
    ),
    assign(
        "22-2",
        "Which augmentation is described?",
        ("Cutout", "Mixup", "CutMix", "AutoAugment"),
        ("a square of the image is blanked", "Cutout", "The rest has to be enough."),
        (
            "two images are blended pixel by pixel, and so are their labels",
            "Mixup",
            "Whole images and whole labels are mixed in one share.",
        ),
        (
            "a patch of one image replaces one of another; labels by area",
            "CutMix",
            "Cutout's hole is filled with another image.",
        ),
        (
            "a policy of operations is searched on the data",
            "AutoAugment",
            "Not one operation but a learned choice of them.",
        ),
        reasons="All make learning by heart harder; the two that mix also soften the labels.",
        hint="Two of them use a second image.",
    ),
    choose(
        "22-3",
        "With augmentation the training error rose and the validation error fell. What do you do?",
        "Keep it: this is how a regulariser works",
        (
            "Remove it: the network learns worse",
            "It learns the training pixels by heart less well. What counts is new images.",
        ),
        (
            "Augment the validation images as well, to compare fairly",
            "Validation stands for what will be met, which is not augmented.",
        ),
        (
            "Train a smaller network",
            "That is for when the gap is still large. It just got smaller.",
        ),
        reasons="The gap between training and validation is what augmentation is for.",
        hint="Which of the two errors will your users meet?",
    ),
    arrange(
        "25-1",
        "500 chest X-rays, three classes, a pretrained ResNet-18. Put the steps in order.",
        (
            "look for copies, and for several images of one patient",
            "what is split wrongly can never be repaired later",
        ),
        (
            "split stratified, keeping each patient on one side",
            "before anything is fitted",
        ),
        (
            "train a new head on the frozen network",
            "a settled head first, so that its gradients mean something",
        ),
        (
            "unfreeze the last blocks, at a much smaller rate",
            "now with gradients that are worth following",
        ),
        (
            "report the result on held-out patients, with its interval",
            "once, at the end",
        ),
        reasons="Data first, split before fitting, head before blocks, the test last.",
        hint="What must be settled before the first weight is trained?",
    ),
    _smallest_class(),
    choose(
        "25-3",
        "The 500 X-rays come from 180 patients. A random split gives 97%, a split by patient 81%. "
        "Which number do you report?",
        "81%: new patients are what the classifier will meet",
        (
            "97%: it uses the same number of images and is higher",
            "It is higher because images of the same patient are on both sides; the network "
            "recognises the patient.",
        ),
        (
            "The mean of the two",
            "One of them measures something else; the mean measures nothing.",
        ),
        (
            "Neither: with 500 images nothing can be said",
            "Something can: 81%, with its interval.",
        ),
        reasons="A split has to separate what will be separate in use. `foveal audit` looks for "
        "such groups.",
        hint="Will the hospital send X-rays of your training patients?",
    ),
    explain(
        "25-4",
        "Write down, in five or six sentences, how you would train a classifier on 500 X-rays in "
        "three classes, and how you would know whether it is any good.",
        model="Take a small pretrained ResNet and prepare the images exactly as its weights "
        "expect: 224 pixels, its mean and standard deviation. Look for duplicates and split 80/20, "
        "stratified and by patient. Train a new head on frozen features, then unfreeze the last "
        "one or two blocks with a rate about a hundred times smaller than the head's. Augment "
        "with what keeps the label (small rotations, brightness, contrast), and use weight decay "
        "and dropout. Watch the gap between training and validation and stop when validation "
        "no longer improves. Report per class, on held-out patients, with an interval.",
        checklist=(
            "A small pretrained network, with its own normalisation.",
            "A split that is stratified and separates patients.",
            "Head first; then late blocks at a much smaller rate.",
            "Augmentation that keeps the label, and a further regulariser.",
            "The gap between training and validation decides when to stop.",
            "A result with an interval, or by class, on unseen patients.",
        ),
        hint="Data, network, split, two stages, regularisation, measurement.",
    ),
)
