"""What ``import foveal`` offers: each function is one command of the command line."""

from foveal.api.comparing import compare
from foveal.api.explaining import explain, visualise
from foveal.api.inspecting import fix, inspect, lint
from foveal.api.opening import open_network, read_batch
from foveal.api.runs import (
    DrawnReport,
    audit,
    checklist,
    drift,
    evaluate,
    load,
    predict,
    predict_shards,
    report,
    statement_path,
    write_statement,
)
from foveal.api.training import FinishedRun, make_run, private_table, train

__all__ = [
    "DrawnReport",
    "FinishedRun",
    "audit",
    "checklist",
    "compare",
    "drift",
    "evaluate",
    "explain",
    "fix",
    "inspect",
    "lint",
    "load",
    "make_run",
    "open_network",
    "predict",
    "predict_shards",
    "private_table",
    "read_batch",
    "report",
    "statement_path",
    "train",
    "visualise",
    "write_statement",
]
