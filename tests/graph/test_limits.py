"""What tracing cannot follow is no fault of a model that works; a real forward pass decides."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional
from torch.utils.checkpoint import checkpoint

from foveal.errors import TraceError
from foveal.graph import Graph, trace
from foveal.linting import lint

pytestmark = [
    pytest.mark.filterwarnings("ignore:`torch.jit:"),
    pytest.mark.filterwarnings("ignore:The PyTorch API of nested tensors"),
]

IMAGE = (3, 8, 8)
CONV_MACS = 6 * 6 * 4 * 3 * 3 * 3


class Steps(nn.Module):
    """A convolution, and whatever a test does with it in forward."""

    def __init__(self, step: Callable[..., Any], **held: Any) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3)
        self.step = step
        for name, value in held.items():
            setattr(self, name, value)

    def forward(self, x):
        return self.step(self, x)


class Squares(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        return x * x

    @staticmethod
    def backward(ctx, gradient):
        return gradient


def scripted(x: torch.Tensor) -> torch.Tensor:
    return x * torch.sigmoid(x)


def scripted_function(m, x):
    return torch.jit.script(scripted)(m.conv(x))


def vmapped(m, x):
    return torch.vmap(lambda t: t.mean((1, 2)))(m.conv(x))


def gradient_of_energy(m, x):
    with torch.enable_grad():
        x = x.detach().requires_grad_(True)
        (gradient,) = torch.autograd.grad(m.conv(x).pow(2).sum(), x)
    return x - 0.1 * gradient


def backward_inside(m, x):
    with torch.enable_grad():
        x = x.detach().requires_grad_(True)
        m.conv(x).sum().backward()
    return m.conv(x + x.grad)


def gradient_by_transform(m, x):
    return m.conv(x) + torch.func.grad(lambda t: m.conv(t).sum())(x).mean()


def sparse(m, x):
    return torch.sparse.mm(torch.eye(36).to_sparse(), m.conv(x).flatten(2)[0].t())


def nested(m, x):
    rows = m.conv(x).flatten(2)[0].t()
    return torch.nested.nested_tensor([rows, rows[:5]]).to_padded_tensor(0.0)


def chosen_branch(m, x):
    return torch.cond(x.sum() > 0, lambda t: t * 2, lambda t: t - 1, (m.conv(x),))


def through_numpy(m, x):
    return torch.from_numpy(np.tanh(m.conv(x).detach().numpy()))


def goes_on_after_vmap(m, x):
    try:
        return vmapped(m, x)
    except Exception:
        return m.conv(x)


def in_a_pool(m, x):
    with ThreadPoolExecutor(2) as pool:
        first, second = pool.map(lambda layer: layer(x), [m.conv, m.conv])
    return first + second


def in_a_thread(m, x):
    results = []
    thread = threading.Thread(
        target=lambda: results.append(functional.conv2d(x, m.conv.weight)), daemon=True
    )
    thread.start()
    thread.join()
    return results[0] * 2


LIMITS = [
    (scripted_function, "compiled code"),
    (vmapped, "transform of torch.func"),
    (gradient_of_energy, "differentiates in its forward pass"),
    (backward_inside, "differentiates in its forward pass"),
    (gradient_by_transform, "transform of torch.func"),
    (sparse, "works on real numbers|no shadow"),
    (nested, "works on real numbers|compiled code"),
    (through_numpy, "depends on the values"),
    (goes_on_after_vmap, "transform of torch.func"),
    (in_a_pool, "in another thread"),
    (in_a_thread, "no recorded function made"),
]


@pytest.mark.parametrize(("step", "reason"), LIMITS)
def test_a_limit_of_tracing_ends_the_graph_and_blames_nobody(step, reason):
    model = Steps(step).eval()
    model(torch.rand(1, *IMAGE))

    graph = trace(model, IMAGE)

    assert graph.status in {"partial", "unavailable"}
    assert graph.macs.status == graph.status
    assert graph.reason is not None
    assert any(words in graph.reason for words in reason.split("|"))


def test_a_choice_by_higher_order_operators_is_a_limit():
    graph = trace(Steps(chosen_branch).eval(), IMAGE)

    assert (graph.status, graph.macs.value) == ("partial", CONV_MACS)


@pytest.mark.parametrize("step", [scripted_function, vmapped, gradient_of_energy, in_a_pool])
def test_the_linter_finds_no_error_there(step):
    report = lint(Steps(step).eval(), input_shape=IMAGE)

    assert not report.is_refused_input
    assert report.count("error") == 0


def test_packed_sequences_and_quantised_layers_are_limits():
    class Packed(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.rnn = nn.LSTM(5, 4, batch_first=True)

        def forward(self, x):
            packed = nn.utils.rnn.pack_padded_sequence(x, [6, 4], batch_first=True)
            return self.rnn(packed)[1][0]

    assert trace(Packed(), torch.Size((2, 6, 5))).status in {"partial", "unavailable"}


@pytest.mark.filterwarnings("ignore")
def test_a_quantised_layer_is_a_limit():
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    model.append(nn.Linear(4, 2)).eval()
    quantised = torch.ao.quantization.quantize_dynamic(model, {nn.Linear}, dtype=torch.qint8)

    graph = trace(quantised, IMAGE)

    assert (graph.status, graph.macs.value) == ("partial", CONV_MACS)


def logs_numbers(m, x):
    y = m.conv(x)
    m.losses.append(y.mean().item())
    m.shown = f"{y.std():.3f} {y.mean().item():.2f} {y.mean((0, 2, 3)).tolist()}"
    return y


# As text, because pytest rewrites the assertions that stand in a test file.
ASSERTIONS = """
def asserts(m, x):
    y = m.conv(x)
    torch._assert(y.isfinite().all(), "not finite")
    assert y.isfinite().all(), "not finite"
    assert not y.isnan().any()
    assert (y.abs() < 1e6).all()
    return y
