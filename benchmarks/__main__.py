"""``python -m benchmarks [NAME …]``: measures, and prints Markdown tables.

Every comparison is a ratio of runs that took turns in one process or one session, because
machines are shared and their speed drifts. ``benchmarks/peers`` needs an environment of its
own; see ``make bench-peers``.
"""

from __future__ import annotations

import argparse
import importlib
import sys

BENCHMARKS: tuple[tuple[str, str], ...] = (
    ("help", "benchmarks.help_time"),
    ("features", "benchmarks.feature_speed"),
    ("train", "benchmarks.train_time"),
    ("elpv", "benchmarks.elpv_protocol"),
    ("memory", "benchmarks.memory"),
    ("inspect", "benchmarks.inspect_speed"),
    ("explain", "benchmarks.explain_speed"),
    ("maximise", "benchmarks.maximise_time"),
    ("finetune", "benchmarks.finetune_speed"),
)
# Long, and about truth instead of speed: run only when named.
SURVEYS: tuple[tuple[str, str], ...] = (
    ("duplicates", "benchmarks.duplicate_recall"),
    ("trace-survey", "benchmarks.trace_survey"),
    ("inspect-agreement", "benchmarks.inspect_agreement"),
    ("explain-agreement", "benchmarks.explain_agreement"),
    ("explain-picture", "benchmarks.explain_picture"),
    ("learn-picture", "benchmarks.learn_picture"),
    ("shortcut-claims", "benchmarks.shortcut_claims"),
    ("drills", "benchmarks.drills"),
    ("record-labs", "benchmarks.record_labs"),
    ("lint-recall", "benchmarks.lint_mutants.__main__"),
    ("lint-faults", "benchmarks.lint_faults.__main__"),
    ("lint-survey", "benchmarks.lint_survey"),
    ("lint-tasks", "benchmarks.lint_tasks"),
    ("lint-trained", "benchmarks.lint_trained"),
    ("drift-alarms", "benchmarks.drift_alarms"),
    ("elpv-heads", "benchmarks.elpv_heads"),
    ("elpv-finetune", "benchmarks.elpv_finetune"),
    ("scratch", "benchmarks.scratch"),
    ("choice-optimism", "benchmarks.choice_optimism"),
    ("claims", "benchmarks.claims.__main__"),
    ("intervals", "benchmarks.interval_coverage"),
    ("page-parity", "benchmarks.page_parity"),
    ("serve-load", "benchmarks.serve_load"),
    ("serve-kill", "benchmarks.serve_kill"),
    ("kill", "benchmarks.kill"),
    ("shards", "benchmarks.shards"),
    ("kill-finetune", "benchmarks.kill_finetune"),
)


def main() -> None:
    known = [name for name, _ in (*BENCHMARKS, *SURVEYS)]
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(known)}")
    wanted = parser.parse_args().names or [name for name, _ in BENCHMARKS]
    for name in wanted:
        if name not in known:
            sys.exit(f"There is no benchmark {name!r}; known: {', '.join(known)}.")
    for name, module in (*BENCHMARKS, *SURVEYS):
        if name in wanted:
            print(f"\n## {name}\n", flush=True)
            sys.argv = [module]  # some read options of their own when run alone
            importlib.import_module(module).main()


if __name__ == "__main__":
    main()
