"""Running a cast model: nothing leaks from one run to the next, and a failure names its module."""

from __future__ import annotations

import dataclasses
import pickle
import re
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from precision.errors import ForwardError, JobCancelledError
from precision.formats import format_named
from precision.measure.casting.cast_model import CastModel
from precision.measure.casting.methods import cast, reference
from precision.measure.rounding import round_to
from precision.spec import CastMethod
from tests.zoo.awkward_models import Counting, Float32Mask, HardCodedFloat, InPlace, Sampling

CPU = torch.device("cpu")


def brought(module: nn.Module, name: str, method: CastMethod = CastMethod.TO) -> CastModel:
    return cast(module, format_named(name), method=method, device=CPU)


@pytest.mark.parametrize("method", [CastMethod.TO, CastMethod.WEIGHTS_ONLY, CastMethod.AUTOCAST])
def test_what_a_forward_keeps_does_not_reach_the_next(method: CastMethod) -> None:
    model, x = brought(Counting(), "float16", method), torch.randn(3, 2)
    first, second = model((x,)), model((x,))
    assert isinstance(first, Tensor)
    assert isinstance(second, Tensor)
    assert torch.equal(first, second)
    assert model.stored.get_buffer("calls").item() == 0
    assert model.stored.seen == []


def test_a_fresh_copy_shares_its_parameters() -> None:
    model = brought(nn.Linear(2, 2), "float16")
    assert model.prepared((torch.ones(1, 2),)).module.weight is model.stored.weight


def test_inputs_are_cloned() -> None:
    x = torch.ones(2, 3)
    reference(InPlace(), format_named("float32"), device=CPU)((x,))
    assert torch.equal(x, torch.ones(2, 3))


class Seeing(nn.Module):
    """Keeps its inputs for the test to look at."""

    def forward(self, *args: object, **kwargs: object) -> tuple[object, object]:
        return args, kwargs


def test_only_floating_inputs_are_cast_however_nested() -> None:
    ids, mask, wave = torch.arange(257, 259), torch.tensor([True]), torch.tensor([1 + 2j])
    nested = {"list": [torch.ones(1), (ids, torch.ones(1, dtype=torch.float64))]}
    output = brought(Seeing(), "bfloat16")((ids, nested, "text", None), {"mask": mask, "wave": wave})
    assert isinstance(output, tuple)
    (got_ids, got, text, nothing), kwargs = output
    assert got_ids.tolist() == [257, 258]
    assert got["list"][0].dtype == torch.bfloat16
    assert got["list"][1][0].dtype == torch.int64
    assert got["list"][1][1].dtype == torch.bfloat16
    assert (text, nothing) == ("text", None)
    assert kwargs["mask"].dtype == torch.bool
    assert kwargs["wave"].dtype == torch.complex64


def test_one_tensor_given_twice_stays_one() -> None:
    x = torch.ones(2)
    output = brought(Seeing(), "float16")((x, x), {"again": x})
    assert isinstance(output, tuple)
    (first, second), kwargs = output
    assert first is second
    assert kwargs["again"] is first


def test_random_numbers_are_the_same_in_every_run_and_the_callers_go_on() -> None:
    model, x = brought(Sampling(), "float32"), torch.zeros(4)
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    first, second = model((x,)), model((x,))
    assert isinstance(first, Tensor)
    assert isinstance(second, Tensor)
    assert torch.equal(first, second)
    assert torch.equal(torch.rand(3), expected)


def test_dropout_of_a_model_in_train_mode_is_off() -> None:
    output = brought(nn.Sequential(nn.Dropout(0.9)).train(), "float16")((torch.ones(100),))
    assert isinstance(output, Tensor)
    assert output.min() == 1


def test_outputs_are_ordinary_tensors_without_history() -> None:
    output = brought(nn.Linear(2, 2), "float32")((torch.ones(1, 2),))
    assert isinstance(output, Tensor)
    assert not output.requires_grad
    assert not output.is_inference()


def test_a_hard_coded_float32_comes_out_as_float32() -> None:
    output = brought(HardCodedFloat(), "float16")((torch.ones(1, 3),))
    assert isinstance(output, Tensor)
    assert output.dtype == torch.float32


def test_prepared_runs_again_and_again() -> None:
    run = brought(nn.Linear(2, 2), "float16").prepared((torch.ones(1, 2),))
    first, second = run(), run()
    assert isinstance(first, Tensor)
    assert isinstance(second, Tensor)
    assert torch.equal(first, second)


def test_on_module_sees_every_leaf_call_in_order() -> None:
    shared = nn.Linear(2, 2)
    model = brought(nn.Sequential(shared, nn.Sequential(nn.ReLU(), nn.ReLU()), shared), "float32")
    seen: list[str] = []
    model((torch.ones(1, 2),), on_module=seen.append)
    assert seen == ["0", "1.0", "1.1", "0"]
    model((torch.ones(1, 2),))
    assert len(seen) == 4


def test_watching_does_not_switch_off_the_fast_path() -> None:
    torch.manual_seed(0)
    layer = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True)
    model, x = reference(layer, format_named("float32"), device=CPU), torch.randn(2, 3, 8)
    seen: list[str] = []
    watched, plain = model((x,), on_module=seen.append), model((x,))
    assert isinstance(watched, Tensor)
    assert isinstance(plain, Tensor)
    assert torch.equal(watched, plain)
    assert seen == []