"""
made: dict[str, Any] = {"torch": torch}
exec(ASSERTIONS, made)


def asks_for_gradients(m, x):
    x.requires_grad_(True)
    return m.conv(x)


def in_inference_mode(m, x):
    with torch.inference_mode():
        y = m.conv(x).relu_()
    return y.clone()


def with_other_weights(m, x):
    weights = {name: weight * 0.5 for name, weight in m.conv.named_parameters()}
    return torch.func.functional_call(m.conv, weights, (x,))


@pytest.mark.parametrize(
    "step",
    [
        logs_numbers,
        made["asserts"],
        asks_for_gradients,
        in_inference_mode,
        with_other_weights,
        lambda m, x: Squares.apply(m.conv(x)),
        lambda m, x: checkpoint(m.conv, x, use_reentrant=False),
        lambda m, x: torch.autocast("cpu", torch.bfloat16)(m.conv)(x),
    ],
)
def test_what_changes_nothing_is_followed_to_the_end(step):
    graph = trace(Steps(step, losses=[]).eval(), IMAGE)

    assert (graph.status, graph.macs.status, graph.macs.value) == (
        "complete",
        "complete",
        CONV_MACS,
    )


def branches_like_an_assertion(x, value):
    if not value > 0:
        raise AssertionError
    return x


@pytest.mark.parametrize(
    "use",
    [
        branches_like_an_assertion,
        lambda x, value: x * value,
        lambda x, value: x.clamp(max=value),
        lambda x, value: x if value > 0 else -x,
        lambda x, value: x[:, : int(value)],
        lambda x, value: x + sum([value]),
        lambda x, value: torch.tensor([value]) + x,
    ],
)
def test_a_number_that_was_read_and_then_used_ends_the_graph(use):
    graph = trace(Steps(lambda m, x: use(x, m.conv(x).mean().item())), IMAGE)

    assert graph.status == "partial"
    assert "depends on the values in an image" in graph.reason


def test_compiled_modules_run_as_they_were_written():
    model = nn.Sequential(torch.compile(nn.Conv2d(3, 4, 3), backend="eager"), nn.ReLU())

    graph = trace(model, IMAGE)

    assert (graph.status, graph.macs.value) == ("complete", CONV_MACS)


def test_tracing_works_in_inference_mode_and_on_models_made_there():
    with torch.inference_mode():
        model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(inplace=True))
        graph = trace(model, IMAGE)
        assert torch.is_inference_mode_enabled()

    assert (graph.status, graph.macs.value) == ("complete", CONV_MACS)


# --- the model's own faults stay the model's ---------------------------------------------------


def fails_itself(m, x):
    raise ValueError("of its own accord")


def fails_after_vmap(m, x):
    y = torch.vmap(lambda t: t.mean((1, 2)))(m.conv(x))
    return functional.linear(y, torch.ones(2, 7))


@pytest.mark.parametrize(
    ("step", "message"),
    [
        (fails_itself, "raised ValueError .*of its own accord"),
        (lambda m, x: m.conv(m.conv(x)), "expects 3 channels, got 4"),
        (lambda m, x: x.view(5, 7), "refused its input"),
    ],
)
def test_a_model_that_fails_on_real_numbers_too_is_told_so(step, message):
    with pytest.raises(TraceError, match=message):
        trace(Steps(step), IMAGE)


def test_a_model_that_only_works_on_numbers_from_0_to_1_works():
    def wants_unit(m, x):
        if bool(torch.empty(()).is_cpu) and not x.is_meta and (x.min() < 0 or x.max() > 1):
            raise ValueError("not an image")
        return torch.vmap(lambda t: t * 2)(m.conv(x))

    assert trace(Steps(wants_unit), IMAGE).status in {"partial", "unavailable"}


def test_a_model_without_values_is_tried_with_made_up_ones():
    with torch.device("meta"):
        model = Steps(vmapped)

    assert trace(model, IMAGE).status == "partial"


def test_another_thread_may_run_the_model_meanwhile():
    model = nn.Sequential(*(nn.Conv2d(3, 3, 3, padding=1) for _ in range(20)))
    errors: list[BaseException] = []
    done = threading.Event()

    def predict() -> None:
        try:
            while not done.is_set():
                model(torch.rand(1, *IMAGE))
        except BaseException as error:
            errors.append(error)

    thread = threading.Thread(target=predict)
    thread.start()
    graphs: list[Graph] = [trace(model, IMAGE) for _ in range(20)]
    done.set()
    thread.join()

    assert errors == []
    assert {graph.status for graph in graphs} == {"complete"}
