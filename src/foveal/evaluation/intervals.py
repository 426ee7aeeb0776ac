"""Intervals that stay honest when groups are few or mistakes are rare.

Three parts, each for what it does well:

* **Bootstrap percentiles, expanded.** The plain percentile interval is too narrow for few
  groups: it uses the normal quantile and a variance that is short by (G - 1)/G. Its tail
  share is moved to that of Student's t (Hesterberg 2015, The American Statistician 69,
  371-386, "expanded percentile interval"), and the resamples are centred on the figure.
* **Wilson intervals at the effective sample size.** With no mistake at all every resample is
  perfect and a bootstrap claims certainty. A proportion then gets Wilson's interval (1927)
  with the number of images divided by the design effect of the groups, and Student's t for
  the normal (Korn & Graubard 1998, Survey Methodology 24, 193-201; with Wilson in place of
  Clopper-Pearson: Dean & Pagano 2015, J. Survey Statistics and Methodology 3, 484-503).
* **Square and add** (Zou & Donner 2008, Statistics in Medicine 27, 1693-1702) carries such
  intervals over to means and differences of proportions.

The bootstrap alone is used where at least ``FEW_GROUPS`` groups hold a mistake and as many
a right answer; otherwise the interval is widened to cover both. One group alone has no
interval.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from foveal.evaluation.inputs import Floats


@dataclass(frozen=True, slots=True)
class Interval:
    """An estimate with its 95% interval.

    ``low`` and ``high`` are ``None`` where no interval can be given (for instance, one
    group alone); ``estimate`` is ``None`` where the figure itself is undefined.
    """

    estimate: float | None
    low: float | None
    high: float | None


FEW_GROUPS = 10
NORMAL_QUANTILE = 1.959963984540054
_TAIL = 0.025
# Weight, in groups, of the cautious guess that a group's images are all alike.
_PRIOR_GROUPS = 2.0


def bounded(
    estimate: float,
    low: float,
    high: float,
    *,
    lowest: float = 0.0,
    highest: float = 1.0,
) -> Interval:
    """Returns an interval that holds its estimate and stays within the figure's range."""
    estimate = min(max(float(estimate), lowest), highest)
    return Interval(
        estimate,
        min(max(float(low), lowest), estimate),
        max(min(float(high), highest), estimate),
    )


def wilson(num_hits: float, num_trials: float, *, z: float = NORMAL_QUANTILE) -> Interval:
    """Returns Wilson's score interval for a proportion (Wilson 1927, JASA 22, 209-212).

    Args:
        num_hits: Successes; need not be whole where trials are effective ones.
        num_trials: Trials; zero has no estimate and no interval.
        z: Normal quantile; 1.96 for 95%.
    """
    if num_trials <= 0:
        return Interval(None, None, None)
    share = num_hits / num_trials
    shrink = 1.0 + z * z / num_trials
    centre = (share + z * z / (2.0 * num_trials)) / shrink
    half = (
        z / shrink * math.sqrt(share * (1.0 - share) / num_trials + z * z / (4.0 * num_trials**2))
    )
    return bounded(share, centre - half, centre + half)


def student_quantile(num_groups: float) -> float:
    """Returns the 97.5% quantile of Student's t with ``num_groups`` - 1 degrees of freedom."""
    from scipy.special import stdtrit

    if math.isinf(num_groups):
        return NORMAL_QUANTILE
    return float(stdtrit(max(num_groups - 1.0, 1e-3), 1.0 - _TAIL))


def effective_size(hits: Floats, totals: Floats) -> float:
    """Returns how many independent images the grouped ones are worth for a proportion.

    The design effect is the variance of the proportion with groups over that without
    (Kish 1965, section 8.2). It cannot be seen where few groups have mistakes: then it is
    drawn towards its ceiling Σm²/Σm, images of a group all alike, with the weight of
    two groups. Without groups the result is the number of images exactly.

    Args:
        hits: Successes by group, shape [G].
        totals: Trials by group, shape [G].
    """
    kept = totals > 0
    hits, totals = hits[kept], totals[kept]
    num_groups, num_trials = len(totals), float(totals.sum())
    if num_groups == 0:
        return 0.0
    ceiling = float((totals**2).sum() / num_trials)
    share = float(hits.sum() / num_trials)
    num_informative = mixed_groups(hits, totals)
    observed = ceiling
    if num_groups > 1 and 0.0 < share < 1.0:
        with_groups = float(((hits - share * totals) ** 2).sum()) * num_groups / (num_groups - 1)
        without = share * (1.0 - share) * num_trials * num_trials / (num_trials - 1)
        observed = with_groups / without
    design_effect = (num_informative * observed + _PRIOR_GROUPS * ceiling) / (
        num_informative + _PRIOR_GROUPS
    )
    return num_trials / max(design_effect, 1.0)


