"""B305: outputs that are infinite or not a number, with the first layer that makes them."""

from __future__ import annotations

import torch
from torch import Tensor

from foveal.graph.borrowing import fully_borrowed
from foveal.graph.structure import tensors_in, tensors_with_paths
from foveal.linting.behaviour.passes import call, images_of, reason_not_to_run
from foveal.linting.behaviour.watching import Call, watching
from foveal.linting.context import LintContext
from foveal.linting.finding import Checked, Finding, Outcome
from foveal.linting.rule import Rule

# These write infinities on purpose, as in the mask of an attention.
_ON_PURPOSE = frozenset({"masked_fill", "full", "full_like", "fill", "new_full", "tensor", "where"})


def check(context: LintContext) -> Outcome:
    """Runs the batch in the present mode; if the answer is not finite, looks for the place."""
    if (reason := reason_not_to_run(context)) is not None:
        return reason
    images = images_of(context)
    if not _is_finite(images):
        count = int((~torch.isfinite(images)).sum())
        return Checked(
            (
                Finding(
                    code="B305",
                    severity="error",
                    place="",
                    evidence=f"The batch itself holds {count:,} values that are not finite.",
                    fix="Mend how the images are read; look for divisions by a standard "
                    "deviation of zero.",
                    data={"num_values": count},
                ),
            )
        )
    first: list[Call] = []

    def see(call: Call) -> None:
        if not first and call.function not in _ON_PURPOSE and not _is_finite(call.result):
            first.append(call)

    with fully_borrowed(context.model) as model, torch.no_grad():
        random_state = torch.get_rng_state()
        outputs = [tensor for _, tensor in tensors_with_paths(call(model, images))]
        if all(_is_finite(tensor) for tensor in outputs):
            return Checked()
        torch.set_rng_state(random_state)
        with watching(model, see):
            call(model, images)
    return Checked((_finding(first[0] if first else None, outputs, context),))


def _is_finite(tensor: Tensor) -> bool:
    return not tensor.is_floating_point() or bool(torch.isfinite(tensor).all())


def _finding(call: Call | None, outputs: list[Tensor], context: LintContext) -> Finding:
    broken = sum(int((~torch.isfinite(t)).sum()) for t in outputs if t.is_floating_point())
    total = sum(t.numel() for t in outputs if t.is_floating_point())
    told = f"{broken:,} of {total:,} output values are not finite"
    if call is None:
        return Finding(
            code="B305",
            severity="error",
            place="",
            evidence=f"{told}; no PyTorch function that was called made the first of them.",
            fix="Check the model's own extensions for divisions by zero and overflow.",
        )
    bad = [
        name
        for name, parameter in context.model.named_parameters()
        if not _is_finite(parameter.detach())
        and any(parameter is tensor for tensor in tensors_in((call.arguments, call.options)))
    ]
    bad += [
        name
        for name, buffer in context.model.named_buffers()
        if not _is_finite(buffer)
        and any(buffer is tensor for tensor in tensors_in((call.arguments, call.options)))
    ]
    if bad:
        cause = f"; {bad[0]!r} itself is not finite"
        fix = "Go back to weights from before they broke, and lower the learning rate."
    elif call.result.dtype == torch.float16:
        cause = "; float16 ends at 65,504"
        fix = "Run this layer in float32 or bfloat16."
    else:
        cause = ""
        fix = "Look for a division by zero, a logarithm or root of a negative, or overflow there."
    return Finding(
        code="B305",
        severity="error",
        place=call.place,
        evidence=f"{told}; the first come from {call.place!r} ({call.function}){cause}.",
        fix=fix,
        data={"num_broken": broken, "num_values": total, "function": call.function},
    )


RULE = Rule("B305", "outputs that are not finite", "error", check)
