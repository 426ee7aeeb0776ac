"""Training and transfer: topics 10, 11, 13, 16, 22, 25 and 27."""

from __future__ import annotations

from foveal.arithmetic import linear_parameters
from foveal.learn.topics.by_hand import folded_batch_norm
from foveal.learn.topics.known_networks import RESNET18_FEATURES, resnet18_backbone
from foveal.learn.topics.topic import Topic

# Mean and standard deviation of ImageNet's red channel, as torchvision and timm carry them.
IMAGENET_RED = (0.485, 0.229)


def _smaller_rates() -> str:
    weight, gradient = 0.05, 0.2
    lines = "\n".join(
        f"rate {rate:<8f}   change {rate * gradient:<10f} = {rate * gradient / weight:.3%}"
        for rate in (0.1, 0.001, 0.00001)
    )
    return (
        f"One pretrained weight of {weight}, and a gradient of {gradient} while the new head "
        "still guesses. One step of gradient descent, beside the weight:\n"
        f"```\n{lines}\n```\n"
        "At the first rate the filter is another filter after a few steps, and what it had learned "
        "from a million images is gone."
    )


def _no_bias() -> str:
    values, bias = (1.0, 2.0, 6.0), 5.0
    moved = tuple(value + bias for value in values)
    return (
        f"Three outputs of a convolution, without and with a bias of {bias:g}, and what batch norm "
        "leaves when it subtracts the mean:\n"
        "```\n"
        f"without   {_numbers(values)}    mean {_mean(values):g}   {_numbers(_centred(values))}\n"
        f"with      {_numbers(moved)}   mean {_mean(moved):g}   {_numbers(_centred(moved))}\n"
        "```\n"
        "The bias is gone, whatever it was. Its gradient is 0 as well: it never learns."
    )


def _extraction_or_tuning() -> str:
    classes = 3
    head = linear_parameters(RESNET18_FEATURES, classes)
    total = resnet18_backbone() + head
    return (
        f"ResNet-18 with a new head for {classes} classes:\n"
        "```\n"
        f"feature extraction   {head:>10,} trainable of {total:,}  ({head / total:.3%})\n"
        f"fine-tuning all      {total:>10,} trainable\n"
        "```\n"
        "With everything else frozen, each image goes through the network once; its features are "
        "kept, and training the head takes seconds."
    )


def _normalisation() -> str:
    mean, std = IMAGENET_RED
    level, highest = 200, 255
    value = level / highest
    return (
        f"A red value of {level} out of {highest}, as the first layer gets it:\n"
        "```\n"
        f"ImageNet's mean and std     ({value:.3f} − {mean}) / {std} = {(value - mean) / std:.2f}\n"
        f"mean 0.5, std 0.5           ({value:.3f} − 0.5) / 0.5 = {(value - 0.5) / 0.5:.2f}\n"
        f"divided by {highest} only        {value:.2f}\n"
        f"forgotten altogether        {level}\n"
        "```\n"
        f"Whatever the image, these weights never saw a red below {-mean / std:.2f} or above "
        f"{(1 - mean) / std:.2f}; {level} is far outside. The second and the third value look "
        "harmless and are wrong as well: every channel is shifted and scaled, and the running "
        "statistics of all batch norms no longer fit."
    )


def _augmentation() -> str:
    size, padding = 32, 4
    offsets = 2 * padding + 1
    return (
        f"Pad a {size}×{size} image by {padding}, cut {size}×{size} out at random, flip half of "
        "the time:\n"
        "```\n"
        f"positions  {offsets} × {offsets} = {offsets**2}\n"
        f"flips      2\n"
        f"versions   {2 * offsets**2}\n"
        "```\n"
        "The same label for all of them. The network cannot learn the pixels by heart, so the "
        "training error rises a little and the validation error falls."
    )


def _xrays() -> str:
    from foveal.evaluation.intervals import wilson

    images, share, right, classes = 500, 5, 90, 3
    held_out = images // share
    interval = wilson(right, held_out)
    low, high = interval.low or 0.0, interval.high or 0.0
    return (
        f"{images} images in {classes} classes, one in {share} held out with every class in its "
        "proportion:\n"
        "```\n"
        f"training      {images - held_out}\n"
        f"validation    {held_out}\n"
        f"new head      {linear_parameters(RESNET18_FEATURES, classes):,} parameters on "
        f"{RESNET18_FEATURES} features\n"
        "```\n"
        f"{right} of {held_out} right sounds like {right / held_out:.0%}. With 95% confidence it "
        f"is somewhere from {low:.0%} to {high:.0%}: on so few images the interval belongs beside "
        "the number. Keep all images of one patient on one side."
    )


