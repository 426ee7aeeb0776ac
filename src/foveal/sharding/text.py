"""What a ledger holds when it is finished, for the terminal."""

from __future__ import annotations

from typing import Final

from foveal.draw.text_layout import COLUMNS, shorten_end
from foveal.sharding.predicting import Sharded
from foveal.text import count_noun, printable

_NUM_REASONS: Final = 8


def render_text(done: Sharded) -> str:
    """Returns the parts, the rows, and why rows have no answer."""
    there = f", {done.num_found:,} of them there before" if done.num_found else ""
    lines = [
        f"Parts   {done.num_parts:,} in {printable(str(done.folder))}{there}",
        f"Rows    {done.num_rows:,}",
    ]
    if done.num_bad:
        share = f"{done.num_bad:,} of {count_noun(done.num_rows, 'file')}"
        lines.append(f"Bad     {share} could not be used:")
        shown = list(done.reasons.items())[:_NUM_REASONS]
        lines += [shorten_end(f"{number:>10,}  {reason}", COLUMNS) for reason, number in shown]
        if rest := len(done.reasons) - len(shown):
            lines.append(f"{'':>10}  and {count_noun(rest, 'reason')} more, in the parts")
    return "\n".join(lines)
