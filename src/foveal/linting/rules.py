"""Every rule there is, in one table."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Literal

from foveal.errors import UsageError
from foveal.linting.behaviour import (
    activations,
    changing_answers,
    gradients,
    input_scale,
    input_statistics,
    unreached,
)
from foveal.linting.context import LintContext
from foveal.linting.finding import Outcome, Severity
from foveal.linting.structure import (
    depth,
    head,
    kernels,
    norms,
    outputs,
    receptive_fields,
    unowned_layers,
    windows,
    wiring,
)
from foveal.linting.training import (
    labels,
    learning_rates,
    loss_fit,
    normalisation,
    optimizer_groups,
    optimizer_settings,
    trial_findings,
)
from foveal.linting.weights import batch_norms, layers
from foveal.text import near_names

Family = Literal["structure", "weights", "behaviour", "training"]
FAMILIES: dict[str, Family] = {
    "S": "structure",
    "W": "weights",
    "B": "behaviour",
    "T": "training",
}


@dataclass(frozen=True, slots=True)
class Rule:
    """One thing that can be wrong with a network.

    Attributes:
        code: A letter for the family and three digits: S1.. structure, W2.. weights,
            B3.. behaviour, T4.. training. The same code names the page and the test.
        title: What is wrong, as a noun phrase in lower case.
        severity: The gravest that its findings have; one of them may be milder.
        check: Looks at a model. Pure: same context, same outcome, nothing changed.
        topics: Numbers of the course's topics that the rule belongs to.
    """

    code: str
    title: str
    severity: Severity
    check: Callable[[LintContext], Outcome]
    topics: tuple[int, ...] = ()

    @property
    def family(self) -> Family:
        """What the rule looks at."""
        return FAMILIES[self.code[0]]

    @property
    def docs(self) -> str:
        """The page that teaches it, relative to the project's root."""
        return f"docs/rules/{self.code}.md"


