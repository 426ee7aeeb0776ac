"""What the number says, what it does not, and the limits of the whole report."""

from __future__ import annotations

from dataclasses import dataclass

from foveal.draw.numbers import percent
from foveal.evaluation.evidence import Evidence
from foveal.evaluation.wording import describe_against_baseline
from foveal.reporting.numbers import count
from foveal.reporting.section import Section
from foveal.reporting.sections.headline import spoken_range
from foveal.text import count_noun, printable


@dataclass(frozen=True, slots=True)
class Meaning:
    """Sentences: what the number says, what it does not, and what limits all of it."""

    does: tuple[str, ...]
    does_not: tuple[str, ...]
    limits: tuple[str, ...]


def meaning(evidence: Evidence) -> Meaning:
    """Returns the sentences that this evidence earns."""
    return Meaning(_does(evidence), _does_not(evidence), _limits(evidence))


def _does(evidence: Evidence) -> tuple[str, ...]:
    metrics = evidence.metrics
    by = (
        "by the finished classifier"
        + (", which was trained on them" if evidence.protocol.measured_on == "seen" else "")
        if evidence.protocol.kind == "evaluation"
        else "each by a model that was not trained on that image"
    )
    sentences = [
        f"{percent(metrics.accuracy.estimate, digits=1)} of "
        f"{count_noun(metrics.num_images, 'image')} were classified correctly, {by}.",
    ]
    if metrics.accuracy.low is not None:
        sentences.append(
            f"On more images like these, expect {spoken_range(metrics.accuracy)}. The "
            f"interval treats the {count_noun(metrics.num_groups, 'group')} as the independent "
            "observations, not the single images."
            if metrics.num_groups < metrics.num_images
            else f"On more images like these, expect {spoken_range(metrics.accuracy)}."
        )
    verdict = describe_against_baseline(metrics, evidence.baseline)
    sentences.append(
        f"It is {verdict}." if not verdict.startswith("with ") else f"It is, {verdict}."
    )
    return tuple(sentences)


def _does_not(evidence: Evidence) -> tuple[str, ...]:
    sentences = [
        "How it does on images from another camera, site, batch or time: only labelled images "
        "from there can tell. “foveal evaluate” measures it.",
    ]
    if evidence.grouping.source is None and evidence.protocol.kind == "evaluation":
        sentences.append(
            "Whether several images show one patient, module or batch: no groups were given. If "
            "they do, the interval is too narrow."
        )
    elif evidence.grouping.source is None:
        sentences.append(
            "Whether images of one patient, module or batch stand on both sides of the split: no "
            "groups were given. If there are any, the figure may be too high."
        )
    elif evidence.grouping.is_approximate:
        sentences.append(
            f"The groups ({printable(evidence.grouping.source)}) are approximate, so some images "
            "that belong together may still have been separated."
        )
    sentences.append(
        "How a rare class fares: one overall figure is mostly about the common classes. See the "
        "figures by class."
    )
    sentences.append(
        "Whether the labels are right. Where a label is wrong, a correct answer counts as a "
        "mistake."
    )
    return tuple(sentences)


def _limits(evidence: Evidence) -> tuple[str, ...]:
    sentences = [
        "The classifier knows only the classes above. Shown anything else, it still answers with "
        "one of them; the flag for unlike images catches some of these, not all.",
        "All figures assume that images to come are drawn like these, with the classes in the "
        "same proportions. Where the proportions differ, the probabilities are off.",
        "A 95% interval misses the true value about once in twenty times; with many figures on "
        "one page, some are off.",
        "Names of files and folders are kept as they are, and so is what is written into an "
        "image that this page shows: where they name a person, so do this page and its run.",
        "It has not been assessed as a medical device or a safety component. Decisions that "
        "matter need a person, and a test on the site's own images.",
    ]
    small = [item for item in evidence.metrics.per_class if item.num_images < 30]
    if small:
        names = ", ".join(f"“{printable(item.name)}” ({item.num_images})" for item in small[:6])
        more = f" and {len(small) - 6} more" if len(small) > 6 else ""
        sentences.append(f"Few images in {names}{more}: their figures say little by themselves.")
    if evidence.metrics.num_groups < 20:
        sentences.append(
            f"Only {count(evidence.metrics.num_groups)} independent groups: intervals from a "
            "bootstrap over so few tend to be too narrow."
        )
    return (*sentences, *(printable(note) for note in evidence.protocol.notes))


MEANING = Section(
    anchor="meaning",
    contents="What it says",
    heading="What this number does and does not say",
    view=lambda report: meaning(report.evidence),
    html="""\
<div class="columns">
<div>
<h3>It says</h3>
<ul class="said">
{% for sentence in view.does %}
<li>{{ sentence }}</li>
{% endfor %}
</ul>
</div>
<div>
<h3>It does not say</h3>
<ul class="unsaid">
{% for sentence in view.does_not %}
<li>{{ sentence }}</li>
{% endfor %}
</ul>
</div>
</div>
""",
)

LIMITS = Section(
    anchor="limits",
    contents="Limits",
    heading="Limits",
    view=lambda report: meaning(report.evidence),
    html="""\
<ul>
{% for sentence in view.limits %}
<li>{{ sentence }}</li>
{% endfor %}
</ul>
""",
)
