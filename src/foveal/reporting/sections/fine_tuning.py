"""Whether fine-tuning was worth it: verdict, gain and cost, and how each training went."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

from foveal.draw.numbers import percent
from foveal.draw.svg import Scale, element, figure, nice_ticks, number, words
from foveal.evaluation.evidence import Evidence
from foveal.evaluation.fine_tuning import FineTuning, TrainingCurve
from foveal.reporting.figures import Drawing, Table
from foveal.reporting.report_input import ReportInput
from foveal.reporting.section import Section

_PLOT_PX = 200.0
_SERIES = (("train_loss", "a"), ("validation_loss", "b"))


@dataclass(frozen=True, slots=True)
class FineTuningView:
    """Sentences, and the curves where something was trained."""

    sentence: str
    plan: str
    reported: str
    notes: tuple[str, ...]
    drawing: Drawing | None


def fine_tuning_section(found: FineTuning) -> FineTuningView:
    """Returns what was tried, what came of it, and the loss of every training by epoch."""
    return FineTuningView(
        sentence=found.sentence,
        plan=f"Trained: {found.plan}." if found.plan else "",
        reported=describe_reported(found) or "",
        notes=found.notes,
        drawing=_drawing(found.curves) if found.curves else None,
    )


def describe_reported(found: FineTuning) -> str | None:
    """Returns of which answers the figures are, where folds do not all choose what was kept."""
    if not found.by_fold or set(found.by_fold) == {found.kept}:
        return None
    listed = ", ".join(
        f"{kind} in {found.by_fold.count(kind)}" for kind in dict.fromkeys(found.by_fold)
    )
    return (
        "The figures are of answers that had no say in this choice: for every fold the kind was "
        f"chosen by the other folds ({listed} of {len(found.by_fold)})."
    )


def draw_training(curve: TrainingCurve, *, highest: float) -> str:
    """Returns training and validation loss by epoch; the kept epoch is marked.

    Args:
        curve: One training.
        highest: The largest loss of all trainings, so that they share an axis.
    """
    ticks = nice_ticks(0.0, highest, most=4)
    # The last tick may lie below the largest loss.
    up = Scale(ticks[0], max(ticks[-1], highest), _PLOT_PX, 0.0)
    last = max(1, curve.epochs[-1].epoch)
    across = Scale(0.0, float(last))
    parts = []
    for tick in ticks:
        y = up(tick)
        parts.append(element("line", class_="grid", x1="0%", x2="100%", y1=y, y2=y))
        parts.append(words(f"{tick:g}", class_="tick", x=0, dx=-8, y=y + 4, text_anchor="end"))
    parts += [
        words(
            str(epoch),
            class_="tick",
            x=across.x(epoch),
            y=_PLOT_PX + 18,
            text_anchor="start" if epoch == 0 else "end" if epoch == last else "middle",
        )
        for epoch in sorted({0, curve.kept_epoch, last})
    ]
    kept = across.x(curve.kept_epoch)
    parts.append(element("line", class_="reference", x1=kept, x2=kept, y1=0, y2=_PLOT_PX))
    for field, mark in _SERIES:
        points = [
            (point.epoch, value)
            for point in curve.epochs
            if (value := getattr(point, field)) is not None
        ]
        for (x1, a), (x2, b) in pairwise(points):
            parts.append(
                element(
                    "line",
                    class_=f"path {mark}",
                    x1=across.x(x1),
                    y1=up(a),
                    x2=across.x(x2),
                    y2=up(b),
                )
            )
        parts += [
            element("circle", class_=f"mark {mark} solid", cx=across.x(x), cy=up(value), r=3)
            for x, value in points
        ]
    return figure(
        parts,
        title=f"Loss by epoch, {curve.name}",
        description=_describe(curve),
        height_px=_PLOT_PX + 24,
    )


def _drawing(curves: tuple[TrainingCurve, ...]) -> Drawing:
    losses = [
        value
        for curve in curves
        for point in curve.epochs
        for value in (point.train_loss, point.validation_loss)
        if value is not None
    ]
    shown = curves[-1]  # the one whose weights the run holds
    return Drawing(
        svg=draw_training(shown, highest=max(losses, default=1.0)),
        caption=f"Cross-entropy by epoch of the training on {shown.name}. The upright line is the "
        "epoch that was kept; epoch 0 is the linear head on frozen features. The training loss is "
        "of changed and mixed images, so it may lie above that of the inner split.",
        table=Table(
            "All trainings",
            (
                "Training",
                "Epochs",
                "Kept",
                "Way from start",
                "Train loss",
                "Inner loss",
                "Inner accuracy",
            ),
            tuple(_row(curve) for curve in curves),
        ),
        gutter="tick",
        legend=(("a", "training"), ("b", "inner split, held out by group")),
    )


def _row(curve: TrainingCurve) -> tuple[str, ...]:
    kept = next(point for point in curve.epochs if point.epoch == curve.kept_epoch)
    return (
        curve.name,
        number(curve.epochs[-1].epoch),
        number(curve.kept_epoch),
        percent(curve.share),
        _loss(kept.train_loss),
        _loss(kept.validation_loss),
        "n/a" if kept.validation_accuracy is None else percent(kept.validation_accuracy, digits=1),
    )


def _loss(value: float | None) -> str:
    return "n/a" if value is None else f"{value:.3f}"


def _describe(curve: TrainingCurve) -> str:
    told = "; ".join(
        f"epoch {point.epoch}: training {_loss(point.train_loss)}, inner split "
        f"{_loss(point.validation_loss)}"
        for point in curve.epochs
    )
    return f"{told}. Epoch {curve.kept_epoch} was kept."


def _view(report: ReportInput) -> FineTuningView | None:
    found = report.evidence.fine_tuning
    return None if found is None else fine_tuning_section(found)


def _text(evidence: Evidence) -> str | None:
    found = evidence.fine_tuning
    if found is None:
        return None
    plan = f"Trained: {found.plan}." if found.plan else ""
    return " ".join(part for part in (found.sentence, plan, describe_reported(found)) if part)


def _card(report: ReportInput) -> tuple[str, ...]:
    text = _text(report.evidence)
    return () if text is None else (f"Fine-tuning: {text}",)


FINE_TUNING = Section(
    anchor="fine-tuning",
    contents="Fine-tuning",
    heading="Was fine-tuning worth it?",
    view=_view,
    absent="Not tried: the network was used as it was pretrained. --fine-tune auto tries it and "
    "keeps it only where it is better.",
    text=_text,
    card=_card,
    html="""\
<p class="lead">{{ view.sentence }}</p>
{% if view.plan %}<p>{{ view.plan }}</p>{% endif %}
{% if view.reported %}<p>{{ view.reported }}</p>{% endif %}
{% if view.drawing is not none %}
{{ m.drawing(view.drawing) }}
{% endif %}
{% for note in view.notes %}
<p>{{ note }}</p>
{% endfor %}
""",
)
