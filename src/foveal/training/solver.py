"""Many logistic regressions at once: one matrix product a step serves them all.

Cross-validation over folds and penalties asks for a hundred fits on the same features that
differ only in which rows count and how strong the penalty is. Fitted together, the features
are read once a step, and the fits cost little more than one.

The objective of each fit, over features standardised by its own rows, z = (x − μ)/σ with
σ² = variance + floor::

    Σ_i w_i · cross_entropy(y_i, z_i·V + c) / Σ_i w_i  +  penalty/2 · ‖V‖²

It is convex, and strictly so in V, so the optimum does not depend on the optimiser: L-BFGS
(Nocedal and Wright 2006, algorithm 7.4) with a backtracking line search for every fit.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from foveal.errors import DataError
from foveal.text import count_noun

_HISTORY = 10
_ARMIJO = 1e-4
_MAX_BACKTRACKS = 25
# A unit that is almost silent in the training rows but speaks on another camera's images
# would be divided by almost nothing. The floor, a share of the mean variance, bounds that; see
# docs/decisions/0006.
_VARIANCE_FLOOR = 0.5
_ALL_FITS = slice(None)
# Squares and their sums over many images stay within float32.
_MAX_FEATURE = 1e12


@dataclass(frozen=True, slots=True)
class LinearHeads:
    """P fitted heads over raw features: ``logits = features @ weight[p].T + bias[p]``.

    Attributes:
        weight: [P, K, D], float32; the standardisation is folded in.
        bias: [P, K], float32.
        converged: [P], whether the gradient fell below the tolerance.
    """

    weight: Tensor
    bias: Tensor
    converged: Tensor

    def logits(self, features: Tensor) -> Tensor:
        """Returns the logits [P, N, K] of ``features [N, D]``."""
        num_fits, num_classes, num_features = self.weight.shape
        flat = features @ self.weight.reshape(-1, num_features).T + self.bias.reshape(-1)
        return flat.reshape(len(features), num_fits, num_classes).transpose(0, 1)


def fit_heads(
    features: Tensor,
    labels: Tensor,
    *,
    weights: Tensor,
    penalties: Tensor,
    num_classes: int,
    widths: Sequence[int] = (),
    tolerance: float = 1e-4,
    max_steps: int = 300,
    memory_bytes: int = 400_000_000,
) -> LinearHeads:
    """Fits P penalised multinomial logistic regressions.

    Args:
        features: [N, D], float32.
        labels: [N], integers below ``num_classes`` (K).
        weights: [P, N], not negative; 0 leaves an image out of that fit.
        penalties: [P], positive.
        num_classes: K; a class without rows in a fit is pushed down by its bias alone.
        widths: Lengths of the vectors that make up D where these have scales of their own: the
            floor under the variance is then each one's; by default it is one vector.
        tolerance: On the largest component of the gradient.
        max_steps: L-BFGS steps, after which a fit is returned with ``converged`` false.
        memory_bytes: What the optimiser's history and the logits may take; more fits than
            that holds are worked off in portions.

    Raises:
        DataError: A feature, weight or penalty is not finite, or a feature too large to be
            squared in float32.
    """
    _require_finite(features, weights, penalties)
    num_images, num_features = features.shape
    per_fit = 4 * (
        (num_features + 1) * num_classes * (2 * _HISTORY + 8) + 4 * num_images * num_classes
    )
    portion = max(1, memory_bytes // per_fit)
    parts = [
        _fit_portion(
            features,
            labels,
            weights[start : start + portion],
            penalties[start : start + portion],
            num_classes,
            widths or (num_features,),
            tolerance,
            max_steps,
        )
        for start in range(0, len(penalties), portion)
    ]
    return LinearHeads(
        weight=torch.cat([part.weight for part in parts]),
        bias=torch.cat([part.bias for part in parts]),
        converged=torch.cat([part.converged for part in parts]),
    )


def _require_finite(features: Tensor, weights: Tensor, penalties: Tensor) -> None:
    """A comparison with a number that is none is false, so a fit on one would never end."""
    usable = (features.abs() <= _MAX_FEATURE).all(1)
    if not bool(usable.all()):
        rows = (~usable).nonzero().flatten().tolist()
        raise DataError(
            f"{count_noun(len(rows), 'row')} of {len(features):,} features hold a number that is "
            f"not finite or above {_MAX_FEATURE:g}, the first in row {rows[0]:,}; expected "
            "ordinary numbers.",
            next_step="Check the weights that were given; if they are sound, run with "
            "--backend torch.",
        )
    for name, values in (("weights", weights), ("penalties", penalties)):
        if not bool(torch.isfinite(values).all()):
            raise DataError(
                f"The {name} of a fit hold a number that is not finite; expected ordinary numbers.",
                next_step="Check how they were computed.",
            )


class _Problem:
    """The objective and gradient of a portion of fits; narrows to those still running."""

    def __init__(
        self,
        features: Tensor,
        labels: Tensor,
        weights: Tensor,
        penalties: Tensor,
        num_classes: int,
        widths: Sequence[int],
    ) -> None:
        # Features after a ReLU have large means; centred once, float32 sums stay exact enough.
        self.offset = features.mean(0)
        self.features = features - self.offset
        self.labels = labels
        self.num_classes = num_classes
        self.penalties = penalties
        self.weights = weights / weights.sum(1, keepdim=True)
        self.mean = self.weights @ self.features
        variance = (self.weights @ self.features.square() - self.mean.square()).clamp_min(0)
        floor = torch.cat(
            [
                (_VARIANCE_FLOOR * part.mean(1, keepdim=True)).expand_as(part)
                for part in torch.split(variance, list(widths), 1)
            ],
            1,
        )
        self.scale = (variance + floor).sqrt().clamp_min(1e-6)

    def narrow(self, keep: Tensor) -> None:
        for name in ("weights", "penalties", "mean", "scale"):
            setattr(self, name, getattr(self, name)[keep])

    def raw_heads(
        self, parameters: Tensor, fits: Tensor | slice = _ALL_FITS
    ) -> tuple[Tensor, Tensor]:
        """Returns weight [P, K, D] and bias [P, K] over the centred raw features."""
        num_features = self.features.shape[1]
        stacked = parameters.reshape(-1, self.num_classes, num_features + 1)
        weight = stacked[:, :, :-1] / self.scale[fits][:, None, :]
        bias = stacked[:, :, -1] - (weight @ self.mean[fits][:, :, None]).squeeze(2)
        return weight, bias

    def evaluate(
        self, parameters: Tensor, fits: Tensor | slice = _ALL_FITS
    ) -> tuple[Tensor, Tensor]:
        """Returns the objective [P] and its gradient [P, K·(D + 1)] at ``parameters``.

        ``fits`` picks the fits that ``parameters`` belong to; by default, all that run.
        """
        num_images, num_features = self.features.shape
        num_classes = self.num_classes
        weight, bias = self.raw_heads(parameters, fits)
        num_fits = len(weight)
        # Images come last throughout, so that sums over the few classes run along vectors.
        logits = torch.addmm(
            bias.reshape(-1, 1), weight.reshape(-1, num_features), self.features.T
        ).reshape(num_fits, num_classes, num_images)
        row_weights = self.weights[fits]
        log_sum = logits.logsumexp(1)
        chosen = logits.gather(1, self.labels.expand(num_fits, 1, num_images)).squeeze(1)
        loss = ((log_sum - chosen) * row_weights).sum(1)
        residual = logits.sub_(log_sum[:, None, :]).exp_()
        residual[:, self.labels, torch.arange(num_images)] -= 1
        residual *= row_weights[:, None, :]
        raw = (residual.reshape(-1, num_images) @ self.features).reshape(weight.shape)
        total = residual.sum(2)
        stacked = parameters.reshape(num_fits, num_classes, num_features + 1)
        penalties, penalised = self.penalties[fits], stacked[:, :, :-1]
        gradient = torch.empty_like(stacked)
        gradient[:, :, :-1] = (raw - total[:, :, None] * self.mean[fits][:, None, :]) / (
            self.scale[fits][:, None, :]
        )
        gradient[:, :, :-1] += penalties[:, None, None] * penalised
        gradient[:, :, -1] = total
        loss = loss + 0.5 * penalties * penalised.square().sum((1, 2))
        return loss, gradient.reshape(num_fits, -1)


def _fit_portion(
    features: Tensor,
    labels: Tensor,
    weights: Tensor,
    penalties: Tensor,
    num_classes: int,
    widths: Sequence[int],
    tolerance: float,
    max_steps: int,
) -> LinearHeads:
    problem = _Problem(features, labels, weights, penalties, num_classes, widths)
    num_fits, num_features = problem.mean.shape
    scale, mean = problem.scale, problem.mean
    solution = torch.zeros(num_fits, num_classes * (num_features + 1))
    converged = torch.zeros(num_fits, dtype=torch.bool)
    running = torch.arange(num_fits)

    point = solution.clone()
    loss, gradient = problem.evaluate(point)
    history: list[tuple[Tensor, Tensor, Tensor]] = []
    for _ in range(max_steps):
        finished = gradient.abs().amax(1) <= tolerance
        if bool(finished.all()):
            break
        # Narrowing copies the history, so it waits until a quarter of the fits are done.
        if float(finished.float().mean()) > 0.25:
            keep = ~finished
            solution[running], converged[running] = point, finished
            problem.narrow(keep)
            running, point, loss, gradient = running[keep], point[keep], loss[keep], gradient[keep]
            history = [(s[keep], y[keep], rho[keep]) for s, y, rho in history]
        direction = _lbfgs_direction(gradient, history)
        slope = (direction * gradient).sum(1)
        # Rounding can turn a direction uphill near the optimum; steepest descent cannot.
        uphill = slope >= 0
        if bool(uphill.any()):
            direction[uphill] = -gradient[uphill]
            slope = (direction * gradient).sum(1)
        point_next, loss_next, gradient_next = _line_search(
            problem, point, loss, gradient, direction, slope, is_first=not history
        )
        step, change = point_next - point, gradient_next - gradient
        curvature = (step * change).sum(1)
        rho = torch.where(curvature > 1e-12, 1 / curvature.clamp_min(1e-12), 0.0)
        history.append((step, change, rho))
        del history[:-_HISTORY]
        point, loss, gradient = point_next, loss_next, gradient_next
    solution[running] = point
    converged[running] = gradient.abs().amax(1) <= tolerance
    problem.scale, problem.mean = scale, mean
    weight, bias = problem.raw_heads(solution)
    return LinearHeads(weight, bias - weight @ problem.offset, converged)


def _lbfgs_direction(gradient: Tensor, history: list[tuple[Tensor, Tensor, Tensor]]) -> Tensor:
    """The two-loop recursion for every fit; a pair without curvature has ρ = 0 and no effect."""
    direction = -gradient
    factors: list[Tensor] = []
    for step, change, rho in reversed(history):
        alpha = rho * (step * direction).sum(1)
        direction = direction - alpha[:, None] * change
        factors.append(alpha)
    if history:
        step, change, rho = history[-1]
        size = (step * change).sum(1) / change.square().sum(1).clamp_min(1e-20)
        direction = direction * torch.where(rho > 0, size, 1.0)[:, None]
    for (step, change, rho), alpha in zip(history, reversed(factors), strict=True):
        beta = rho * (change * direction).sum(1)
        direction = direction + (alpha - beta)[:, None] * step
    return direction


def _line_search(
    problem: _Problem,
    point: Tensor,
    loss: Tensor,
    gradient: Tensor,
    direction: Tensor,
    slope: Tensor,
    *,
    is_first: bool,
) -> tuple[Tensor, Tensor, Tensor]:
    """Halves each fit's step until it descends enough; a fit that cannot stays where it is."""
    length = torch.ones(len(point))
    if is_first:  # no curvature known yet: step one unit, not one gradient
        length = length / direction.norm(dim=1).clamp_min(1.0)
    # Near the optimum the decrease is below float32's resolution of the loss.
    bound = loss + 1e-7 * loss.abs()
    point_next, loss_next, gradient_next = point.clone(), loss.clone(), gradient.clone()
    pending = torch.arange(len(point))
    for _ in range(_MAX_BACKTRACKS):
        tried = point[pending] + length[pending, None] * direction[pending]
        loss_tried, gradient_tried = problem.evaluate(tried, pending)
        good = loss_tried <= bound[pending] + _ARMIJO * length[pending] * slope[pending]
        accepted = pending[good]
        point_next[accepted] = tried[good]
        loss_next[accepted] = loss_tried[good]
        gradient_next[accepted] = gradient_tried[good]
        pending = pending[~good]
        if len(pending) == 0:
            break
        length[pending] /= 2
    return point_next, loss_next, gradient_next