def _batch_norm() -> str:
    scale, shift, mean, variance, value = 2.0, 1.0, 2.0, 4.0, 5.0
    slope, intercept = folded_batch_norm(scale=scale, shift=shift, mean=mean, variance=variance)
    lines = []
    for other in (3.0, 7.0):
        batch_mean = (value + other) / 2
        deviation = abs(value - other) / 2
        lines.append(
            f"train   beside {other:g}:      {scale:g}·({value:g} − "
            f"{batch_mean:g})/{deviation:g} + "
            f"{shift:g} = {scale * (value - batch_mean) / deviation + shift:g}"
        )
    return (
        f"γ = {scale:g}, β = {shift:g}, running mean {mean:g}, running variance {variance:g} (ε "
        f"left out). The input {value:g}:\n"
        "```\n"
        f"eval    alone or not:  {slope:g}·{value:g} + ({intercept:g}) = "
        f"{slope * value + intercept:g}\n" + "\n".join(lines) + "\n```\n"
        "In training mode the answer depends on the companions; in evaluation it is one fixed "
        "linear map, which can be folded into the convolution before it."
    )


def _numbers(values: tuple[float, ...]) -> str:
    return "[" + " ".join(f"{value:g}" for value in values) + "]"


def _mean(values: tuple[float, ...]) -> float:
    return sum(values) / len(values)


def _centred(values: tuple[float, ...]) -> tuple[float, ...]:
    return tuple(value - _mean(values) for value in values)


