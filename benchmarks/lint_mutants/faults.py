"""Faults that studies of broken networks describe, made small, each with a sound twin.

The kinds are those of DeepFD (Cao et al. 2022), AUTOTRAINER (Zhang et al. 2021), UMLAUT (Schoop
et al. 2021), NeuraLint (Nikanjam et al. 2021), DeepLocalize (Wardat et al. 2021) and the taxonomy
of Humbatova et al. 2020; the networks are our own. A fault counts as found when an error or a
warning is among the codes that name it; the sound twin has to be silent altogether.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

from foveal.linting import LintReport, lint

NUM_IMAGES, NUM_CLASSES = 16, 10


@dataclass(slots=True)
class Case:
    """What is handed to the linter: a natural call, with everything that training needs."""

    model: nn.Module
    batch: Tensor
    labels: Tensor
    loss: Any
    optimizer: torch.optim.Optimizer

    def report(self) -> LintReport:
        """Lints it with every rule."""
        return lint(
            self.model,
            batch=self.batch,
            labels=self.labels,
            loss=self.loss,
            optimizer=self.optimizer,
        )


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault.

    Attributes:
        area: Where it is: layers, head, data, optimizer or weights.
        title: What is wrong.
        codes: Rules that name it; an error or warning of one of them finds it.
        broken: Builds it.
        sound: Builds its twin without the fault.
    """

    area: str
    title: str
    codes: tuple[str, ...]
    broken: Callable[[], Case]
    sound: Callable[[], Case]


# --------------------------------------------------------------------------- parts


