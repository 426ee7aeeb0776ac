"""Recognising weights that still are what an initialisation drew."""

from __future__ import annotations

from math import sqrt

import numpy as np
import torch
from scipy.special import ndtr
from torch import nn

MIN_WEIGHTS = 1_000
MAX_WEIGHTS = 20_000
# Enough to tell one given distribution from other numbers.
MIN_DEFAULT = 100
# Kolmogorov's distance times √n exceeds 1.95 in one draw of a thousand.
KOLMOGOROV = 1.95
# Four standard errors of a standard deviation, which are σ / √(2 n).
STANDARD_ERRORS = 4.0
# How many standard errors the channels' mean squares may scatter more than by chance. New
# layers stay below 4.5; those trained layers of torchvision's MobileNet v2 that look normal,
# of a deviation that some formula happens to give, begin at 7.8.
UNEVEN = 5.0
# Deviation of a standard normal distribution that is cut at two deviations.
_CUT = 0.87962566
MAX_CHANNELS, MIN_CHANNELS = 1_024, 8


def describe_start(module: nn.Module, weight: torch.Tensor) -> str | None:
    """Returns the distribution that a weight looks drawn from; None if it looks trained.

    An initialisation draws all weights of a layer alike: from a uniform distribution, or from
    a normal one whose deviation is a formula of the layer's sizes (Kolmogorov's statistic on
    up to 20,000 weights tells). A trained layer may look so by chance, taken as a whole; but
    some of its channels have grown and others shrunk.

    Args:
        module: The convolution or linear layer.
        weight: Its weight, at least ``MIN_WEIGHTS`` numbers.
    """
    flat = weight.reshape(-1)
    step = -(-flat.numel() // MAX_WEIGHTS)
    values = np.sort(flat[::step].double().cpu().numpy())
    if values.size < MIN_WEIGHTS or not np.isfinite(values).all() or values[0] == values[-1]:
        return None
    start = _distribution(module, weight, values)
    if start is None or any(_unevenness(weight, axis) > UNEVEN for axis in (0, 1)):
        return None
    return start


def is_default_start(weight: torch.Tensor) -> bool:
    """Whether a weight lies evenly within ±1/√(fan in), as PyTorch draws new layers.

    Tells of 100 numbers and more: training breaks the bound, and fixed filters do not fill it.
    """
    if weight.dim() < 2 or weight.numel() < MIN_DEFAULT:
        return False
    values = np.sort(weight.detach().reshape(-1)[:MAX_WEIGHTS].double().cpu().numpy())
    if not np.isfinite(values).all():
        return False
    bound = 1 / sqrt(weight[0].numel())
    largest = max(-values[0], values[-1])
    is_within = bound * (1 - 20 / values.size) <= largest <= bound * (1 + 1e-6)
    return bool(is_within) and _fits(values, (values / bound + 1) / 2)


def looks_random(values: torch.Tensor) -> bool:
    """Whether numbers look drawn from a uniform or normal distribution around zero."""
    flat = values.detach().reshape(-1)[:MAX_WEIGHTS].double().cpu().numpy()
    if flat.size < MIN_DEFAULT or not np.isfinite(flat).all():
        return False
    flat = np.sort(flat)
    deviation = float(np.sqrt((flat**2).mean()))
    # Filters made by a formula repeat their numbers.
    if deviation == 0 or np.unique(flat).size < 0.9 * flat.size:
        return False
    bound = max(-flat[0], flat[-1])
    is_uniform = _fits(flat, np.clip((flat / bound + 1) / 2, 0, 1))
    return is_uniform or _fits(flat, ndtr(flat / deviation))


def _distribution(module: nn.Module, weight: torch.Tensor, values: np.ndarray) -> str | None:
    bound = max(-values[0], values[-1])
    if _fits(values, np.clip((values / bound + 1) / 2, 0, 1)):
        return f"uniform within ±{bound:.4g}"
    deviation = float(values.std())
    tolerance = STANDARD_ERRORS / sqrt(2 * values.size)
    for expected, formula in _usual_deviations(module, weight):
        if abs(deviation / expected - 1) > tolerance:
            continue
        cut = ndtr(2.0)
        # The scale at which a normal distribution cut at two deviations has this deviation.
        scaled = values / (expected / _CUT)
        truncated = np.clip((ndtr(scaled) - 1 + cut) / (2 * cut - 1), 0, 1)
        if _fits(values, ndtr(values / expected)) or _fits(values, truncated):
            return f"normal with deviation {expected:.4g} ({formula})"
    return None


def _unevenness(weight: torch.Tensor, axis: int) -> float:
    """Returns by how many standard errors the channels differ more in size than by chance.

    The mean squares of R channels of n independent weights each have the variance V / n, V
    being that of a squared weight; their sample variance has the relative error √(2 / (R - 1)).
    """
    corner = weight[:MAX_CHANNELS, :MAX_CHANNELS].transpose(0, axis).flatten(1).double().square()
    num_channels, size = corner.shape
    if num_channels < MIN_CHANNELS or size < 2:
        return 0.0
    found = corner.mean(1).var()
    by_chance = corner.var() / size
    return float((found / by_chance - 1) * sqrt((num_channels - 1) / 2))


def _fits(values: np.ndarray, expected: np.ndarray) -> bool:
    count = values.size
    above = np.arange(1, count + 1) / count - expected
    below = expected - np.arange(count) / count
    return float(max(above.max(), below.max())) * sqrt(count) < KOLMOGOROV


def _usual_deviations(module: nn.Module, weight: torch.Tensor) -> list[tuple[float, str]]:
    positions = weight[0, 0].numel()
    fan_in, fan_out = weight.shape[1] * positions, weight.shape[0] * positions
    groups = getattr(module, "groups", 1)
    found = [
        (sqrt(2 / fan_out), "√(2 / fan out)"),
        (sqrt(2 / fan_in), "√(2 / fan in)"),
        (sqrt(1 / fan_in), "√(1 / fan in)"),
        (sqrt(1 / fan_out), "√(1 / fan out)"),
        (sqrt(2 / (fan_in + fan_out)), "√(2 / (fan in + fan out))"),
        (sqrt(2 * groups / fan_out), "√(2 / fan out of a group)"),
    ]
    constants = [(constant, "a usual constant") for constant in (0.02, 0.01, 0.1, 0.001)]
    # TensorFlow's truncated normal states the deviation before it cuts at two of them.
    cut = [(_CUT * value, f"{value:g}, cut at two deviations") for value, _ in constants]
    return found + constants + cut
