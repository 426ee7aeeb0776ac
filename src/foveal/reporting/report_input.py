"""Everything a report is made of, as one value."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from foveal.evaluation.evidence import Evidence
from foveal.evaluation.model_choice import ModelDescription

if TYPE_CHECKING:
    from foveal.inspection import Inspection
    from foveal.shortcuts.figures import ShownExplanations


class SupportsAudit(Protocol):
    """Anything that gives its findings as JSON values, as ``foveal.dataset.Audit`` does."""

    def to_json(self) -> Mapping[str, Any]:
        """Returns the audit as JSON values."""
        ...


AuditLike = SupportsAudit | Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class BackendTiming:
    """One row of the probe that chose the backend.

    ``images_per_second`` and ``cosine`` (agreement with torch in fp32) are ``None`` where
    the backend could not run; ``note`` then says why.
    """

    name: str
    images_per_second: float | None = None
    cosine: float | None = None
    note: str = ""


@dataclass(frozen=True, slots=True)
class Provenance:
    """How the classifier was made: enough to make it again.

    Attributes:
        backbone: Name of the network that turns an image into features.
        weights_source: Where its weights came from, as a phrase.
        weights_licence: Licence of the weights; ``None`` where unknown.
        preprocessing: ``Preprocessing.to_json()``.
        model: What was fitted over the network; ``None`` where nobody says.
        views: The views whose features were averaged.
        backend: Name of the backend that computed the features.
        probe: What every backend managed on this machine.
        seeds: Seed by purpose.
        versions: Version by package.
        hardware: One line about the machine.
        command: The command line, as one would type it.
        created: Date and time in ISO 8601.
        foveal_version: Version of Foveal.
        data_source: Where the images came from, as given; ``None`` to leave it out.
        data_licence: Licence of the images; ``None`` where unknown.
        notes: Anything else that one needs to know to repeat it.
    """

    backbone: str
    weights_source: str
    preprocessing: Mapping[str, Any]
    backend: str
    command: str
    created: str
    weights_licence: str | None = None
    model: ModelDescription | None = None
    views: tuple[str, ...] = ("identity",)
    probe: tuple[BackendTiming, ...] = ()
    seeds: Mapping[str, int] = field(default_factory=dict)
    versions: Mapping[str, str] = field(default_factory=dict)
    hardware: str = "not recorded"
    foveal_version: str = "not recorded"
    data_source: str | None = None
    data_licence: str | None = None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ReportInput:
    """A classifier's evidence with what is needed to show it.

    Attributes:
        title: Heading of the report.
        evidence: The measurements.
        audit: What is wrong with the data; ``None`` where nobody looked.
        provenance: How the classifier was made; ``None`` for evidence alone.
        pictures: JPEG, PNG or WebP thumbnails by row among the usable images. A missing one
            becomes a placeholder.
        examples: Rows among the usable images to show, by class name.
        explanations: Where the answers come from; ``None`` where nobody looked.
        network: The frozen network, to be drawn; ``None`` where it could not be built.
    """

    title: str
    evidence: Evidence
    audit: AuditLike | None = None
    provenance: Provenance | None = None
    pictures: Mapping[int, bytes] = field(default_factory=dict)
    examples: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    explanations: ShownExplanations | None = None
    network: Inspection | None = None
