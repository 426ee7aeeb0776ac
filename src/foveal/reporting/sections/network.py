"""The frozen network that turns an image into features, drawn."""

from __future__ import annotations

from dataclasses import dataclass

from foveal.reporting.report_input import ReportInput
from foveal.reporting.section import Section


@dataclass(frozen=True, slots=True)
class NetworkView:
    """The drawing with its text, as finished markup, and what it costs.

    Attributes:
        drawing: From ``foveal.inspection.picture``, which escapes what it is given.
        num_parameters: Of the whole network.
        macs: Of one image, as text.
    """

    drawing: str
    num_parameters: int
    macs: str


def _view(report: ReportInput) -> NetworkView | None:
    table = report.network
    if table is None:
        return None
    from foveal.inspection.picture.component import component
    from foveal.inspection.picture.facts import macs_text
    from foveal.inspection.picture.picture import picture_of

    return NetworkView(
        drawing=component(picture_of(table)),
        num_parameters=table.totals.parameters,
        macs=macs_text(table.totals.macs),
    )


NETWORK = Section(
    anchor="network",
    contents="The network",
    heading="The network",
    view=_view,
    absent="Not drawn: the network could not be built again without its weights.",
    html="""\
<p>The frozen network turns an image into features: {{ "{:,}".format(view.num_parameters) }}
parameters, {{ view.macs }} for one image. Boxes with ×N stand for N equal parts.</p>
{{ view.drawing | drawn }}
""",
)
