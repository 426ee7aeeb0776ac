"""From logits to probabilities, and the loss that is read off them."""

from __future__ import annotations

import numpy as np

from foveal.evaluation.inputs import Floats, Ints


def log_softmax(logits: Floats, *, temperature: float = 1.0) -> Floats:
    """Returns the logarithm of the class probabilities, shape [N, K].

    Args:
        logits: Shape [N, K].
        temperature: What the logits are divided by; above 1 is less sure.
    """
    scaled = logits / temperature
    scaled = scaled - scaled.max(axis=1, keepdims=True)
    result: Floats = scaled - np.log(np.exp(scaled).sum(axis=1, keepdims=True))
    return result


def softmax(logits: Floats, *, temperature: float = 1.0) -> Floats:
    """Returns the class probabilities, shape [N, K], rows summing to one."""
    exponent = np.exp(log_softmax(logits, temperature=temperature))
    result: Floats = exponent / exponent.sum(axis=1, keepdims=True)
    return result


def mean_log_loss(logits: Floats, labels: Ints, *, temperature: float = 1.0) -> float:
    """Returns the mean negative log probability of the true class, in nats.

    Always finite for finite logits: it is computed from them, never from a probability
    that has been rounded to zero.
    """
    log_probabilities = log_softmax(logits, temperature=temperature)
    return float(-log_probabilities[np.arange(len(labels)), labels].mean())
