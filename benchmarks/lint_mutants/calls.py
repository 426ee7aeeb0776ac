"""Mutations of a whole call: model, batch, labels, loss and optimizer together."""

from __future__ import annotations

import random
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate, max_pool2d

from benchmarks.lint_mutants.behaviour import NUM_IMAGES, require_norms
from benchmarks.lint_mutants.mutant import Mutation
from benchmarks.lint_mutants.surgery import is_batch_norm, is_conv, own, pick, replace
from benchmarks.lint_mutants.training import last_linear
from benchmarks.lint_mutants.zoo import NUM_CLASSES, Net, Patient, normalised, pictures

RATE = 1e-2


def whole_call(patient: Patient) -> None:
    """A new network in training mode, normalised images, SGD with momentum, cross-entropy."""
    path, old = last_linear(patient)
    replace(patient.model, path, nn.Linear(old.in_features, NUM_CLASSES))
    patient.model.train()
    patient.options |= {
        "batch": normalised(pictures(NUM_IMAGES, patient.size_px, seed=7)),
        "labels": torch.arange(NUM_IMAGES) % NUM_CLASSES,
        "loss": nn.CrossEntropyLoss(),
    }
    hold_all(patient)


def hold_all(patient: Patient) -> None:
    """Gives the optimizer all that is to be trained."""
    held = [parameter for parameter in patient.model.parameters() if parameter.requires_grad]
    patient.options["optimizer"] = torch.optim.SGD(held, lr=RATE, momentum=0.9)


