"""Where a run was made: versions and hardware, without anything about the person."""

from __future__ import annotations

import os
import platform
from importlib import metadata
from pathlib import Path

from foveal.features.backends import BACKEND_PACKAGES

_PACKAGES = (
    "foveal",
    "torch",
    "torchvision",
    "timm",
    "onnxruntime",
    "onnx",
    "numpy",
    "scikit-learn",
    "cleanlab",
    "pillow",
    "pydicom",
)


def describe_versions() -> dict[str, str]:
    """Returns the version of Python and of every package that can change a result."""
    versions = {"python": platform.python_version()}
    for package in dict.fromkeys((*_PACKAGES, *BACKEND_PACKAGES)):
        try:
            versions[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return versions


def describe_hardware() -> dict[str, str | int]:
    """Returns the processor, cores and memory; no host or user name."""
    num_cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    facts: dict[str, str | int] = {
        "system": f"{platform.system()} {platform.machine()}",
        "processor": _processor(),
        "num_cores": num_cores or 1,
    }
    try:
        num_bytes = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
        facts["memory_gib"] = round(num_bytes / 2**30)
    except (AttributeError, ValueError, OSError):
        pass  # no such figure on this system
    return facts


def _processor() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text("utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()
