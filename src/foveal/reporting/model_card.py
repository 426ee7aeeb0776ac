"""The model card: ``README.md`` of a run, with metadata for the Hugging Face Hub."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from foveal.draw.numbers import percent
from foveal.draw.text_layout import shorten_end
from foveal.evaluation.evidence import DataFacts, Interval, Metrics
from foveal.evaluation.metrics import HEADLINE_METRICS
from foveal.evaluation.wording import (
    describe_against_baseline,
    describe_interval,
    describe_judged,
)
from foveal.reporting.audit import read_audit
from foveal.reporting.figures import NUM_WEAKEST, are_many
from foveal.reporting.numbers import count
from foveal.reporting.report_input import Provenance, ReportInput
from foveal.reporting.sections import SECTIONS
from foveal.reporting.sections.headline import spoken_range
from foveal.reporting.sections.heat_maps import shortcut_warnings
from foveal.reporting.sections.meaning import meaning
from foveal.text import count_noun, printable

if TYPE_CHECKING:
    from huggingface_hub import ModelCardData

MAX_NAME_COLUMNS = 80


def render_model_card(
    report: ReportInput,
    *,
    run_name: str = "RUN",
    file_names: Sequence[str] = ("model.safetensors", "model.onnx"),
) -> str:
    """Returns the card as Markdown that starts with Hub metadata in YAML.

    Args:
        report: The same value as the HTML report is made of.
        run_name: The run folder as a reader would type it in the examples.
        file_names: What the folder holds; the loading examples follow it.
    """
    metadata = hub_metadata(report.title, report.evidence.metrics, report.provenance).to_yaml()
    sections = (
        _opening(report),
        _use(report),
        _data(report),
        _evidence(report),
        _loading(run_name, file_names, is_timm=_is_timm(report.provenance)),
        _provenance(report),
        "## Limits\n\n" + _list([*_shortcuts(report), *meaning(report.evidence).limits]),
    )
    return f"---\n{metadata}\n---\n\n" + "\n\n".join(part for part in sections if part) + "\n"


def hub_metadata(title: str, metrics: Metrics, provenance: Provenance | None) -> ModelCardData:
    """Returns the metadata that the Hugging Face Hub reads from a card.

    ``license`` is left out: the licence of the weights is told in the card, but only the owner
    can say under which one the whole may be handed on.

    Args:
        title: May be hostile.
        metrics: Those that are undefined are left out.
        provenance: Its backbone is the base model where it names one of the Hub.
    """
    from huggingface_hub import EvalResult, ModelCardData

    is_timm = _is_timm(provenance)
    estimates = [(one, one.of(metrics).estimate) for one in HEADLINE_METRICS]
    return ModelCardData(
        model_name=printable(title),
        base_model=provenance.backbone
        if provenance is not None and "/" in provenance.backbone
        else None,
        library_name="timm" if is_timm else "foveal",
        pipeline_tag="image-classification",
        tags=[
            "image-classification",
            *(("timm",) if is_timm else ()),
            "foveal",
            "onnx",
            "safetensors",
        ],
        metrics=[one.hub_type for one in HEADLINE_METRICS],
        eval_results=[
            EvalResult(
                task_type="image-classification",
                task_name="Image classification",
                dataset_type="custom",
                dataset_name="Held-out images of the owner's data",
                metric_type=one.hub_type,
                metric_name=one.hub_label or one.label,
                metric_value=round(estimate, 4),
            )
            for one, estimate in estimates
            if estimate is not None and math.isfinite(estimate)
        ],
    )


def _shortcuts(report: ReportInput) -> list[str]:
    shown = report.explanations
    return [] if shown is None else [one.detail for one in shortcut_warnings(shown.run)]


def escape_markdown(text: str) -> str:
    r"""Returns ``text`` so that neither Markdown nor HTML nor an autolink arises from it.

    >>> escape_markdown("<b> *a* | [x](y)")
    '&lt;b&gt; \\*a\\* \\| \\[x\\](y)'
    """
    text = printable(text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    text = re.sub(r"([\\`*_{}\[\]#|~!$])", r"\\\1", text)
    # A bare address or mention becomes a link on the Hub; an entity inside prevents it.
    text = re.sub(r"(?i)\b(https?|ftp):", r"\1&#58;", text)
    text = re.sub(r"(?i)\bwww\.", "www&#46;", text).replace("@", "&#64;")
    # A line that starts like a list, a rule or a number would change the block it stands in.
    return re.sub(r"^(\s*)([-+=])|^(\s*\d+)([.)])", r"\1\3\\\2\4", text)


def _opening(report: ReportInput) -> str:
    evidence = report.evidence
    verdict = describe_against_baseline(evidence.metrics, evidence.baseline)
    names = ", ".join(_name(name) for name in evidence.data.class_names[:12])
    more = len(evidence.data.class_names) - 12
    return "\n\n".join(
        (
            f"# {escape_markdown(report.title)}",
            f"An image classifier of {count_noun(evidence.data.num_classes, 'class', 'classes')}: "
            f"{names}{f' and {more} more' if more > 0 else ''}.",
            f"**Accuracy {describe_interval(evidence.metrics.accuracy)}** on "
            f"{describe_judged(evidence)}: {escape_markdown(verdict)}.",
            f"{escape_markdown(evidence.protocol.sentence)}",
        )
    )


def _use(report: ReportInput) -> str:
    return "\n\n".join(
        (
            "## Intended use",
            "For images like those it was trained on: the same kind of camera, subject and "
            "preparation, and one of the classes above in every image. It supports a person's "
            "judgement. It was not assessed as a medical device or a safety component, and it is "
            "not meant to decide alone where a wrong answer does harm.",
            "Before use elsewhere, measure it there: `foveal evaluate` takes a folder of labelled "
            "images.",
        )
    )


def _data(report: ReportInput) -> str:
    evidence = report.evidence
    facts = evidence.data
    source = evidence.grouping.source
    groups = "Every image counts by itself; no groups were given."
    if source is not None:
        groups = f"Groups: {escape_markdown(source)}" + (
            " (approximate)." if evidence.grouping.is_approximate else "."
        )
    parts = [
        "## Data",
        f"{count_noun(facts.num_images, 'image')}, {count_noun(facts.num_groups, 'group')}, "
        f"{count_noun(facts.num_bad, 'file')} set aside as unusable. {groups}",
        _class_sizes(facts),
    ]
    if report.audit is not None:
        findings = [item for item in read_audit(report.audit).findings if item.severity != "info"]
        if findings:
            parts.append("Known problems of the data:")
            parts.append(_list([item.title for item in findings[:10]]))
    if report.provenance is not None:
        licence = report.provenance.data_licence or "not recorded"
        parts.append(f"Licence of the images: {escape_markdown(licence)}.")
    return "\n\n".join(parts)


def _class_sizes(facts: DataFacts) -> str:
    if are_many(facts.class_names):
        return (
            f"The classes have {min(facts.class_counts):,} to {max(facts.class_counts):,} images."
        )
    return _table(
        ("Class", "Images"),
        [
            (_name(name), count(number))
            for name, number in zip(facts.class_names, facts.class_counts, strict=True)
        ],
    )


def _evidence(report: ReportInput) -> str:
    evidence = report.evidence
    metrics = evidence.metrics
    rows = [
        *((one.label, *_figure(one.of(metrics))) for one in HEADLINE_METRICS),
        ("Accuracy of a constant answer", f"{evidence.baseline.accuracy:.3f}", "by count"),
    ]
    by_class, which = metrics.per_class, ""
    if are_many(by_class):
        by_class = tuple(sorted(by_class, key=lambda item: item.recall.estimate or 0.0))
        by_class, which = by_class[:NUM_WEAKEST], f"The {NUM_WEAKEST} classes of lowest recall:"
    class_rows = [
        (_name(item.name), count(item.num_images), _short(item.recall), _short(item.precision))
        for item in by_class
    ]
    sentences = [sentence for one in SECTIONS for sentence in one.card(report)]
    return "\n\n".join(
        (
            "## Evidence",
            f"From held-out predictions. Intervals: {escape_markdown(metrics.interval_method)}.",
            _table(("Figure", "Estimate", "95% interval"), rows),
            *((which,) if which else ()),
            _table(("Class", "Images", "Recall", "Precision"), class_rows),
            _list(sentences),
            "`report.html` shows all of it with figures; `evaluation.json` holds the numbers.",
        )
    )


def _is_timm(provenance: Provenance | None) -> bool:
    """Whether timm has the network; Foveal's own it has not."""
    return provenance is None or not provenance.backbone.startswith("foveal:")