TRAINING: tuple[Topic, ...] = (
    Topic(
        number=16,
        title="the weights' own normalisation",
        chapter="Training",
        fact=(
            "Pretrained weights expect the numbers that they were trained on: the same order of "
            "channels, the same range, **their own** mean and standard deviation. For most "
            "ImageNet weights these are (0.485, 0.456, 0.406) and (0.229, 0.224, 0.225); some, "
            "as EfficientNet-Lite, want 0.5 and 0.5.\n\n"
            "With others the accuracy falls, silently: nothing raises an error, and the running "
            "statistics of batch norm no longer describe what arrives."
        ),
        example=_normalisation,
        misconceptions=(
            "“Compute mean and std of my own images.” For a network from scratch, yes. For "
            "pretrained weights use theirs.",
            "“Normalisation only speeds up training.” For a pretrained network it is part of the "
            "function.",
            "“Any ImageNet model wants ImageNet's mean.” Ask the weights: they differ.",
        ),
        engine=("foveal.images.Preprocessing",),
        activities=("engine", "lab", "quiz"),
        lab="normalisation",
        rules=("B302", "B308", "T411"),
        paper="Wightman, PyTorch Image Models, doi:10.5281/zenodo.4414861",
    ),
    Topic(
        number=13,
        title="features or fine-tuning",
        chapter="Training",
        fact=(
            "**Feature extraction**: every pretrained layer frozen, only a new head is trained. "
            "**Fine-tuning**: some or all layers unfrozen, at small rates.\n\n"
            "Few images and a domain near the pretraining: extract. Few images, far domain: "
            "features of an earlier layer, or fine-tune the last blocks with care. Many images: "
            "fine-tune, all the more the farther the domain. When in doubt do both, in this "
            "order, and keep the second only if a fair test says so."
        ),
        example=_extraction_or_tuning,
        misconceptions=(
            "“`requires_grad = False` freezes everything.” Batch norm's running statistics still "
            "move in training mode; put it into `eval()`.",
            "“Fine-tuning is always better.” With few images it may fit their noise.",
            "“Frozen features are useless for X-rays.” Early ones, edges and textures, serve "
            "almost anywhere. Measure.",
        ),
        engine=("foveal.models.surgery.freeze_to", "foveal.models.surgery.replace_head"),
        activities=("engine", "lab", "quiz"),
        lab="fine-tuning",
        rules=("B307", "S119", "T401", "T403", "T408", "T416", "W205"),
        paper="Yosinski et al., How transferable are features?, arXiv:1411.1792",
    ),
    Topic(
        number=10,
        title="small rates, pretrained layers",
        chapter="Training",
        fact=(
            "A new head starts at random and needs a large rate. The pretrained layers are good "
            "already, and the first gradients come through a head that still guesses. At a large "
            "rate they destroy what was learned: catastrophic forgetting.\n\n"
            "So: train the head alone first; then unfreeze, with rates ten to a hundred times "
            "smaller below than in the head, and smallest in the earliest layers "
            "(discriminative learning rates)."
        ),
        example=_smaller_rates,
        misconceptions=(
            "“Small rates are for saving time.” They are for keeping features; they cost time.",
            "“Early layers need the most change.” Their edges and textures are the most general; "
            "they need the least.",
            "“A smaller rate is the same as freezing.” Frozen layers never adapt; slow ones do.",
        ),
        engine=("foveal.linting.lint",),
        activities=("engine", "lab", "quiz"),
        lab="learning-rates",
        rules=("T401", "T409", "T412", "T413", "T415", "W205"),
        paper="Howard and Ruder, Universal Language Model Fine-tuning, arXiv:1801.06146",
    ),
    Topic(
        number=11,
        title="no bias before batch norm",
        chapter="Training",
        fact=(
            "Batch norm subtracts the mean of each channel. A bias adds a constant to each "
            "channel. The subtraction removes it entirely, and batch norm's own β does the work "
            "of a bias afterwards.\n\n"
            "So write `Conv2d(..., bias=False)` before batch norm: one parameter less a channel, "
            "the same functions."
        ),
        example=_no_bias,
        misconceptions=(
            "“The bias does harm.” It does nothing at all, which is why it can go.",
            "“Then drop β too.” β comes after the subtraction; nothing cancels it.",
            "“In evaluation the bias counts.” The running mean has absorbed it; dropping one "
            "without correcting the other would change outputs. The linter's fix does both.",
        ),
        engine=("foveal.linting.lint", "foveal.linting.fix"),
        activities=("engine", "quiz"),
        lab="batch-norm",
        rules=("S101",),
        paper="Ioffe and Szegedy, Batch Normalization, arXiv:1502.03167, section 3.2",
    ),
    Topic(
        number=27,
        title="batch norm: train and eval",
        chapter="Training",
        fact=(
            "**Training**: each channel is normalised by the mean and variance of the current "
            "batch, and moving averages are kept on the side. **Evaluation**: those averages are "
            "used, and the layer is the fixed linear map `y = γ/√(σ²+ε) · x + (β − γμ/√(σ²+ε))`."
            "\n\n"
            "Forgetting `model.eval()` makes a prediction depend on the images that happen to be "
            "in its batch, and moves the statistics while you only look."
        ),
        example=_batch_norm,
        misconceptions=(
            "“`torch.no_grad()` switches batch norm.” It stops gradients only. `eval()` switches "
            "the mode.",
            "“Running statistics are parameters.” They are buffers: no gradient, no optimizer. "
            "They are saved with the model all the same.",
            "“It normalises each image.” Over batch and space, for each channel.",
        ),
        engine=("foveal.models.surgery.fold_batch_norm", "foveal.linting.lint"),
        activities=("engine", "lab", "quiz"),
        lab="batch-norm",
        rules=(
            "B301",
            "B306",
            "S112",
            "S113",
            "S117",
            "S123",
            "T402",
            "T407",
            "T417",
            "W203",
            "W204",
        ),
        paper="Ioffe and Szegedy, Batch Normalization, arXiv:1502.03167",
    ),
    Topic(
        number=22,
        title="augmentation",
        chapter="Training",
        fact=(
            "New versions of the training images: flips, random crops of the padded image, colour "
            "jitter, small rotations. **Cutout** blanks a square. **Mixup** blends two images, "
            "**CutMix** pastes a patch of one into another, and both mix the labels in the same "
            "share. **AutoAugment** searches for a policy of such operations.\n\n"
            "It regularises: the gap between training and validation shrinks. An image whose "
            "label is kept must still deserve it: a six turned upside down is no six, a mirrored "
            "chest has its heart on the wrong side."
        ),
        example=_augmentation,
        misconceptions=(
            "“Augment the validation images as well.” Validation measures what will be met, "
            "unchanged.",
            "“A higher training error means it failed.” That is expected; compare validation.",
            "“Mixup keeps the label of the first image.” It mixes labels in the same share.",
        ),
        engine=("foveal.images.views.turn",),
        activities=("engine", "lab", "quiz"),
        lab="augmentation",
        paper="Shorten and Khoshgoftaar, A survey on Image Data Augmentation, 2019",
    ),
    Topic(
        number=25,
        title="500 X-rays, three classes",
        chapter="Training",
        fact=(
            "A small pretrained ResNet; images at 224 with **its** normalisation; a stratified "
            "80/20 split, by patient. First the head alone, 10–20 epochs. Then the last one or "
            "two blocks at 1e-5 with the head at 1e-3. Rotations of a few degrees, brightness and "
            "contrast, flips where anatomy allows; dropout and weight decay.\n\n"
            "Watch the gap between training and validation, stop when validation stops "
            "improving, and give the result with its interval. `foveal audit` and `foveal train` "
            "take care of what goes wrong most often: groups apart, classes stratified, the "
            "weights' own normalisation, a head on frozen features, and an interval."
        ),
        example=_xrays,
        misconceptions=(
            "“A bigger network for a harder task.” 500 images do not feed a big one.",
            "“Split at random.” Two images of one patient on both sides make the score too high.",
            "“Accuracy 90%, done.” With 100 test images the interval is wide; and which class is "
            "missed?",
        ),
        engine=("foveal.train", "foveal.audit"),
        activities=("engine", "quiz"),
        lab="fine-tuning",
        rules=("T401", "T414"),
        paper="Raghu et al., Transfusion: Understanding Transfer Learning for Medical Imaging, "
        "arXiv:1902.07208",
    ),
)