class Cut(nn.Module):
    """Applies a function to the result of a layer."""

    def __init__(self, layer: nn.Module, function: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.layer, self.function = layer, function

    def forward(self, x: Tensor) -> Tensor:
        return self.function(self.layer(x))


class InVain(nn.Module):
    """Runs a second layer on the result of the first, and returns that of the first."""

    def __init__(self, layer: nn.Module, second: nn.Module) -> None:
        super().__init__()
        self.layer, self.second = layer, second

    def forward(self, x: Tensor) -> Tensor:
        x = self.layer(x)
        self.second(x)
        return x


class Hiding(nn.Module):
    """Keeps a layer in a plain list."""

    def __init__(self, layer: nn.Module) -> None:
        super().__init__()
        self.layers = [layer]

    def forward(self, x: Tensor) -> Tensor:
        result: Tensor = self.layers[0](x)
        return result


def compute_in_vain(patient: Patient, chance: random.Random) -> None:
    path, layer = last_linear(patient)
    size = layer.out_features
    replace(patient.model, path, InVain(layer, nn.Linear(size, size)))
    hold_all(patient)


def hide_a_layer(patient: Patient, chance: random.Random) -> None:
    path, layer = last_linear(patient)
    replace(patient.model, path, Hiding(layer))
    hold_all(patient)


def squash(patient: Patient, chance: random.Random) -> None:
    path, layer = last_linear(patient)
    after = chance.choice([nn.Sigmoid(), nn.Tanh(), nn.ReLU(), nn.Dropout(0.5)])
    replace(patient.model, path, nn.Sequential(layer, after))


def take_activations(patient: Patient, chance: random.Random) -> None:
    net = Net(nn.Sequential(*(nn.Conv2d(3 if index == 0 else 8, 8, 3) for index in range(3))), 8)
    patient.model = net.train()
    hold_all(patient)


def drop_nearly_everything(patient: Patient, chance: random.Random) -> None:
    path, layer = last_linear(patient)
    share = chance.choice([0.85, 0.95, 1.0])
    replace(patient.model, path, nn.Sequential(nn.Dropout(share), layer))


def compete(patient: Patient, chance: random.Random) -> None:
    path, layer = last_linear(patient)
    replace(patient.model, path, nn.Sequential(nn.Softmax(1), layer))


def narrow(patient: Patient, chance: random.Random) -> None:
    path, layer = last_linear(patient)
    passage = (nn.Linear(layer.in_features, 1), nn.ReLU(), nn.Linear(1, layer.out_features))
    replace(patient.model, path, nn.Sequential(*passage))
    hold_all(patient)


def confuse_momentum(patient: Patient, chance: random.Random) -> None:
    require_norms(patient)
    momentum = chance.choice([0.99, 0.9, 0.0])
    for module in patient.model.modules():
        if is_batch_norm(module):
            module.momentum = momentum  # type: ignore[assignment]


def make_filters_alike(patient: Patient, chance: random.Random) -> None:
    _, layer = pick(patient, chance, lambda m: is_conv(m) and m.groups == 1)  # type: ignore[operator]
    nn.init.constant_(layer.weight, chance.choice([0.01, 0.1, 1.0]))  # type: ignore[arg-type]


def cut_gradients(patient: Patient, chance: random.Random) -> None:
    path, layer = last_linear(patient)
    cut = chance.choice([torch.Tensor.detach, torch.sign, lambda x: x.data, torch.round])
    replace(patient.model, path, nn.Sequential(Cut(nn.Identity(), cut), layer))


def spoil_scale(patient: Patient, chance: random.Random) -> None:
    images = pictures(NUM_IMAGES, patient.size_px, seed=7)
    spoilt = [
        (255 * images).byte(),
        images.permute(0, 2, 3, 1).contiguous(),
        images[:, :1],
        images[:1].expand_as(images).clone(),
        255 * images,
    ]
    patient.options["batch"] = chance.choice(spoilt)


def misfit(patient: Patient, chance: random.Random) -> None:
    labels = patient.options["labels"]
    path, layer = last_linear(patient)
    kind = chance.randrange(6)
    if kind == 0:
        patient.options["labels"] = labels + NUM_CLASSES - 3
    elif kind == 1:
        patient.options["labels"] = labels.float()
    elif kind == 2:
        patient.options["loss"] = nn.NLLLoss()
    elif kind == 3:
        patient.options["loss"] = nn.MSELoss()
    elif kind == 4:
        replace(patient.model, path, nn.Linear(layer.in_features, 1))
        patient.options |= {"loss": nn.MSELoss(), "labels": labels.float()}
    else:
        patient.options["loss"] = nn.CrossEntropyLoss(reduction="none")


def be_sure(patient: Patient, chance: random.Random) -> None:
    _, layer = last_linear(patient)
    nn.init.normal_(layer.weight, std=chance.choice([30.0, 100.0, 1000.0]))
    if isinstance(patient.model, Net):
        nn.init.normal_(layer.bias, std=100.0)


def leave_the_range(patient: Patient, chance: random.Random) -> None:
    patient.options["optimizer"].param_groups[0]["lr"] = chance.choice([10.0, 100.0, 1e-7, 1e-12])


def spoil_settings(patient: Patient, chance: random.Random) -> None:
    key, value = chance.choice(
        [("weight_decay", 1.0), ("weight_decay", -0.1), ("momentum", 1.0), ("maximize", True)]
    )
    patient.options["optimizer"].param_groups[0][key] = value


def sort_labels(patient: Patient, chance: random.Random) -> None:
    patient.options["labels"] = torch.full((NUM_IMAGES,), chance.randrange(NUM_CLASSES))


def run_away(patient: Patient, chance: random.Random) -> None:
    patient.options["optimizer"].param_groups[0]["lr"] = chance.choice([1e3, 1e4, 1e5])


def freeze_new(patient: Patient, chance: random.Random) -> None:
    _, head = last_linear(patient)
    patient.model.requires_grad_(False)
    head.requires_grad_(True)
    hold_all(patient)


def forget_train(patient: Patient, chance: random.Random) -> None:
    require_norms(patient)
    patient.model.eval()


def pool_blindly(patient: Patient, chance: random.Random) -> None:
    model = own(patient)
    path, layer = next((path, one) for path, one in model.named_modules() if is_conv(one))
    window = chance.choice([12, 14, 15])
    replace(model, path, Cut(layer, lambda x: interpolate(max_pool2d(x, window), x.shape[2:])))


def without_activation(patient: Patient) -> None:
    own(patient)
    whole_call(patient)


CALL_MUTATIONS: tuple[Mutation, ...] = (
    Mutation("S118", "a layer behind the head whose result is not used", compute_in_vain,
             prepare=whole_call),
    Mutation("S119", "the head kept in a plain list", hide_a_layer, prepare=whole_call),
    Mutation("S120", "sigmoid, tanh, ReLU or dropout on the logits", squash, prepare=whole_call),
    Mutation("S121", "all activations taken away", take_activations, prepare=without_activation),
    Mutation("S122", "dropout of 85 to 100%", drop_nearly_everything, prepare=whole_call),
    Mutation("S123", "batch norms with a momentum of 0.99, 0.9 or 0", confuse_momentum,
             prepare=whole_call),
    Mutation("S124", "softmax before the head", compete, prepare=whole_call),
    Mutation("S125", "one unit before the head", narrow, prepare=whole_call),
    Mutation("W206", "one convolution begins with a constant", make_filters_alike,
             prepare=whole_call),
    Mutation("B307", "detach, .data, sign or round before the head", cut_gradients,
             prepare=whole_call),
    Mutation("B308", "bytes, channels last, grey, one image only, 0–255", spoil_scale,
             prepare=whole_call),
    Mutation("T410", "labels out of range or of another type, another loss", misfit,
             prepare=whole_call),
    Mutation("T411", "a head with weights of dozens", be_sure, prepare=whole_call),
    Mutation("T412", "SGD at 10, 100, 1e-7 or 1e-12", leave_the_range, prepare=whole_call),
    Mutation("T413", "weight decay of 1 or below zero, momentum of 1, uphill", spoil_settings,
             prepare=whole_call),
    Mutation("T414", "labels of one class", sort_labels, prepare=whole_call),
    Mutation("T415", "SGD at a thousand and more", run_away, prepare=whole_call),
    Mutation("T416", "a new body frozen", freeze_new, prepare=whole_call),
    Mutation("T417", "train() forgotten", forget_train, prepare=whole_call),
    Mutation("S126", "a window of 12 to 15 over what sees 3", pool_blindly),
)  # fmt: skip