def net(
    num_outputs: int = NUM_CLASSES,
    *,
    tail: Sequence[nn.Module] = (),
    activation: Callable[[], nn.Module] = nn.ReLU,
    hidden: int = 32,
    middle: Sequence[nn.Module] = (),
    channels: int = 3,
) -> nn.Sequential:
    """A small network without batch norm, for images of 32 × 32."""
    return nn.Sequential(
        nn.Conv2d(channels, 16, 3),
        activation(),
        nn.MaxPool2d(2),
        nn.Conv2d(16, 16, 3),
        activation(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(576, hidden),
        activation(),
        *middle,
        nn.Linear(hidden, num_outputs),
        *tail,
    )


def normed(momentum: float = 0.1) -> nn.Sequential:
    """The same with batch norm."""
    return nn.Sequential(
        nn.Conv2d(3, 16, 3, bias=False),
        nn.BatchNorm2d(16, momentum=momentum),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(16, 16, 3, bias=False),
        nn.BatchNorm2d(16, momentum=momentum),
        nn.ReLU(),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(16, NUM_CLASSES),
    )


def images(channels: int = 3) -> Tensor:
    """Pictures in [0, 1]."""
    return torch.rand(NUM_IMAGES, channels, 32, 32)


def classes(num: int = NUM_CLASSES) -> Tensor:
    """Class indices, all about as frequent."""
    return torch.arange(NUM_IMAGES) % num


def yes_no() -> Tensor:
    """Zeros and ones of shape [N, 1]."""
    return classes(2).float()[:, None]


def case(
    model: nn.Module,
    *,
    batch: Tensor | None = None,
    labels: Tensor | None = None,
    loss: Any = None,
    optimizer: Callable[..., torch.optim.Optimizer] = torch.optim.SGD,
    **settings: Any,
) -> Case:
    """Fills in what is not said: SGD at 0.01, cross-entropy, ten classes."""
    if optimizer is torch.optim.SGD:
        settings.setdefault("lr", 0.01)
    return Case(
        model,
        images() if batch is None else batch,
        classes() if labels is None else labels,
        nn.CrossEntropyLoss() if loss is None else loss,
        optimizer(model.parameters(), **settings),
    )


class Stack(nn.Module):
    """Six convolutions; ``between`` works on the map after the third."""

    def __init__(self, between: Callable[[Tensor], Tensor] = lambda x: x) -> None:
        super().__init__()
        self.layers = nn.ModuleList(
            nn.Conv2d(3 if index == 0 else 8, 8, 3, padding=1) for index in range(6)
        )
        self.head = nn.Linear(8, NUM_CLASSES)
        self.between = between

    def forward(self, x: Tensor) -> Tensor:
        for index, layer in enumerate(self.layers):
            x = F.relu(layer(x))
            if index == 2:
                x = self.between(x)
        result: Tensor = self.head(x.mean((2, 3)))
        return result


class Forward(nn.Module):
    """Two convolutions and a head; ``forward`` is what a case writes."""

    def __init__(self, forward: Callable[[Forward, Tensor], Tensor]) -> None:
        super().__init__()
        self.first = nn.Conv2d(3, 8, 3, padding=1)
        self.second = nn.Conv2d(8, 8, 3, padding=1)
        self.head = nn.Linear(8, NUM_CLASSES)
        self.write = forward

    def forward(self, x: Tensor) -> Tensor:
        return self.write(self, x)


def used(self: Forward, x: Tensor) -> Tensor:
    x = F.relu(self.second(F.relu(self.first(x))))
    result: Tensor = self.head(x.mean((2, 3)))
    return result


def unread(self: Forward, x: Tensor) -> Tensor:
    x = F.relu(self.first(x))
    self.second(x)
    result: Tensor = self.head(x.mean((2, 3)))
    return result


def uncalled(self: Forward, x: Tensor) -> Tensor:
    result: Tensor = self.head(F.relu(self.first(x)).mean((2, 3)))
    return result


def made_in_forward(self: Forward, x: Tensor) -> Tensor:
    x = F.relu(self.second(F.relu(self.first(x))))
    result: Tensor = nn.Linear(8, NUM_CLASSES)(x.mean((2, 3)))
    return result


def under_no_grad(self: Forward, x: Tensor) -> Tensor:
    with torch.no_grad():
        x = F.relu(self.second(F.relu(self.first(x))))
    result: Tensor = self.head(x.mean((2, 3)))
    return result


def remade_tensor(self: Forward, x: Tensor) -> Tensor:
    x = F.relu(self.first(x)).data
    x = F.relu(self.second(x))
    result: Tensor = self.head(x.mean((2, 3)))
    return result


def mean_over_batch(self: Forward, x: Tensor) -> Tensor:
    x = F.relu(self.second(F.relu(self.first(x))))
    x = x - x.mean(0, keepdim=True)
    result: Tensor = self.head(x.mean((2, 3)))
    return result


def reshaped_over_batch(self: Forward, x: Tensor) -> Tensor:
    x = F.relu(self.second(F.relu(self.first(x)))).permute(1, 0, 2, 3)
    result: Tensor = self.head(x.reshape(-1, 8, 32 * 32).mean(2))
    return result


def flattened_batch(self: Forward, x: Tensor) -> Tensor:
    x = F.relu(self.second(F.relu(self.first(x))))
    result: Tensor = self.head(x.mean((2, 3))).flatten(0)
    return result


def overwritten(x: Tensor) -> Tensor:
    y = torch.sigmoid(x)
    return y.mul_(2) + torch.zeros_like(x)


class Holding(nn.Module):
    """Keeps its layers in what ``keep`` makes of them."""

    def __init__(self, keep: Callable[[list[nn.Module]], Any]) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 8, 3, padding=1)
        self.blocks = keep([nn.Conv2d(8, 8, 3, padding=1) for _ in range(3)])
        self.head = nn.Linear(8, NUM_CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(self.stem(x))
        blocks = self.blocks.values() if isinstance(self.blocks, dict) else self.blocks
        for block in blocks:
            x = F.relu(block(x))
        result: Tensor = self.head(x.mean((2, 3)))
        return result


class Scale(nn.Module):
    """A learned factor, as a plain tensor or as a parameter."""

    def __init__(self, *, is_parameter: bool) -> None:
        super().__init__()
        self.body = Stack()
        factor = torch.ones(NUM_CLASSES)
        self.factor = nn.Parameter(factor) if is_parameter else factor.requires_grad_()

    def forward(self, x: Tensor) -> Tensor:
        result: Tensor = self.body(x) * self.factor
        return result


def initialised(draw: Callable[[Tensor], Any], model: nn.Module | None = None) -> nn.Module:
    """Draws every parameter of the network anew."""
    model = net() if model is None else model
    with torch.no_grad():
        for parameter in model.parameters():
            draw(parameter)
    return model


def kaiming(model: nn.Module) -> nn.Module:
    for module in model.modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            nn.init.kaiming_uniform_(module.weight, nonlinearity="relu")
    return model


def biased(value: float) -> nn.Module:
    model = net()
    nn.init.constant_(model[0].bias, value)
    return model


def deep(activation: Callable[[], nn.Module], depth: int = 12) -> nn.Module:
    layers: list[nn.Module] = [nn.Flatten(), nn.Linear(3072, 32), activation()]
    for _ in range(depth):
        layers += [nn.Linear(32, 32), activation()]
    return nn.Sequential(*layers, nn.Linear(32, NUM_CLASSES))


def deep_normed(depth: int = 12) -> nn.Module:
    layers: list[nn.Module] = [nn.Flatten(), nn.Linear(3072, 32, bias=False)]
    for _ in range(depth):
        layers += [nn.BatchNorm1d(32), nn.ReLU(), nn.Linear(32, 32, bias=False)]
    return nn.Sequential(*layers, nn.BatchNorm1d(32), nn.ReLU(), nn.Linear(32, NUM_CLASSES))


def frozen(*, trained: bool) -> Case:
    model = nn.Sequential(
        nn.Conv2d(3, 32, 3), nn.ReLU(), nn.Conv2d(32, 32, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1),
        nn.Flatten(), nn.Linear(32, NUM_CLASSES),
    )  # fmt: skip
    if trained:
        with torch.no_grad():
            model[0].weight *= torch.exp(torch.randn(32, 1, 1, 1))
            model[2].weight *= torch.exp(torch.randn(32, 1, 1, 1))
    model[0].requires_grad_(False)
    model[2].requires_grad_(False)
    built = case(model)
    built.optimizer = torch.optim.SGD(model[6].parameters(), lr=0.01)
    return built


def optimizer_of_the_head(*, head_replaced: bool) -> Case:
    model = net()
    if not head_replaced:
        return case(model)
    built = case(model)
    model[-1] = nn.Linear(32, NUM_CLASSES)
    return built


def all_frozen() -> Case:
    model = net()
    model.requires_grad_(False)
    return case(model)


def sharp_dropout() -> nn.Module:
    return net(middle=[nn.Dropout(0.95)])


def stuck() -> nn.Module:
    model = net()
    for index in (0, 3):
        nn.init.constant_(model[index].bias, -20.0)
    return model


def channels_last(x: Tensor) -> Tensor:
    return x.permute(0, 2, 3, 1).contiguous()


def same_image() -> Tensor:
    return images()[:1].expand(NUM_IMAGES, 3, 32, 32).clone()


def with_nan() -> Tensor:
    x = images()
    x[3, 0, 5, 5] = float("nan")
    return x


def negative_loss(outputs: Tensor, labels: Tensor) -> Tensor:
    return -F.cross_entropy(outputs, labels)


def hard_loss(outputs: Tensor, labels: Tensor) -> Tensor:
    return (outputs.argmax(1) != labels).float().mean()


def cross_entropy_by_hand(outputs: Tensor, labels: Tensor) -> Tensor:
    return F.nll_loss(F.log_softmax(outputs, 1), labels)


def softmax_twice(outputs: Tensor, labels: Tensor) -> Tensor:
    return F.cross_entropy(F.softmax(outputs, 1), labels)


def log_of_softmax(outputs: Tensor, labels: Tensor) -> Tensor:
    return F.nll_loss(torch.log(F.softmax(1000 * outputs, 1)), labels)


def sound() -> Case:
    return case(net())


def sound_yes_no() -> Case:
    return case(net(1), labels=yes_no(), loss=nn.BCEWithLogitsLoss())


def sound_amount() -> Case:
    return case(net(1), labels=torch.rand(NUM_IMAGES, 1), loss=nn.MSELoss())


# --------------------------------------------------------------------------- the table

ADAM, ADAMW, RMSPROP = torch.optim.Adam, torch.optim.AdamW, torch.optim.RMSprop
FAULTS: tuple[Fault, ...] = (
    # Layers that training cannot see.
    Fault("layers", "detach() halfway", ("B307",),
          lambda: case(Stack(lambda x: x.detach())), lambda: case(Stack())),
    Fault("layers", "the body under torch.no_grad()", ("B307",),
          lambda: case(Forward(under_no_grad)), lambda: case(Forward(used))),
    Fault("layers", ".data halfway", ("B307",),
          lambda: case(Forward(remade_tensor)), lambda: case(Forward(used))),
    Fault("layers", "a round trip through NumPy", ("B307",),
          lambda: case(Stack(lambda x: torch.from_numpy(x.detach().numpy()))),
          lambda: case(Stack(lambda x: x.clone()))),
    Fault("layers", "round() halfway", ("B307", "B304"),
          lambda: case(Stack(lambda x: torch.round(10 * x))),
          lambda: case(Stack(lambda x: 10 * x))),
    Fault("layers", "sign() halfway", ("B307", "B304"),
          lambda: case(Stack(torch.sign)), lambda: case(Stack(torch.tanh))),
    Fault("layers", "a comparison halfway", ("B307", "B304"),
          lambda: case(Stack(lambda x: (x > 0.1).float())),
          lambda: case(Stack(lambda x: torch.sigmoid(x - 0.1)))),
    Fault("layers", "layers in a Python list", ("S119",),
          lambda: case(Holding(list)), lambda: case(Holding(nn.ModuleList))),
    Fault("layers", "layers in a dictionary", ("S119",),
          lambda: case(Holding(lambda layers: dict(enumerate(layers)))),
          lambda: case(Holding(lambda layers: nn.Sequential(*layers)))),
    Fault("layers", "a learned factor that is no nn.Parameter", ("S119",),
          lambda: case(Scale(is_parameter=False)), lambda: case(Scale(is_parameter=True))),
    Fault("layers", "a layer made in forward", ("S119",),
          lambda: case(Forward(made_in_forward)), lambda: case(Forward(used))),
    Fault("layers", "a layer whose result nobody reads", ("S118",),
          lambda: case(Forward(unread)), lambda: case(Forward(used))),
    Fault("layers", "a layer that is never called", ("B307",),
          lambda: case(Forward(uncalled)), lambda: case(Forward(used))),
    Fault("layers", "an optimizer built before the head was replaced", ("T405",),
          lambda: optimizer_of_the_head(head_replaced=True),
          lambda: optimizer_of_the_head(head_replaced=False)),
    Fault("layers", "everything frozen", ("T408", "T415"), all_frozen, sound),
    Fault("layers", "a body frozen before it was trained", ("T416",),
          lambda: frozen(trained=False), lambda: frozen(trained=True)),
    # Mixing the images of a batch.
    Fault("layers", "softmax over the batch", ("B301",),
          lambda: case(net(tail=[nn.Softmax(0)])), sound),
    Fault("layers", "the mean over the batch subtracted", ("B301",),
          lambda: case(Forward(mean_over_batch)), lambda: case(Forward(used))),
    Fault("layers", "a reshape that mixes the images", ("B301",),
          lambda: case(Forward(reshaped_over_batch)), lambda: case(Forward(used))),
    # Layers that cannot work.
    Fault("layers", "no activation anywhere", ("S121", "S110"),
          lambda: case(net(activation=nn.Identity)), sound),
    Fault("layers", "two linear layers with nothing between", ("S110",),
          lambda: case(net(middle=[nn.Linear(32, 32)])),
          lambda: case(net(middle=[nn.Linear(32, 32), nn.ReLU()]))),
    Fault("layers", "deep sigmoids", ("B304",),
          lambda: case(deep(nn.Sigmoid)), lambda: case(deep_normed())),
    Fault("layers", "dropout of 95%", ("S122",),
          lambda: case(sharp_dropout()), lambda: case(net(middle=[nn.Dropout(0.3)]))),
    Fault("layers", "dropout of everything", ("S122",),
          lambda: case(net(middle=[nn.Dropout(1.0)])),
          lambda: case(net(middle=[nn.Dropout(0.5)]))),
    Fault("layers", "batch norm with a momentum of 0.99", ("S123",),
          lambda: case(normed(0.99)), lambda: case(normed(0.01))),
    Fault("layers", "batch norm with a momentum of zero", ("S123",),
          lambda: case(normed(0.0)), lambda: case(normed())),
    Fault("layers", "softmax between hidden layers", ("S124",),
          lambda: case(net(middle=[nn.Softmax(1), nn.Linear(32, 32), nn.ReLU()])),
          lambda: case(net(middle=[nn.Linear(32, 32), nn.ReLU()]))),
    Fault("layers", "a hidden layer of one unit", ("S125",),
          lambda: case(net(hidden=1)), lambda: case(net(hidden=16))),
    Fault("layers", "functional dropout that is always on", ("B306",),
          lambda: case(Stack(lambda x: F.dropout(x, 0.5))), lambda: case(Stack())),
    Fault("layers", "flatten from the batch dimension", ("T410", "B308"),
          lambda: case(Forward(flattened_batch)), lambda: case(Forward(used))),
    Fault("layers", "a value overwritten in place", ("T415",),
          lambda: case(Stack(overwritten)), lambda: case(Stack(torch.sigmoid))),
    Fault("layers", "a gradient that is not a number", ("T415", "B304"),
          lambda: case(Stack(lambda x: x * (0 * x).sum((1, 2, 3), keepdim=True).sqrt() + x)),
          lambda: case(Stack(lambda x: x * (1 + x.sum((1, 2, 3), keepdim=True)).sqrt() + x))),
    Fault("layers", "a linear layer of the wrong size", ("B308",),
          lambda: case(nn.Sequential(nn.Flatten(), nn.Linear(1024, NUM_CLASSES))),
          lambda: case(nn.Sequential(nn.Flatten(), nn.Linear(3072, NUM_CLASSES)))),
    # Heads and losses.
    Fault("head", "softmax before CrossEntropyLoss", ("S111",),
          lambda: case(net(tail=[nn.Softmax(1)])), sound),
    Fault("head", "sigmoid before CrossEntropyLoss", ("S120",),
          lambda: case(net(tail=[nn.Sigmoid()])), sound),
    Fault("head", "tanh before CrossEntropyLoss", ("S120",),
          lambda: case(net(tail=[nn.Tanh()])), sound),
    Fault("head", "ReLU on the logits", ("S120",),
          lambda: case(net(tail=[nn.ReLU()])), sound),
    Fault("head", "dropout on the logits", ("S120",),
          lambda: case(net(tail=[nn.Dropout(0.5)])), lambda: case(net(middle=[nn.Dropout(0.5)]))),
    Fault("head", "batch norm on the logits", ("S113",),
          lambda: case(net(tail=[nn.BatchNorm1d(NUM_CLASSES)])), sound),
    Fault("head", "sigmoid before BCEWithLogitsLoss", ("S111",),
          lambda: case(net(1, tail=[nn.Sigmoid()]), labels=yes_no(), loss=nn.BCEWithLogitsLoss()),
          sound_yes_no),
    Fault("head", "BCELoss on logits", ("T410",),
          lambda: case(net(1), labels=yes_no(), loss=nn.BCELoss()),
          lambda: case(net(1, tail=[nn.Sigmoid()]), labels=yes_no(), loss=nn.BCELoss())),
    Fault("head", "softmax over one output", ("S111",),
          lambda: case(net(1, tail=[nn.Softmax(1)]), labels=yes_no(), loss=nn.BCELoss()),
          lambda: case(net(1, tail=[nn.Sigmoid()]), labels=yes_no(), loss=nn.BCELoss())),
    Fault("head", "CrossEntropyLoss on one output", ("T410",),
          lambda: case(net(1), labels=torch.zeros(NUM_IMAGES, dtype=torch.long)), sound_yes_no),
    Fault("head", "NLLLoss on logits", ("T410",),
          lambda: case(net(), loss=nn.NLLLoss()),
          lambda: case(net(tail=[nn.LogSoftmax(1)]), loss=nn.NLLLoss())),
    Fault("head", "NLLLoss on probabilities", ("S111",),
          lambda: case(net(tail=[nn.Softmax(1)]), loss=nn.NLLLoss()),
          lambda: case(net(tail=[nn.LogSoftmax(1)]), loss=F.nll_loss)),
    Fault("head", "mean squared error on class indices", ("T410",),
          lambda: case(net(), loss=nn.MSELoss()), sound),
    Fault("head", "mean squared error of [N, 1] and [N]", ("T410",),
          lambda: case(net(1), labels=torch.rand(NUM_IMAGES), loss=nn.MSELoss()), sound_amount),
    Fault("head", "squared error of a sigmoid and one-hot classes", ("T410",),
          lambda: case(net(tail=[nn.Sigmoid()]), labels=F.one_hot(classes()).float(),
                       loss=nn.MSELoss()), sound),
    Fault("head", "binary cross-entropy of a softmax over ten classes", ("T410",),
          lambda: case(net(tail=[nn.Softmax(1)]), labels=F.one_hot(classes()).float(),
                       loss=nn.BCELoss()), sound),
    Fault("head", "a sigmoid for amounts up to 50", ("T410",),
          lambda: case(net(1, tail=[nn.Sigmoid()]), labels=50 * torch.rand(NUM_IMAGES, 1),
                       loss=nn.MSELoss()),
          lambda: case(net(1, tail=[nn.Sigmoid()]), labels=torch.rand(NUM_IMAGES, 1),
                       loss=nn.MSELoss())),
    Fault("head", "a ReLU for amounts below zero", ("T410",),
          lambda: case(net(1, tail=[nn.ReLU()]), labels=torch.randn(NUM_IMAGES, 1),
                       loss=nn.L1Loss()), sound_amount),
    Fault("head", "five outputs for ten classes", ("T410",), lambda: case(net(5)), sound),
    Fault("head", "a thousand outputs for ten classes", ("T410",),
          lambda: case(net(1000)), lambda: case(net(1000), labels=torch.randint(1000, (16,)))),
    Fault("head", "softmax inside a loss of one's own", ("T410",),
          lambda: case(net(), loss=softmax_twice),
          lambda: case(net(), loss=cross_entropy_by_hand)),
    Fault("head", "a loss that is not reduced", ("T410",),
          lambda: case(net(), loss=nn.CrossEntropyLoss(reduction="none")),
          lambda: case(net(), loss=nn.CrossEntropyLoss(label_smoothing=0.1))),
    Fault("head", "a loss through argmax", ("T410", "T415"),
          lambda: case(net(), loss=hard_loss), lambda: case(net(), loss=cross_entropy_by_hand)),
    Fault("head", "a logarithm of a softmax that underflows", ("T410", "T415"),
          lambda: case(net(), loss=log_of_softmax),
          lambda: case(net(), loss=cross_entropy_by_hand)),
    # Data.
    Fault("data", "labels that begin at 1", ("T410",),
          lambda: case(net(), labels=classes() + 1), sound),
    Fault("data", "a label of -1", ("T410",),
          lambda: case(net(), labels=classes() - 1), sound),
    Fault("data", "labels as floating-point numbers", ("T410",),
          lambda: case(net(), labels=classes().float()), sound),
    Fault("data", "labels of shape [N, 1]", ("T410",),
          lambda: case(net(), labels=classes()[:, None]), sound),
    Fault("data", "yes and no as 1 and -1", ("T410",),
          lambda: case(net(1), labels=2 * yes_no() - 1, loss=nn.BCEWithLogitsLoss()),
          sound_yes_no),
    Fault("data", "fewer labels than images", ("T410",),
          lambda: case(net(), labels=classes()[:8]), sound),
    Fault("data", "labels of one class", ("T414",),
          lambda: case(net(), labels=torch.full((NUM_IMAGES,), 3)), sound),
    Fault("data", "pixels from 0 to 255", ("B308",),
          lambda: case(net(), batch=255 * images()), sound),
    Fault("data", "pixels divided by 255 twice", ("B308",),
          lambda: case(net(), batch=images() / 255), sound),
    Fault("data", "pixels as bytes", ("B308",),
          lambda: case(net(), batch=(255 * images()).byte()), sound),
    Fault("data", "channels last", ("B308",),
          lambda: case(net(), batch=channels_last(images())), sound),
    Fault("data", "grey images for a network of colours", ("B308",),
          lambda: case(net(), batch=images(1)), lambda: case(net(channels=1), batch=images(1))),
    Fault("data", "the same image sixteen times", ("B308",),
          lambda: case(net(), batch=same_image()), sound),
    Fault("data", "black images", ("B308",), lambda: case(net(), batch=0 * images()), sound),
    Fault("data", "a pixel that is not a number", ("B305",),
          lambda: case(net(), batch=with_nan()), sound),
    # The optimizer.
    Fault("optimizer", "SGD at 10", ("T412", "T415"), lambda: case(net(), lr=10.0), sound),
    Fault("optimizer", "SGD at 1e-12", ("T412", "T415"), lambda: case(net(), lr=1e-12),
          lambda: case(net(), lr=1e-3)),
    Fault("optimizer", "Adam at 0.5", ("T412",), lambda: case(net(), optimizer=ADAM, lr=0.5),
          lambda: case(net(), optimizer=ADAM)),
    Fault("optimizer", "Adam at 1e-8", ("T412",), lambda: case(net(), optimizer=ADAM, lr=1e-8),
          lambda: case(net(), optimizer=ADAM, lr=1e-4)),
    Fault("optimizer", "RMSprop at 1", ("T412",), lambda: case(net(), optimizer=RMSPROP, lr=1.0),
          lambda: case(net(), optimizer=RMSPROP, lr=1e-3)),
    Fault("optimizer", "Adadelta at Keras' 0.001", ("T412",),
          lambda: case(net(), optimizer=torch.optim.Adadelta, lr=1e-3),
          lambda: case(net(), optimizer=torch.optim.Adadelta)),
    Fault("optimizer", "weight decay of 1", ("T413",), lambda: case(net(), weight_decay=1.0),
          lambda: case(net(), weight_decay=5e-4)),
    Fault("optimizer", "AdamW with a decay of 10", ("T413",),
          lambda: case(net(), optimizer=ADAMW, weight_decay=10.0),
          lambda: case(net(), optimizer=ADAMW, weight_decay=0.05)),
    Fault("optimizer", "momentum of 1", ("T413",), lambda: case(net(), momentum=1.0),
          lambda: case(net(), momentum=0.9, nesterov=True)),
    Fault("optimizer", "betas in the wrong order", ("T413",),
          lambda: case(net(), optimizer=ADAM, betas=(0.999, 0.9)),
          lambda: case(net(), optimizer=ADAM, betas=(0.9, 0.95))),
    Fault("optimizer", "going uphill", ("T413", "T415"), lambda: case(net(), maximize=True), sound),
    Fault("optimizer", "a negated loss", ("T415",),
          lambda: case(net(), loss=negative_loss), lambda: case(net(), loss=cross_entropy_by_hand)),
    # Weights.
    Fault("weights", "all weights zero", ("W206", "T415"),
          lambda: case(initialised(nn.init.zeros_)), lambda: case(kaiming(net()))),
    Fault("weights", "all weights 0.1", ("W206",),
          lambda: case(initialised(lambda p: nn.init.constant_(p, 0.1))),
          lambda: case(kaiming(net()))),
    Fault("weights", "weights drawn from N(0, 1)", ("T411", "T415"),
          lambda: case(initialised(nn.init.normal_)), lambda: case(kaiming(net()))),
    Fault("weights", "weights too small to carry anything", ("T415", "B304"),
          lambda: case(initialised(lambda p: p.mul_(1e-4), deep(nn.ReLU))),
          lambda: case(kaiming(deep(nn.ReLU)))),
    Fault("weights", "biases that switch every ReLU off", ("B303", "B307"),
          lambda: case(stuck()), lambda: case(biased(0.1))),
)  # fmt: skip
# What no look at one batch can tell; named so that nobody takes the figure for more than it is.
OUT_OF_SIGHT = (
    "too few epochs",
    "zero_grad() forgotten in the training loop",
    "labels that are wrong or shuffled against the images",
    "augmentation that changes the meaning of an image",
    "test images among the training images",
    "batch norms in evaluation mode left so by the loop",
    "a class that no batch holds",
)