def _loading(run_name: str, file_names: Sequence[str], *, is_timm: bool) -> str:
    # Inside a code block nothing can be escaped, so what could end it or the string goes.
    run = re.sub(r"[^\w./ +,=@-]", "_", printable(run_name)) or "RUN"
    parts = [
        "## How to load it",
        "Whole, with preprocessing, calibrated probabilities and prediction sets:",
        f'```python\nimport foveal\n\nclassifier = foveal.load("{run}")\n'
        'for row in classifier.predict(["image.png"]):\n    print(row)\n```',
    ]
    if is_timm and "model.safetensors" in file_names:
        parts += [
            "The network alone, in timm (logits; prepare images as `preprocessing.json` says):",
            "```python\nimport timm\n\n"
            f'model = timm.create_model("local-dir:{run}", pretrained=True).eval()\n```',
        ]
    if "model.onnx" in file_names:
        parts += [
            "Without PyTorch, in ONNX Runtime:",
            "```python\nimport onnxruntime\n\n"
            f'session = onnxruntime.InferenceSession("{run}/model.onnx")\n'
            "print(session.get_inputs()[0].shape, session.get_modelmeta().custom_metadata_map)\n"
            "```",
        ]
    return "\n\n".join(parts)


def _provenance(report: ReportInput) -> str:
    provenance = report.provenance
    if provenance is None:
        return ""
    rows = [
        ("Created", provenance.created),
        ("Foveal", provenance.foveal_version),
        ("Backbone", provenance.backbone),
        ("Weights", provenance.weights_source),
        ("Licence of the weights", provenance.weights_licence or "not recorded"),
        ("Views", ", ".join(provenance.views)),
        ("Backend", provenance.backend),
        ("Machine", provenance.hardware),
        ("Command", provenance.command),
        ("Seed of the protocol", str(report.evidence.protocol.seed)),
        ("Packages", ", ".join(f"{name} {value}" for name, value in provenance.versions.items())),
    ]
    return "## How it was made\n\n" + _table(
        ("What", "Value"), [(name, escape_markdown(value)) for name, value in rows]
    )


def _figure(interval: Interval) -> tuple[str, str]:
    if interval.estimate is None:
        return "undefined", "none"
    if interval.low is None or interval.high is None:
        return f"{interval.estimate:.3f}", "none"
    return f"{interval.estimate:.3f}", f"{interval.low:.3f} to {interval.high:.3f}"


def _short(interval: Interval) -> str:
    if interval.estimate is None:
        return "undefined"
    return f"{percent(interval.estimate, digits=1)} ({spoken_range(interval)})"


def _name(name: str) -> str:
    return escape_markdown(shorten_end(name, MAX_NAME_COLUMNS))


def _list(sentences: Sequence[str]) -> str:
    return "\n".join(f"- {escape_markdown(sentence)}" for sentence in sentences)


def _table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = ["| " + " | ".join(header) + " |", "|" + " --- |" * len(header)]
    lines += ["| " + " | ".join(row) + " |" for row in rows]
    return "\n".join(lines)