def default_penalties(num_images: int, *, is_large: bool = False) -> tuple[float, ...]:
    """Returns the penalties to try: half-decades about 7/√n, where the best is usually found.

    The optimum falls as images are added, because the likelihood then speaks louder than the
    prior. On ELPV it lay below the middle for random folds and above it for grouped ones.
    A large problem (``is_large_problem``) tries the lower three: with hundreds of classes the
    accuracy hardly depends on the penalty, and the temperature is fitted afterwards.
    """
    centre = 7 / math.sqrt(num_images)
    return tuple(centre * 10 ** (exponent / 2) for exponent in range(-2, 1 if is_large else 4))


def is_large_problem(num_images: int, num_features: int, num_classes: int) -> bool:
    """Whether one look at every image by every class takes 2 GFLOP or more.

    Fitting a hundred heads then takes minutes on two cores instead of seconds.
    """
    return num_images * num_features * num_classes >= 1_000_000_000


def balanced_weights(labels: Tensor, masks: Tensor, *, num_classes: int) -> Tensor:
    """Returns weights [P, N] under which every class counts the same within each mask."""
    membership = torch.nn.functional.one_hot(labels, num_classes).float()
    counts = masks.float() @ membership  # [P, K]
    share = masks.sum(1, keepdim=True) / (num_classes * counts.clamp_min(1.0))
    return masks * share[:, labels]


def is_imbalanced(labels: Tensor, *, num_classes: int, ratio: float = 5.0) -> bool:
    """Whether the commonest class has more than ``ratio`` times the images of the rarest."""
    counts = torch.bincount(labels, minlength=num_classes)
    return bool(counts.max() > ratio * counts.min().clamp_min(1))