def test_a_cancellation_passes_through_and_leaves_no_hook() -> None:
    def cancel(name: str) -> None:
        raise JobCancelledError(name)

    model = brought(nn.Sequential(nn.ReLU()), "float32")
    with pytest.raises(JobCancelledError, match="0"):
        model((torch.ones(1),), on_module=cancel)
    model((torch.ones(1),))


def test_a_dtype_mismatch_names_the_module_and_the_last_that_ran() -> None:
    with pytest.raises(
        ForwardError, match=r"Forward failed in inner\.1 \(Linear\), after inner\.0 had run: .*dtype"
    ) as failed:
        brought(Float32Mask(), "float16")((torch.ones(1, 3),))
    assert failed.value.where == "inner.1"
    assert isinstance(failed.value.__cause__, RuntimeError)
    assert re.search(r'had run: Two dtypes meet here.*Torch says: ".*dtype.*"$', str(failed.value))
    assert pickle.loads(pickle.dumps(failed.value)).where == "inner.1"  # noqa: S301


def test_a_failure_in_the_model_itself_before_any_module() -> None:
    class Failing(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            raise KeyError

    with pytest.raises(
        ForwardError, match=r"in the model itself \(Failing\), before any other module had run: KeyError"
    ):
        brought(Failing(), "float32")((torch.ones(1),))


def test_a_caught_failure_is_not_blamed() -> None:
    class Fails(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            raise ValueError("caught")

    class Catching(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.fails, self.fine = Fails(), nn.Identity()

        def forward(self, x: Tensor) -> Tensor:
            try:
                self.fails(x)
            except ValueError:
                self.fine(x)
            raise ValueError("not caught")

    with pytest.raises(ForwardError, match="not caught") as failed:
        brought(nn.Sequential(Catching()), "float32")((torch.ones(1),))
    assert failed.value.where == "0"


def test_a_failure_that_does_not_repeat_still_has_a_place() -> None:
    class Once(nn.Module):
        failed: list[bool] = []  # noqa: RUF012 - shared by all copies on purpose

        def forward(self, x: Tensor) -> Tensor:
            if not self.failed:
                self.failed.append(True)
                raise ValueError("only once")
            return x

    with pytest.raises(ForwardError, match=r"Forward failed in 1 .Once.*only once") as failed:
        brought(nn.Sequential(nn.ReLU(), Once()), "float32")((torch.ones(1),))
    assert failed.value.where == "1"


@pytest.mark.parametrize("error", [MemoryError("full"), torch.OutOfMemoryError("full")])
def test_memory_that_ran_out_is_passed_on(error: Exception) -> None:
    class Hungry(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            raise error

    with pytest.raises(type(error), match="full"):
        brought(Hungry(), "float32")((torch.ones(1),))


def test_memory_that_the_cpu_could_not_give_is_a_memory_error() -> None:
    class Hungry(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return torch.empty(2**60, dtype=torch.int8)

    with pytest.raises(MemoryError, match="can't allocate memory"):
        brought(Hungry(), "float32")((torch.ones(1),))


NO_KERNEL = "This operator has no kernel for that dtype here"
TWO_DTYPES = "Two dtypes meet here"
FAILURES: list[tuple[Callable[[Tensor], object], str]] = [
    (lambda x: torch.cdist(x, x), NO_KERNEL),
    (lambda x: torch.linalg.inv(x), NO_KERNEL),  # noqa: PLW0108 - pytest would name it by its address
    (lambda x: torch.quantile(x, 0.5), NO_KERNEL),
    (lambda x: torch.fft.fft(x), NO_KERNEL),  # noqa: PLW0108
    (lambda x: x @ torch.ones(2, 2), TWO_DTYPES),
    (lambda x: nn.functional.conv1d(x[None], torch.ones(2, 2, 1)), TWO_DTYPES),
    (lambda x: torch.baddbmm(torch.ones(1, 2, 2), x[None], x[None]), TWO_DTYPES),
    (lambda x: nn.functional.linear(x, torch.ones(2, 2)), TWO_DTYPES),
    (lambda x: nn.LSTM(2, 2)(x)[0], TWO_DTYPES),
    (lambda x: x.masked_fill(x > 0, -1e9), "A constant in forward is beyond the range"),
    (lambda x: x + torch.ones(2, 2, device="meta"), "does not move with the model"),
]


@pytest.mark.parametrize(("make", "hint"), FAILURES)
def test_hints(make: Callable[[Tensor], object], hint: str) -> None:
    class Failing(nn.Module):
        def forward(self, x: Tensor) -> object:
            return make(x)

    with pytest.raises(ForwardError, match=hint):
        brought(Failing(), "float16")((torch.ones(2, 2),))


def test_a_long_message_is_shortened() -> None:
    class Wordy(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            raise RuntimeError("long\n " * 1000)

    with pytest.raises(ForwardError, match="long long") as failed:
        brought(Wordy(), "float32")((torch.ones(1),))
    assert len(str(failed.value)) < 450


@dataclasses.dataclass(frozen=True)
class PlainOutput:
    logits: Tensor


class PlainDataclass(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(2, 2)

    def forward(self, x: Tensor) -> PlainOutput:
        return PlainOutput(self.linear(x) * 1.1)


def test_simulated_outputs_in_a_plain_dataclass_are_rounded_too() -> None:
    fmt = format_named("float8_e4m3fn")
    model = cast(PlainDataclass(), fmt, method=CastMethod.TO, device=torch.device("cpu"))
    output = model((torch.tensor([[0.3, -0.7]]),))
    assert isinstance(output, PlainOutput)
    assert torch.equal(output.logits, round_to(output.logits, fmt))
