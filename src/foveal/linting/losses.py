"""Which of PyTorch's losses a caller gave, as a class or as a function."""

from __future__ import annotations

from foveal.linting.context import LintContext

_FUNCTIONS = {
    "cross_entropy": "CrossEntropyLoss",
    "nll_loss": "NLLLoss",
    "binary_cross_entropy": "BCELoss",
    "binary_cross_entropy_with_logits": "BCEWithLogitsLoss",
    "multilabel_soft_margin_loss": "MultiLabelSoftMarginLoss",
    "mse_loss": "MSELoss",
    "l1_loss": "L1Loss",
    "smooth_l1_loss": "SmoothL1Loss",
    "huber_loss": "HuberLoss",
    "kl_div": "KLDivLoss",
    "multi_margin_loss": "MultiMarginLoss",
    "soft_margin_loss": "SoftMarginLoss",
    "hinge_embedding_loss": "HingeEmbeddingLoss",
}
# What is given logits of exclusive classes, what their logarithms or the sigmoid's logits.
WITH_SOFTMAX = frozenset({"CrossEntropyLoss"})
OF_LOG_PROBABILITIES = frozenset({"NLLLoss", "KLDivLoss"})
WITH_SIGMOID = frozenset({"BCEWithLogitsLoss", "MultiLabelSoftMarginLoss"})
OF_CLASSES = WITH_SOFTMAX | WITH_SIGMOID | {"NLLLoss", "BCELoss", "MultiMarginLoss"}
OF_DISTANCES = frozenset({"MSELoss", "L1Loss", "SmoothL1Loss", "HuberLoss"})
KNOWN = frozenset(_FUNCTIONS.values())


def loss_name(loss: object) -> str | None:
    """Returns the class name of PyTorch's loss that this is or derives from.

    Functions of ``torch.nn.functional`` have the name of their class. Any other loss has its
    own name; None stands for no loss.
    """
    if loss is None:
        return None
    if (function := getattr(loss, "__name__", None)) in _FUNCTIONS:
        return _FUNCTIONS[str(function)]
    kind = loss if isinstance(loss, type) else type(loss)
    for base in kind.__mro__:
        if base.__name__ in KNOWN and base.__module__.startswith("torch.nn"):
            return base.__name__
    return str(function or kind.__name__)


def is_classifying(context: LintContext) -> bool:
    """Whether the loss is one over classes, or there is none and the labels are whole numbers."""
    if context.loss is not None:
        return loss_name(context.loss) in OF_CLASSES
    labels = context.labels
    return labels is not None and not labels.is_floating_point()
