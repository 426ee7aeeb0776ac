"""A Ray cluster of two nodes on this machine, for tests and measurements."""

from __future__ import annotations

import contextlib
import os
import secrets
from collections.abc import Iterator
from pathlib import Path


@contextlib.contextmanager
def two_nodes(cores_each: int = 1) -> Iterator[str]:
    """Yields the address; its token is in the environment meanwhile, and usage is not reported."""
    before = dict(os.environ)
    os.environ |= {
        "RAY_USAGE_STATS_ENABLED": "0",
        "RAY_AUTH_MODE": "token",
        "RAY_AUTH_TOKEN": secrets.token_hex(32),
    }
    from ray.cluster_utils import Cluster

    try:
        cluster = Cluster(
            initialize_head=True,
            head_node_args={"num_cpus": cores_each, "include_dashboard": False},
        )
        cluster.add_node(num_cpus=cores_each)
        try:
            yield str(cluster.address)
        finally:
            cluster.shutdown()
    finally:
        os.environ.clear()
        os.environ |= before


def task_workers() -> list[int]:
    """Returns the processes of this program's cluster that a shard runs in at this moment."""
    ours = f"RAY_AUTH_TOKEN={os.environ['RAY_AUTH_TOKEN']}".encode()
    found = []
    for folder in Path("/proc").iterdir():
        with contextlib.suppress(OSError):
            if (
                folder.name.isdigit()
                and b"ray::work" in (folder / "cmdline").read_bytes()
                and ours in (folder / "environ").read_bytes()
            ):
                found.append(int(folder.name))
    return found
