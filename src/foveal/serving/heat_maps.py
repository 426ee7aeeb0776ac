"""Class activation maps of a run, by the output that an exported page has too."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from foveal.serving.problems import RefusedError

if TYPE_CHECKING:
    from onnxruntime import InferenceSession

    from foveal.exporting.facts import PageFacts
    from foveal.runs.classifier import Classifier


@dataclass(frozen=True, slots=True)
class MapSource:
    """What maps come from, or why there are none.

    Attributes:
        facts: What the page says of the run.
        session: The network with ``maps`` as one more output.
    """

    facts: PageFacts
    session: InferenceSession | None

    def require(self) -> dict[str, Any]:
        """Returns where the cells of a map lie.

        Raises:
            RefusedError: 404, the run has no maps.
        """
        found = self.facts.script["map"]
        if found is None:
            raise RefusedError(
                404,
                "no_heat_maps",
                f"This run has no heat maps: {self.facts.script['no_map']}.",
                next_step="foveal explain has other methods that suit every network.",
            )
        centres: dict[str, Any] = found["centres"]
        return centres

    def maps(self, inputs: NDArray[np.float32]) -> NDArray[np.float32]:
        """Returns [n, K, h, w] for prepared images [n, 3, H, W]."""
        assert self.session is not None
        (found,) = self.session.run(["maps"], {"images": inputs})
        result: NDArray[np.float32] = found
        return result


def open_maps(classifier: Classifier) -> MapSource:
    """Opens the network of a loaded run with maps.

    Raises:
        RunAlteredError: The folder holds another version by now.
    """
    import onnxruntime

    from foveal.exporting.facts import gather_facts
    from foveal.exporting.page import mapped_network

    network = mapped_network(classifier)
    facts = gather_facts(classifier, no_maps=network.reason)
    if facts.script["map"] is None:
        return MapSource(facts, None)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.log_severity_level = 4
    session = onnxruntime.InferenceSession(
        network.content, options, providers=["CPUExecutionProvider"]
    )
    return MapSource(facts, session)
