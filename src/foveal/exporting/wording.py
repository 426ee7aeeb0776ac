"""The page's standing text as markup: what the classifier is, and what is known of it."""

from __future__ import annotations

from html import escape

from foveal.exporting.facts import Agreements, Said
from foveal.exporting.hosts import Host
from foveal.runs import Classifier
from foveal.text import printable


def warnings_html(said: Said) -> str:
    """Returns what the run found that its owner must know first; empty where nothing."""
    if not said.warnings:
        return ""
    return (
        '<section class="warning" aria-labelledby="warning-title">'
        '<h2 id="warning-title">Know this first</h2>'
        f"{_list(said.warnings)}</section>"
    )


def evidence_html(said: Said) -> str:
    """Returns what the headline rests on."""
    return "".join(f"<p>{escape(one)}</p>" for one in said.evidence)


def limits_html(said: Said) -> str:
    """Returns the limits as a list."""
    return _list(said.limits)


def about_html(
    classifier: Classifier, digest: str, host: Host, agreements: Agreements | None
) -> str:
    """Returns who made it, from what, and how far the page agrees with Python."""
    manifest = classifier.manifest
    backbone = manifest.get("backbone") or {}
    facts = (
        ("Run", printable(classifier.folder.resolve().name)),
        ("Made", printable(str(manifest.get("created", "unknown")))),
        ("Network", printable(str(backbone.get("name", "unknown")))),
        ("Weights", printable(str(backbone.get("weights", "unknown")))),
        ("Licence of the weights", printable(str(backbone.get("licence", "unknown")))),
        ("SHA-256 of model.onnx", digest),
        ("SHA-256 of the data", printable(str(manifest.get("data_sha256", "unknown")))),
        ("Answers by", host.answers_by),
    )
    rows = "".join(f"<dt>{escape(name)}</dt><dd>{escape(value)}</dd>" for name, value in facts)
    agreement = _agreement_html(agreements) if host.is_offline else ""
    return f'<dl class="facts">{rows}</dl>{agreement}'


def _agreement_html(agreements: Agreements | None) -> str:
    if agreements is None:
        return "<p>Its agreement with Foveal in Python was not measured.</p>"
    body = "".join(
        f'<tr><th scope="row">{escape(row.kind)}</th><td>{row.num_files:,}</td>'
        f"<td>{row.num_equal:,}</td><td>{_levels(row.max_level_difference)}</td>"
        f"<td>{_small(row.max_probability_difference)}</td></tr>"
        for row in agreements.rows
    )
    return (
        "<h3>Does it answer as Foveal does in Python?</h3>"
        f"<p>Measured on {agreements.num_files:,} files in {escape(agreements.browser)} with "
        f"{escape(agreements.model)}. “Equal” counts files whose every pixel, as it enters the "
        "network, is the same number in both. WebP, AVIF, GIF and BMP are decoded by the "
        "browser, all others by the page itself.</p>"
        '<div class="scroll" role="region" aria-label="Agreement with Python" tabindex="0">'
        "<table><thead><tr><th>Kind</th><th>Files</th><th>Equal</th>"
        "<th>Largest difference of a level, of 255</th>"
        f"<th>Largest difference of a probability</th></tr></thead><tbody>{body}</tbody>"
        "</table></div>"
        f"<p>{agreements.num_unread:,} more files of kinds that the page does not read were each "
        "refused by name.</p>"
    )


def _levels(value: float) -> str:
    return "0" if value == 0 else f"{value:.2g}"


def _small(value: float) -> str:
    return "0" if value == 0 else f"{value:.1e}".replace("e-0", "e-")


def _list(items: tuple[str, ...]) -> str:
    return f"<ul>{''.join(f'<li>{escape(one)}</li>' for one in items)}</ul>"
