"""Models whose linear layers run on a real kernel: which do, which do not, and what comes out."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from transformers.pytorch_utils import Conv1D

from precision.errors import ForwardError, JobCancelledError, UnsupportedError
from precision.formats import any_format_named, format_named
from precision.measure.casting.cast_model import CastModel
from precision.measure.casting.kernel_layers import BUDGET_S, KernelRun, linear_layers, run_on_kernel
from precision.measure.casting.methods import cast, reference
from precision.measure.casting.precisions import Precisions
from precision.measure.casting.real_kernels import RealKernel
from precision.measure.metrics.comparison import overall_errors
from precision.measure.metrics.outputs import flatten, paired
from precision.results import ErrorMetrics
from precision.spec import CastMethod
from precision.spec.keep import Kept
from tests.measure.casting.kernels import kernel_of
from tests.zoo.awkward_models import TiedLanguageModel
from tests.zoo.cases import ZOO, ByForward, Recursive, Shared, Unused

CPU = torch.device("cpu")
FORMATS = [
    ("float8_e4m3fn", CastMethod.TO),
    ("int8_per_channel", CastMethod.DYNAMIC),
    ("int8", CastMethod.DYNAMIC),
    ("int8_per_channel", CastMethod.WEIGHTS_ONLY),
    ("int4", CastMethod.WEIGHTS_ONLY),
]
INT8 = ("int8", CastMethod.DYNAMIC)
UNROUNDED = "inputs or weights that are not values of the format"


def simulated(module: nn.Module, name: str, method: CastMethod) -> CastModel:
    return cast(module, any_format_named(name), method=method, device=CPU)


def both(module: nn.Module, name: str, method: CastMethod, *args: object) -> tuple[object, KernelRun]:
    """The simulated output, and the run on the kernel."""
    model = simulated(module, name, method)
    return model(args), run_on_kernel(model, kernel_of(name, method), args)


def difference(simulated_output: object, real_output: object) -> ErrorMetrics:
    pairs = paired(flatten(simulated_output), flatten(real_output)).pairs
    return overall_errors(pairs, any_format_named("float32"))


def x_of(*shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(3))


def mlp() -> nn.Module:
    torch.manual_seed(2)
    return nn.Sequential(nn.Linear(20, 33), nn.GELU(), nn.Linear(33, 7, bias=False))


@pytest.mark.parametrize(("name", "method"), FORMATS)
@pytest.mark.parametrize("shape", [(20,), (5, 20), (2, 3, 20), (0, 20)], ids=str)
def test_simulation_and_kernel_agree_whatever_the_shape(name: str, method: CastMethod, shape: tuple[int, ...]) -> None:
    output, run = both(mlp(), name, method, x_of(*shape))
    assert (run.layer_difference or 0.0) < 1e-6
    assert (run.on_kernel, run.linear_layers, run.stayed_simulated) == (2, 2, ())
    assert isinstance(run.output, Tensor)
    assert run.output.shape == (*shape[:-1], 7)
    assert (difference(output, run.output).normalized_l2 or 0.0) < 1e-6


@pytest.mark.parametrize(("name", "method"), FORMATS)
def test_where_sums_are_exact_both_are_equal(name: str, method: CastMethod) -> None:
    layer = nn.Linear(4, 3)
    largest = 127.0 if "int8" in name else 7.0
    layer.weight.data = torch.tensor([[1.0, largest, -2.0, 0.0], [-largest, 3.0, 0.0, -1.0], [largest, 0.0, 0.0, 2.0]])
    layer.bias.data = torch.tensor([0.5, -2.0, 0.0])
    if name.startswith("float8"):
        layer.weight.data.clamp_(-4, 4)
    output, run = both(layer, name, method, torch.tensor([[largest, -1.0, 0.0, 3.0], [0.0, 2.0, -largest, 1.0]]))
    assert run.on_kernel == 1
    assert isinstance(output, Tensor)
    assert isinstance(run.output, Tensor)
    assert torch.equal(output, run.output)


@pytest.mark.parametrize(("name", "method"), FORMATS)
def test_a_planted_error_of_arithmetic_is_seen(monkeypatch: pytest.MonkeyPatch, name: str, method: CastMethod) -> None:
    exact = nn.functional.linear
    model, x = simulated(mlp(), name, method), x_of(5, 20)
    with monkeypatch.context() as patch:
        patch.setattr(nn.functional, "linear", lambda x, w, bias=None: exact(x, w, bias) * 1.25)
        output = model((x,))
    run = run_on_kernel(model, kernel_of(name, method), (x,))
    assert (run.layer_difference or 0.0) < 1e-6
    found = difference(output, run.output).normalized_l2
    assert found is not None
    assert found > 0.1


@pytest.mark.parametrize(("name", "method"), FORMATS)
def test_a_wrong_rounding_of_weights_is_not_what_kernels_take(name: str, method: CastMethod) -> None:
    model, x = simulated(mlp(), name, method), x_of(5, 20)
    layer = model.stored.get_submodule("0")
    assert isinstance(layer, nn.Linear)
    # A float32 weight that was not rounded: in float8, where torch stores the weights, it could not come about.
    layer.weight = nn.Parameter(layer.weight.float() * (1 + 0.01 * torch.rand(33, 20)))
    run = run_on_kernel(model, kernel_of(name, method), (x,))
    assert (run.on_kernel, run.stayed_simulated) == (1, (f"1 layer stayed simulated: {UNROUNDED}.",))


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(("name", "method"), FORMATS[:1] + FORMATS[3:4])
@pytest.mark.parametrize("exhibit", ZOO)
def test_every_awkward_model_agrees_or_explains_itself(exhibit: str, name: str, method: CastMethod) -> None:
    torch.manual_seed(11)
    shown = ZOO[exhibit]
    try:
        model = simulated(shown.build(), name, method)
        output = model(shown.inputs, shown.kwargs)
    except (ForwardError, UnsupportedError):
        return  # not for kernels to explain
    kernel = kernel_of(name, method)
    if exhibit == "differentiates":
        with pytest.raises(ForwardError, match=r"derivative for .* is not implemented"):
            run_on_kernel(model, kernel, shown.inputs, shown.kwargs)
        return
    run = run_on_kernel(model, kernel, shown.inputs, shown.kwargs)
    assert run.on_kernel == run.linear_layers or run.stayed_simulated
    metrics = difference(output, run.output)
    assert (metrics.normalized_l2 or 0.0) < 1e-6
    assert not metrics.nonfinite_differ
    assert "forward" not in vars(model.stored)
    assert not any("forward" in vars(child) for child in model.stored.modules())


def convolution() -> nn.Module:
    return nn.Sequential(nn.Conv1d(4, 3, 1), nn.BatchNorm1d(3))


def conv1d() -> nn.Module:
    layer: nn.Module = Conv1D(6, 4)  # type: ignore[no-untyped-call]
    return layer


NEVER = "never called as a module"
COUNTS: list[tuple[Callable[[], nn.Module], object, int, int, tuple[str, ...]]] = [
    (TiedLanguageModel, torch.tensor([[1, 2, 3]]), 1, 1, ()),
    (Recursive, x_of(4, 4), 1, 1, ()),
    (Shared, x_of(4, 4), 1, 1, ()),
    (Unused, x_of(4, 4), 1, 3, (f"2 layers stayed simulated: {NEVER}.",)),
    (ByForward, x_of(4, 4), 0, 1, (f"1 layer stayed simulated: {UNROUNDED}.",)),
    (convolution, x_of(1, 4, 5), 0, 0, ()),
    (conv1d, x_of(3, 4), 1, 1, ()),
    (lambda: nn.Linear(0, 3), torch.zeros(2, 0), 1, 1, ()),
]


@pytest.mark.filterwarnings("ignore:Initializing zero-element")
@pytest.mark.parametrize(("build", "x", "on_kernel", "layers", "why"), COUNTS)
def test_layers_are_counted(
    build: Callable[[], nn.Module], x: object, on_kernel: int, layers: int, why: tuple[str, ...]
) -> None:
    output, run = both(build(), *INT8, x)
    assert (run.on_kernel, run.linear_layers, run.stayed_simulated) == (on_kernel, layers, why)
    assert (difference(output, run.output).normalized_l2 or 0.0) < 1e-6


def test_an_encoder_layer_runs_its_layers_rather_than_a_fused_kernel() -> None:
    torch.manual_seed(0)
    layer = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True)
    output, run = both(layer, "int8", CastMethod.WEIGHTS_ONLY, x_of(2, 3, 8))
    assert (run.on_kernel, run.linear_layers) == (2, 3)
    assert run.stayed_simulated == (f"1 layer stayed simulated: {NEVER}.",)
    assert (difference(output, run.output).normalized_l2 or 0.0) < 1e-6


def test_kept_layers_are_none_of_them() -> None:
    original = mlp()
    model = simulated(original, *INT8)
    wide = format_named("float32")
    precisions = Precisions(original, reference(original, wide, device=model.device), wide)
    model = precisions.kept(model, any_format_named(INT8[0]), INT8[1], [Kept("2")])
    assert [name for name, _ in linear_layers(model.stored)] == ["0"]
    run = run_on_kernel(model, kernel_of(*INT8), (x_of(5, 20),))
    assert (run.on_kernel, run.linear_layers) == (1, 1)


class Doubled(nn.Linear):
    """A linear layer of its own kind."""

    def forward(self, x: Tensor) -> Tensor:
        return 2 * super().forward(x)


def test_a_layer_with_a_forward_of_its_own_is_no_plain_one() -> None:
    assert not list(linear_layers(Doubled(4, 4)))


def test_inputs_between_modules_that_are_not_rounded_keep_their_layer_simulated() -> None:
    class Between(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first, self.second = nn.Linear(4, 4), nn.Linear(4, 4)

        def forward(self, x: Tensor) -> Tensor:
            y: Tensor = self.second(self.first(x) * 1.3)
            return y

    _, run = both(Between(), "float8_e4m3fn", CastMethod.TO, x_of(5, 4))
    assert (run.on_kernel, run.stayed_simulated) == (1, (f"1 layer stayed simulated: {UNROUNDED}.",))


def test_a_layer_that_was_left_once_does_not_count() -> None:
    class Twice(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.linear = nn.Linear(4, 4)

        def forward(self, x: Tensor) -> Tensor:
            y: Tensor = self.linear(self.linear(x) * 1.3)
            return y

    _, run = both(Twice(), "float8_e4m3fn", CastMethod.TO, x_of(5, 4))
    assert (run.on_kernel, run.linear_layers) == (0, 1)


def kernel(multiply: Callable[[Tensor, Tensor], Tensor | None], seconds: float = 1e-12) -> RealKernel:
    return RealKernel(name="torch.kernel", seconds_per_product=seconds, multiply=multiply)


def test_the_layers_are_compared_on_the_same_input() -> None:
    model, x = simulated(mlp(), *INT8), x_of(5, 20)
    run = run_on_kernel(model, kernel(lambda x, w: x @ w.T * 1.25), (x,))
    # The second layer has no bias that would dilute it.
    assert run.layer_difference == pytest.approx(0.25, rel=1e-6)


def failing(*_args: Tensor) -> Tensor:
    raise RuntimeError("could not create\na primitive.")


def test_a_kernel_that_raises_leaves_its_layers_simulated() -> None:
    model, x = simulated(mlp(), *INT8), x_of(5, 20)
    run = run_on_kernel(model, kernel(failing), (x,))
    assert run.stayed_simulated == ("2 layers stayed simulated: torch.kernel: could not create a primitive.",)
    assert difference(model((x,)), run.output).exact_share == 1


def test_a_kernel_that_would_take_too_long_is_not_waited_for() -> None:
    model, x = simulated(mlp(), *INT8), x_of(5, 20)
    run = run_on_kernel(model, kernel(failing, seconds=BUDGET_S / (5 * 33 * 7)), (x,))
    slow = f"with torch.kernel the run would take longer than {BUDGET_S:g} s here"
    # The second layer has a third of the products, and still too many.
    assert run.stayed_simulated == (f"2 layers stayed simulated: {slow}.",)


@pytest.mark.parametrize("error", [JobCancelledError("enough"), MemoryError("full"), torch.OutOfMemoryError("full")])
def test_cancelling_and_memory_that_ran_out_are_passed_on(error: Exception) -> None:
    def stop(fqn: str) -> None:
        raise error

    with pytest.raises(type(error)):
        run_on_kernel(simulated(mlp(), *INT8), kernel_of(*INT8), (x_of(5, 20),), on_module=stop)


def test_a_forward_that_raises_says_where() -> None:
    with pytest.raises(ForwardError, match="shapes cannot be multiplied") as failed:
        run_on_kernel(simulated(mlp(), *INT8), kernel(lambda x, w: None), (x_of(5, 21),))
    assert failed.value.where == "0"