def mixed_groups(hits: Floats, totals: Floats) -> int:
    """Returns the number of groups with a success or of those with a failure, the smaller."""
    return min(int((hits > 0).sum()), int((hits < totals).sum()))


def clustered_wilson(hits: Floats, totals: Floats) -> Interval:
    """Returns Wilson's interval at the effective sample size of the groups.

    Args:
        hits: Successes by group, shape [G].
        totals: Trials by group, shape [G].
    """
    num_trials = float(totals.sum())
    if num_trials <= 0:
        return Interval(None, None, None)
    share = float(hits.sum()) / num_trials
    num_groups = int((totals > 0).sum())
    if num_groups < 2:
        return Interval(share, None, None)
    # Korn & Graubard's correction: few groups give a poorly known variance. It is 1
    # where every image is its own group.
    ratio = student_quantile(num_trials) / student_quantile(num_groups)
    size = effective_size(hits, totals) * ratio**2
    return wilson(share * size, size)


def expanded_percentiles(
    estimate: float,
    resampled: Floats,
    *,
    num_groups: int,
    lowest: float = 0.0,
    highest: float = 1.0,
) -> Interval:
    """Returns the bootstrap percentile interval, expanded for the number of groups.

    Args:
        estimate: The figure on the data itself.
        resampled: The figure on each resample, shape [R]; undefined ones are NaN.
        num_groups: Groups the resamples were drawn from; below two there is no interval.
        lowest: Least value the figure can take.
        highest: Greatest value the figure can take.
    """
    from scipy.special import ndtr

    defined = resampled[np.isfinite(resampled)]
    if num_groups < 2 or defined.size == 0:
        return Interval(float(estimate), None, None)
    # A resample repeats some groups and lacks others, which pulls figures such as macro F1
    # to one side. That side step is taken back, so that the interval surrounds the figure.
    defined = defined - (defined.mean() - estimate)
    stretch = math.sqrt(num_groups / (num_groups - 1.0))
    tail = float(ndtr(-stretch * student_quantile(num_groups)))
    low, high = np.quantile(defined, [tail, 1.0 - tail])
    return bounded(estimate, low, high, lowest=lowest, highest=highest)


def hull(first: Interval, second: Interval) -> Interval:
    """Returns the first interval widened to cover the second."""
    if first.estimate is None or first.low is None or first.high is None:
        return first
    if second.low is None or second.high is None:
        return first
    return Interval(first.estimate, min(first.low, second.low), max(first.high, second.high))


def proportion(hits: Floats, totals: Floats, resampled: Floats) -> Interval:
    """Returns the interval of a proportion over groups: bootstrap, or wider (see above).

    Args:
        hits: Successes by group, shape [G].
        totals: Trials by group, shape [G].
        resampled: The proportion on each resample, shape [R].
    """
    cautious = clustered_wilson(hits, totals)
    if cautious.estimate is None or cautious.low is None:
        return cautious
    num_groups = int((totals > 0).sum())
    interval = expanded_percentiles(cautious.estimate, resampled, num_groups=num_groups)
    if mixed_groups(hits, totals) >= FEW_GROUPS:
        return interval
    return hull(interval, cautious)


def mean_of(parts: list[Interval], *, dependence: float = 1.0, lowest: float = 0.0) -> Interval:
    """Returns the interval of a mean of figures by square and add.

    Args:
        parts: The figures; those without an estimate are left out.
        dependence: How many times the variance of the sum may exceed the sum of the
            variances; 1 for independent figures.
        lowest: Least value the figures can take.
    """
    known = [part for part in parts if part.estimate is not None]
    if not known:
        return Interval(None, None, None)
    mean = sum(part.estimate or 0.0 for part in known) / len(known)
    below = above = 0.0
    for part in known:
        if part.estimate is None or part.low is None or part.high is None:
            return Interval(mean, None, None)
        below += (part.estimate - part.low) ** 2
        above += (part.high - part.estimate) ** 2
    scale = math.sqrt(dependence) / len(known)
    low, high = mean - scale * math.sqrt(below), mean + scale * math.sqrt(above)
    return bounded(mean, low, high, lowest=lowest)


def subtracted(first: Interval, second: Interval) -> Interval:
    """Returns the difference of two independent shares or areas by square and add.

    Where the two are paired, leaving out what they share is the cautious side.
    """
    if first.estimate is None or second.estimate is None:
        return Interval(None, None, None)
    difference = first.estimate - second.estimate
    if first.low is None or first.high is None or second.low is None or second.high is None:
        return Interval(difference, None, None)
    below = math.hypot(first.estimate - first.low, second.high - second.estimate)
    above = math.hypot(first.high - first.estimate, second.estimate - second.low)
    return bounded(difference, difference - below, difference + above, lowest=-1.0)
