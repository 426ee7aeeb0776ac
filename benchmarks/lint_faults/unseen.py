"""Faults that were written down before the linter was run on any of them.

The kinds are again those of the studies (see ``known``) and of questions that people ask; the
networks are residual, segmenting, attending and coding ones, which the rules were not tried on
with faults before. ``FIRST_RUN`` keeps what the first run found; rules that were mended after it
find more.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

from benchmarks.lint_faults.case import Case, Fault
from benchmarks.lint_faults.parts import NUM_CLASSES, NUM_IMAGES, classes, images, net, normed
from benchmarks.lint_faults.unseen_parts import (
    NormInForward,
    OwnKernel,
    Pair,
    Remembering,
    Residual,
    Segmenter,
    Tokens,
    both,
    changed,
    coder,
    drawn,
    left_twice,
    masks,
    natural,
    prepared,
    right_without_gradient,
    several,
    stack_of,
    trained,
)

SGD, ADAMW = torch.optim.SGD, torch.optim.AdamW
# Named, of all; and twins that were warned of: networks that a few steps at a high rate had left
# with dead units, which B303 said truly. ``trained`` works otherwise since.
FIRST_RUN = (76, 84, 3)


def good() -> Case:
    return natural(Residual())


def good_masks() -> Case:
    return natural(Segmenter(), labels=masks())


def good_several() -> Case:
    return natural(Residual(), nn.BCEWithLogitsLoss(), several())


def amounts() -> Tensor:
    return torch.randn(NUM_IMAGES, 1)


def good_amounts() -> Case:
    return natural(Residual(num_outputs=1), nn.SmoothL1Loss(), amounts())


def cosine(scale: float) -> Case:
    model = Residual(features=lambda x: scale * F.normalize(x, dim=1))
    model.head = nn.utils.parametrizations.weight_norm(nn.Linear(16, NUM_CLASSES, bias=False))
    return natural(model)


def two_groups(*, twice: bool) -> Case:
    model = Residual()
    built = natural(model, make=SGD)
    if twice:
        group = dict(built.optimizer.param_groups[0])
        built.optimizer.param_groups.append({**group, "params": list(model.head.parameters())})
    return built


def some_rates(rate: float) -> Case:
    model = Residual()
    head = {id(p) for p in model.head.parameters()}
    body = [p for p in model.parameters() if id(p) not in head]
    groups = [{"params": body, "lr": rate}, {"params": list(model.head.parameters())}]
    return natural(model, make=SGD, parameters=groups)


def tuned(rate_of_body: float) -> Case:
    model = trained(Residual(width=48))
    model.head = nn.Linear(48, NUM_CLASSES)
    head = {id(p) for p in model.head.parameters()}
    body = [p for p in model.parameters() if id(p) not in head]
    groups = [{"params": body, "lr": rate_of_body}, {"params": list(model.head.parameters())}]
    return natural(model, make=SGD, parameters=groups, more={"is_pretrained": True})


def frozen_norms(*, moving: bool) -> Case:
    model = trained(Residual(width=48))
    for part in (model.stem, model.stage1):
        part.requires_grad_(False)
        if not moving:
            part.eval()
    left = [p for p in model.parameters() if p.requires_grad]
    return natural(model, parameters=left, lr=1e-4)


def frozen_head(*, frozen: bool) -> Case:
    model = Residual(width=48)
    model.head.requires_grad_(not frozen)
    return natural(model)


def other_copy(*, other: bool) -> Case:
    model, second = Residual(), Residual()
    return natural(model, parameters=(second if other else model).parameters())


def pixelwise(outputs: Tensor, labels: Tensor) -> Tensor:
    return F.cross_entropy(outputs.permute(0, 2, 3, 1), labels)


def python_number(outputs: Tensor, labels: Tensor) -> float:
    return F.cross_entropy(outputs, labels).item()


def entropy(outputs: Tensor, labels: Tensor) -> Tensor:
    return F.cross_entropy(outputs, labels)


def grown_copies() -> Tensor:
    x = prepared(images())
    x[8:] = x[:8]
    return x


def mostly(one: int) -> Tensor:
    labels = torch.full((NUM_IMAGES,), one)
    labels[0] = one + 1
    return labels


def with_infinity() -> Tensor:
    x = images()
    x[2, :, 4, 4] = 0.0
    return x.log()


def one_channel_lost() -> Tensor:
    x = prepared(images())
    x[:, 2] = 0.0
    return x


def zero_weights(model: nn.Module, share: float) -> nn.Module:
    return changed(model, lambda m: m.down.weight[: int(16 * share)].zero_())


def variance(model: nn.Module, share: float) -> nn.Module:
    return changed(model, lambda m: m.stage2.norm1.running_var[: int(16 * share)].zero_())


def silent_biases(value: float) -> nn.Module:
    def change(model: nn.Module) -> None:
        for layer in model:
            if isinstance(layer, nn.Conv2d):
                layer.bias.fill_(value)

    return changed(stack_of(4), change)


UNSEEN: tuple[Fault, ...] = (
    # Layers.
    Fault("layers", "features cast to whole numbers", ("B307", "B304"),
          lambda: natural(Residual(between=lambda x: x.long().float())), good),
    Fault("layers", "a mask of where() halfway", ("B307", "B304"),
          lambda: natural(Residual(
              between=lambda x: torch.where(x > 0.5, torch.ones_like(x), torch.zeros_like(x)))),
          good),
    Fault("layers", "one of two branches without gradient", ("B307",),
          lambda: natural(Pair(right_without_gradient)), lambda: natural(Pair(both))),
    Fault("layers", "one layer called twice, its neighbour never", ("B307", "S118"),
          lambda: natural(Pair(left_twice)), lambda: natural(Pair(both))),
    Fault("layers", "a skip connection that is computed and not joined", ("S118",),
          lambda: natural(Segmenter(join=lambda x, skip: x, joined=8), labels=masks()),
          good_masks),
    Fault("layers", "a kernel that is a plain tensor", ("S119",),
          lambda: natural(OwnKernel(lambda k: k)), lambda: natural(OwnKernel(nn.Parameter))),
    Fault("layers", "batch norm made in forward", ("S119",),
          lambda: natural(NormInForward(anew=True)), lambda: natural(NormInForward(anew=False))),
    Fault("layers", "a residual network without activations", ("S121", "S110"),
          lambda: natural(Residual(act=lambda x: x)), good),
    Fault("layers", "twelve convolutions with sigmoids", ("B304", "T415"),
          lambda: natural(stack_of(12, act=nn.Sigmoid)), lambda: natural(stack_of(12, norm=True))),
    Fault("layers", "attention over the batch for batch_first forgotten", ("B301",),
          lambda: natural(Tokens(batch_first=False)), lambda: natural(Tokens())),
    Fault("layers", "the mean over the batch instead of the tokens", ("T410", "B301", "B308"),
          lambda: natural(Tokens(axis=0)), lambda: natural(Tokens())),
    Fault("layers", "features normalised over the batch", ("B301",),
          lambda: natural(Residual(features=lambda x: F.normalize(x, dim=0))),
          lambda: natural(Residual(features=lambda x: F.normalize(x, dim=1)))),
    Fault("layers", "features divided by the largest of the batch", ("B301",),
          lambda: natural(Residual(features=lambda x: x / x.max())), good),
    Fault("layers", "view() that makes two rows of an image", ("T410", "B308"),
          lambda: natural(Residual(width=16, width_of_head=8, features=lambda x: x.view(-1, 8))),
          good),
    Fault("layers", "a pool of 16 right behind the first layer", ("S126", "S105", "S104"),
          lambda: natural(nn.Sequential(nn.Conv2d(3, 16, 3, padding=1), nn.ReLU(),
                                        nn.MaxPool2d(16), nn.Conv2d(16, 16, 3, padding=1),
                                        nn.ReLU(), nn.Flatten(), nn.Linear(64, NUM_CLASSES))),
          lambda: natural(net())),
    Fault("layers", "strides larger than the kernels", ("S105",),
          lambda: natural(stack_of(3, kernel=1, stride=2, num_strided=2)),
          lambda: natural(stack_of(3, kernel=3, stride=2, num_strided=2))),
    Fault("layers", "a transposed convolution of kernel 3 and stride 2", ("S107",),
          lambda: natural(coder(nn.ConvTranspose2d(16, 16, 3, 2, 1, 1)), nn.MSELoss(), images(),
                          batch=images()),
          lambda: natural(coder(nn.ConvTranspose2d(16, 16, 4, 2, 1)), nn.MSELoss(), images(),
                          batch=images())),
    Fault("layers", "dilations 2, 2, 2", ("S106",),
          lambda: natural(stack_of(4, dilations=(2, 2, 2, 2))),
          lambda: natural(stack_of(4, dilations=(1, 2, 3, 1)))),
    Fault("layers", "dropout before a batch norm", ("S112",),
          lambda: natural(stack_of(3, extra=[nn.Dropout(0.5), nn.BatchNorm2d(16)])),
          lambda: natural(stack_of(3, extra=[nn.BatchNorm2d(16), nn.Dropout(0.5)]))),
    Fault("layers", "forty convolutions without a shortcut", ("S109", "B304"),
          lambda: natural(stack_of(40, norm=True, width=8)),
          lambda: natural(stack_of(8, norm=True, width=8))),
    Fault("layers", "five halvings of an image of 32 pixels", ("S104", "S108"),
          lambda: natural(stack_of(6, norm=True, stride=2, num_strided=5)),
          lambda: natural(stack_of(6, norm=True, stride=2, num_strided=2))),
    Fault("layers", "a mean over channels and rows", ("S126",),
          lambda: natural(Residual(pool=lambda x: x.mean((1, 2)), width_of_head=16)), good),
    Fault("layers", "the share that is kept given as that dropped", ("S122",),
          lambda: natural(Residual(features=nn.Dropout(0.9))),
          lambda: natural(Residual(features=nn.Dropout(0.1)))),
    Fault("layers", "F.dropout without training=", ("B306",),
          lambda: natural(Residual(features=lambda x: F.dropout(x, 0.3))),
          lambda: natural(Residual(features=nn.Dropout(0.3)))),
    Fault("layers", "noise that evaluation does not switch off", ("B306",),
          lambda: natural(Residual(between=lambda x: x + 0.5 * torch.randn_like(x))), good),
    Fault("layers", "features of the batch before added", ("B306", "T415"),
          lambda: natural(Remembering(remembers=True)),
          lambda: natural(Remembering(remembers=False))),
    Fault("layers", "a result overwritten that the backward pass needs", ("T415",),
          lambda: natural(Residual(inside=lambda x: x.sigmoid().mul_(2))), good),
    Fault("layers", "batch norm trained on two images", ("T407",),
          lambda: natural(Residual(), more={"settings": {"batch_size": 2}}),
          lambda: natural(Residual(), more={"settings": {"batch_size": 32}})),
    # Heads and losses.
    Fault("head", "softmax before a cross-entropy over pixels", ("S111",),
          lambda: natural(Segmenter(tail=nn.Softmax(1)), labels=masks()), good_masks),
    Fault("head", "masks of shape [N, 1, H, W]", ("T410",),
          lambda: natural(Segmenter(), labels=masks()[:, None]), good_masks),
    Fault("head", "classes moved to the last axis for the loss", ("T410",),
          lambda: natural(Segmenter(), pixelwise, masks()), good_masks),
    Fault("head", "log-softmax over the width of a map", ("T410",),
          lambda: natural(Segmenter(tail=nn.LogSoftmax(3)), nn.NLLLoss(), masks()),
          lambda: natural(Segmenter(tail=nn.LogSoftmax(1)), nn.NLLLoss(), masks())),
    Fault("head", "cross-entropy for several right classes", ("T410",),
          lambda: natural(Residual(), labels=several()), good_several),
    Fault("head", "softmax and BCELoss for several right classes", ("T410", "S111"),
          lambda: natural(Residual(tail=nn.Softmax(1)), nn.BCELoss(), several()),
          lambda: natural(Residual(tail=nn.Sigmoid()), nn.BCELoss(), several())),
    Fault("head", "two outputs and BCEWithLogitsLoss on class indices", ("T410",),
          lambda: natural(Residual(num_outputs=2), nn.BCEWithLogitsLoss(), classes(2)),
          lambda: natural(Residual(num_outputs=2), labels=classes(2))),
    Fault("head", "a ReLU for standardised amounts", ("T410",),
          lambda: natural(Residual(num_outputs=1, tail=nn.ReLU()), nn.SmoothL1Loss(), amounts()),
          good_amounts),
    Fault("head", "outputs [N, 1] against amounts [N]", ("T410",),
          lambda: natural(Residual(num_outputs=1), nn.SmoothL1Loss(), amounts()[:, 0]),
          good_amounts),
    Fault("head", "amounts of many thousands, not scaled", ("T415", "T411"),
          lambda: natural(Residual(num_outputs=1), nn.MSELoss(), 5e4 * amounts(), make=SGD),
          lambda: natural(Residual(num_outputs=1), nn.MSELoss(), amounts(), make=SGD, lr=0.01)),
    Fault("head", "KLDivLoss on probabilities", ("T410", "S111"),
          lambda: natural(Residual(tail=nn.Softmax(1)), nn.KLDivLoss(reduction="batchmean"),
                          F.softmax(torch.randn(NUM_IMAGES, NUM_CLASSES), 1)),
          lambda: natural(Residual(tail=nn.LogSoftmax(1)), nn.KLDivLoss(reduction="batchmean"),
                          F.softmax(torch.randn(NUM_IMAGES, NUM_CLASSES), 1))),
    Fault("head", "a soft margin with labels 0 and 1", ("T410",),
          lambda: natural(Residual(num_outputs=1), nn.SoftMarginLoss(),
                          classes(2).float()[:, None]),
          lambda: natural(Residual(num_outputs=1), nn.SoftMarginLoss(),
                          2 * classes(2).float()[:, None] - 1)),
    Fault("head", "cosines as logits, not scaled", ("S120", "T410"),
          lambda: cosine(0.05), lambda: cosine(16.0)),
    Fault("head", "a loss that is a Python number", ("T410", "T415"),
          lambda: natural(Residual(), python_number), lambda: natural(Residual(), entropy)),
    Fault("head", "label smoothing of 0.95", ("T410",),
          lambda: natural(Residual(), nn.CrossEntropyLoss(label_smoothing=0.95)),
          lambda: natural(Residual(), nn.CrossEntropyLoss(label_smoothing=0.05))),
    Fault("head", "class weights of zero for most classes", ("T410",),
          lambda: natural(Residual(),
                          nn.CrossEntropyLoss(weight=torch.tensor([1.0] * 3 + [0.0] * 7))),
          lambda: natural(Residual(), nn.CrossEntropyLoss(weight=torch.linspace(0.5, 2, 10)))),
    Fault("head", "logits multiplied by 1000", ("T411", "T415"),
          lambda: natural(Residual(tail=lambda x: 1000 * x)), good),
    Fault("head", "logits clamped to [0, 1]", ("S120", "T410"),
          lambda: natural(Residual(tail=lambda x: x.clamp(0, 1))), good),
    # Data.
    Fault("data", "bytes normalised as if they were in [0, 1]", ("B308", "B302"),
          lambda: natural(stack_of(4), batch=prepared(255 * images())),
          lambda: natural(stack_of(4))),
    Fault("data", "masks that begin at 1", ("T410",),
          lambda: natural(Segmenter(), labels=masks(low=1)), good_masks),
    Fault("data", "pixels to ignore marked by 255, and ignore_index forgotten", ("T410",),
          lambda: natural(Segmenter(), labels=torch.where(masks() == 2, 255, masks(2))),
          lambda: natural(Segmenter(), nn.CrossEntropyLoss(ignore_index=255),
                          torch.where(masks() == 2, 255, masks(2)))),
    Fault("data", "a mask of 0 and 255 for BCEWithLogitsLoss", ("T410",),
          lambda: natural(Segmenter(1), nn.BCEWithLogitsLoss(),
                          255.0 * masks(2)[:, None].float()),
          lambda: natural(Segmenter(1), nn.BCEWithLogitsLoss(), masks(2)[:, None].float())),
    Fault("data", "one colour channel that is empty", ("B308",),
          lambda: natural(Residual(), batch=one_channel_lost()), good),
    Fault("data", "rows taken for channels", ("B308",),
          lambda: natural(Residual(stem=nn.Conv2d(32, 16, 3, padding=1)),
                          batch=prepared(images()).permute(0, 2, 3, 1).contiguous()), good),
    Fault("data", "images in half precision for a model in single", ("B308",),
          lambda: natural(Residual(), batch=prepared(images()).half()), good),
    Fault("data", "nearly all labels the same", ("T414",),
          lambda: natural(Residual(), labels=mostly(4)), good),
    Fault("data", "equal images with different labels", ("T414",),
          lambda: natural(Residual(), batch=grown_copies()),
          lambda: natural(Residual(), batch=grown_copies(), labels=classes(8))),
    Fault("data", "every image of one flat colour", ("B308",),
          lambda: natural(Residual(), batch=prepared(images().mean((2, 3), keepdim=True)
                                                     .expand(-1, -1, 32, 32).contiguous())), good),
    Fault("data", "infinity from the logarithm of a black pixel", ("B305",),
          lambda: natural(Residual(), batch=with_infinity()), good),
    Fault("data", "one-hot labels as whole numbers", ("T410",),
          lambda: natural(Residual(), labels=F.one_hot(classes(), NUM_CLASSES)), good),
    Fault("data", "images near 1e-4", ("B308",),
          lambda: natural(stack_of(4), batch=1e-4 * images()), lambda: natural(stack_of(4))),
    # The optimizer.
    Fault("optimizer", "Adam at 1", ("T412", "T415"),
          lambda: natural(Residual(), lr=1.0), good),
    Fault("optimizer", "SGD at 20", ("T412", "T415"),
          lambda: natural(Residual(), make=SGD, lr=20.0), lambda: natural(Residual(), make=SGD)),
    Fault("optimizer", "a rate of 0.5 with a momentum of 0.99", ("T412",),
          lambda: natural(Residual(), make=SGD, lr=0.5, momentum=0.99),
          lambda: natural(Residual(), make=SGD, lr=0.1, momentum=0.9)),
    Fault("optimizer", "SGD at 1e-7", ("T412", "T415"),
          lambda: natural(Residual(), make=SGD, lr=1e-7), lambda: natural(Residual(), make=SGD)),
    Fault("optimizer", "an eps of zero", ("T413",),
          lambda: natural(Residual(), eps=0.0), good),
    Fault("optimizer", "AdamW with a decay of 5", ("T413",),
          lambda: natural(Residual(), make=ADAMW, weight_decay=5.0),
          lambda: natural(Residual(), make=ADAMW, weight_decay=0.05)),
    Fault("optimizer", "dampening of 1 with momentum", ("T413", "T415"),
          lambda: natural(Residual(), make=SGD, dampening=1.0),
          lambda: natural(Residual(), make=SGD)),
    Fault("optimizer", "parameters of another copy of the model", ("T405", "T403"),
          lambda: other_copy(other=True), lambda: other_copy(other=False)),
    Fault("optimizer", "only the head, and the body not frozen", ("T403",),
          lambda: (lambda m: natural(m, parameters=m.head.parameters()))(Residual()), good),
    Fault("optimizer", "the head in two groups", ("T404",),
          lambda: two_groups(twice=True), lambda: two_groups(twice=False)),
    Fault("optimizer", "a body with a rate of zero", ("T409",),
          lambda: some_rates(0.0), lambda: some_rates(0.01)),
    # Training set-up.
    Fault("set-up", "a new head and a trained body at one high rate", ("T401",),
          lambda: tuned(0.05), lambda: tuned(0.0005)),
    Fault("set-up", "batch norms that move in a frozen part", ("T402",),
          lambda: frozen_norms(moving=True), lambda: frozen_norms(moving=False)),
    Fault("set-up", "a new head that is frozen", ("T416", "T403"),
          lambda: frozen_head(frozen=True), lambda: frozen_head(frozen=False)),
    Fault("set-up", "training in evaluation mode", ("T417",),
          lambda: natural(Residual(features=nn.Dropout(0.3)).eval()),
          lambda: natural(Residual(features=nn.Dropout(0.3)))),
    Fault("set-up", "weights said to be trained that are new", ("W205",),
          lambda: natural(Residual(width=48), lr=1e-4, more={"is_pretrained": True}),
          lambda: natural(trained(Residual(width=48)), lr=1e-4, more={"is_pretrained": True})),
    # Weights.
    Fault("weights", "convolutions filled with one number", ("W206",),
          lambda: natural(drawn(Residual(), lambda w: w.fill_(0.05), kinds=nn.Conv2d)), good),
    Fault("weights", "weights drawn from 0 to 1", ("T411", "T415", "B304"),
          lambda: natural(drawn(net(), nn.init.uniform_)), lambda: natural(net())),
    Fault("weights", "a last layer drawn with a deviation of 10", ("T411", "T415"),
          lambda: natural(changed(Residual(), lambda m: m.head.weight.normal_(0, 10))), good),
    Fault("weights", "a gain of 10 in ten layers", ("B304", "T411", "T415"),
          lambda: natural(drawn(stack_of(10), lambda w: nn.init.xavier_uniform_(w, 10.0))),
          lambda: natural(drawn(stack_of(10), lambda w: nn.init.kaiming_normal_(w)))),
    Fault("weights", "biases of -10 before every ReLU", ("B303", "B307"),
          lambda: natural(silent_biases(-10.0)), lambda: natural(silent_biases(0.01))),
    Fault("weights", "one weight that is not a number", ("W201",),
          lambda: natural(changed(Residual(), lambda m: m.down.weight[0, 0, 0, 0].fill_(
              float("nan")))), good),
    Fault("weights", "batch norms with a scale of zero everywhere", ("B307", "T415", "B304"),
          lambda: natural(drawn(normed(), nn.init.zeros_, kinds=nn.BatchNorm2d)),
          lambda: natural(normed())),
    Fault("weights", "half of a layer's filters zero", ("W202",),
          lambda: natural(zero_weights(Residual(), 0.5)), good),
    Fault("weights", "half of a batch norm's variances zero", ("W204",),
          lambda: natural(variance(trained(Residual()), 0.5), lr=1e-4),
          lambda: natural(trained(Residual()), lr=1e-4)),
)  # fmt: skip