RULES: tuple[Rule, ...] = (
    Rule("S101", "bias before a normalisation", "info", norms.bias_before_norm, (11,)),
    Rule(
        "S102", "a map flattened into a giant linear layer", "warning", head.flattened_head, (18,)
    ),
    Rule(
        "S103",
        "layers that see the whole input already",
        "info",
        receptive_fields.unproductive_layers,
        (15, 5),
    ),
    Rule("S104", "final map too small for the input", "warning", head.small_final_map, (2, 19)),
    Rule("S105", "values that a stride steps over", "warning", windows.unseen_values, (2, 15)),
    Rule("S106", "gridding from dilated convolutions", "warning", receptive_fields.gridding, (12,)),
    Rule(
        "S107", "checkerboard of a transposed convolution", "warning", kernels.checkerboard, (12,)
    ),
    Rule("S108", "kernel larger than its input", "warning", windows.mostly_padding, (2, 15)),
    Rule("S109", "deep plain stack without shortcut", "warning", depth.plain_stack, (6, 24)),
    Rule(
        "S110", "two linear maps with nothing between", "warning", depth.linear_after_linear, (7, 5)
    ),
    Rule("S111", "softmax before a cross-entropy", "error", outputs.softmax_output, (19,)),
    Rule("S112", "dropout before batch norm", "warning", norms.dropout_before_norm, (27,)),
    Rule("S113", "batch norm after the last layer", "warning", norms.norm_after_last, (27,)),
    Rule("S114", "even kernel that shifts", "warning", kernels.even_kernel, (2, 3)),
    Rule("S115", "large kernel with a cheaper equal", "info", kernels.large_kernel, (5,)),
    Rule(
        "S116", "dense convolutions with a cheaper relative", "info", kernels.dense_share, (9, 23)
    ),
    Rule("S117", "batch norm that could be folded", "info", norms.foldable_norm, (27,)),
    Rule("S118", "layer whose result nobody reads", "warning", wiring.unread_layer, (2,)),
    Rule(
        "S119", "layers that the model does not own", "error", unowned_layers.unowned_layers, (13,)
    ),
    Rule("S120", "activation or dropout on the logits", "error", outputs.squashed_logits, (19,)),
    Rule("S121", "layers without any nonlinearity", "warning", depth.linear_network, (7,)),
    Rule("S122", "dropout of nearly everything", "error", norms.dropout_of_nearly_everything),
    Rule(
        "S123", "batch norm statistics that do not average", "warning", norms.norm_momentum, (27,)
    ),
    Rule("S124", "softmax between layers", "warning", wiring.softmax_between_layers, (19,)),
    Rule("S125", "a passage of a single number", "warning", wiring.narrow_passage, (17,)),
    Rule("S126", "pooling over the wrong extent", "warning", windows.wrong_pooling, (3,)),
    Rule("W201", "weights that are not finite", "error", layers.non_finite_weights),
    Rule("W202", "dead filters", "warning", layers.dead_filters),
    Rule("W203", "batch norm that was never updated", "error", batch_norms.stale_norm, (27,)),
    Rule(
        "W204",
        "batch norm with vanishing variance",
        "warning",
        batch_norms.vanishing_variance,
        (27,),
    ),
    Rule("W205", "layer left at its initialisation", "error", layers.left_at_start, (10, 13)),
    Rule("W206", "filters that are all the same", "error", layers.same_filters, (1,)),
    Rule(
        "B301",
        "answers that depend on the rest of the batch",
        "error",
        changing_answers.batch_dependence,
        (27,),
    ),
    Rule(
        "B302",
        "input statistics that contradict the first batch norm",
        "error",
        input_statistics.input_statistics,
        (16,),
    ),
    Rule("B303", "dead ReLUs", "error", activations.dead_relus),
    Rule(
        "B304", "vanishing or exploding gradients", "error", gradients.unstable_gradients, (6, 24)
    ),
    Rule("B305", "outputs that are not finite", "error", activations.non_finite_output),
    Rule(
        "B306",
        "different answers to the same input",
        "error",
        changing_answers.changing_answers,
        (27,),
    ),
    Rule("B307", "layers that no gradient reaches", "error", unreached.unreached_layers, (6, 13)),
    Rule(
        "B308",
        "images that the network is not made for",
        "error",
        input_scale.unsuitable_images,
        (16,),
    ),
    Rule(
        "T401",
        "pretrained and new layers at one rate",
        "warning",
        learning_rates.one_rate,
        (10, 13, 25),
    ),
    Rule(
        "T402",
        "frozen weights whose batch norm still updates",
        "warning",
        normalisation.frozen_norms,
        (27,),
    ),
    Rule(
        "T403",
        "trainable parameters in no group",
        "warning",
        optimizer_groups.parameters_not_held,
        (13,),
    ),
    Rule("T404", "parameters in two groups", "error", optimizer_groups.parameters_held_twice),
    Rule(
        "T405",
        "an optimizer with parameters of another model",
        "error",
        optimizer_groups.foreign_parameters,
    ),
    Rule("T406", "weight decay on norms and biases", "info", normalisation.norm_decay),
    Rule("T407", "batch norm training on tiny batches", "error", normalisation.tiny_batches, (27,)),
    Rule(
        "T408",
        "an optimizer with frozen parameters only",
        "error",
        optimizer_groups.only_frozen_parameters,
        (13,),
    ),
    Rule(
        "T409",
        "a learning rate that trains nothing",
        "error",
        learning_rates.dead_learning_rate,
        (10,),
    ),
    Rule("T410", "a loss that outputs and labels do not fit", "error", loss_fit.loss_fit, (19,)),
    Rule("T411", "a first loss far from that of chance", "warning", loss_fit.first_loss, (16,)),
    Rule(
        "T412",
        "a learning rate out of any sensible range",
        "error",
        learning_rates.rate_out_of_range,
        (10,),
    ),
    Rule(
        "T413",
        "optimizer settings that no training can use",
        "error",
        optimizer_settings.optimizer_settings,
        (10,),
    ),
    Rule("T414", "labels that are all the same", "warning", labels.same_labels, (25,)),
    Rule("T415", "a trial that fails", "error", trial_findings.failing_trial, (10, 24)),
    Rule(
        "T416",
        "layers frozen before they learned",
        "warning",
        optimizer_groups.frozen_new_layers,
        (13,),
    ),
    Rule("T417", "training in evaluation mode", "warning", normalisation.evaluation_mode, (27,)),
)


def choose_rules(
    *, select: Iterable[str] | None = None, ignore: Iterable[str] = ()
) -> tuple[Rule, ...]:
    """Returns the rules that ``select`` names and ``ignore`` does not.

    Each word is a code (``"S101"``), the beginning of one (``"S"``, ``"W2"``) or a family
    (``"weights"``). None selects all.

    Raises:
        UsageError: A word names no rule.
    """
    chosen = RULES if select is None else _rules_named(select)
    dropped = {rule.code for rule in _rules_named(ignore)}
    return tuple(rule for rule in chosen if rule.code not in dropped)


def rule(code: str) -> Rule:
    """Returns the rule of that code.

    Raises:
        UsageError: There is none.
    """
    for known in RULES:
        if known.code == code.upper():
            return known
    raise _unknown(code)


def _rules_named(words: Iterable[str]) -> tuple[Rule, ...]:
    words = (words,) if isinstance(words, str) else tuple(words)
    wanted: set[str] = set()
    for word in words:
        matching = {
            known.code
            for known in RULES
            if word and (known.code.startswith(word.upper()) or known.family == word.lower())
        }
        if not matching:
            raise _unknown(word)
        wanted |= matching
    return tuple(known for known in RULES if known.code in wanted)


def _unknown(word: str) -> UsageError:
    near = near_names(word.upper(), [known.code for known in RULES])
    hint = f"Did you mean {' or '.join(near)}? " if near else ""
    return UsageError(
        f"There is no lint rule {word!r}.",
        next_step=f"{hint}Rules are named by code (S101), by the beginning of one (S) or by "
        "family (structure, weights, behaviour, training).",
    )
