"""The machine a lab ran on, in a few words."""

from __future__ import annotations

import importlib.metadata

from foveal.runs.environment import describe_hardware


def describe_machine() -> str:
    """Returns processor, cores and the version of PyTorch."""
    hardware = describe_hardware()
    return (
        f"{hardware['processor']}, {hardware['num_cores']} cores, "
        f"PyTorch {importlib.metadata.version('torch')}"
    )
