"""The errors of modules' own code, against that code written out by hand."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from precision.formats import format_named
from precision.measure.lockstep import inner_calls
from precision.measure.rounding import round_to
from precision.results.layers import Corners, LayerRow
from precision.spec import CastMethod
from tests.measure.lockstep.side_by_side import lockstep, row_named
from tests.zoo.awkward_models import Sampling
from tests.zoo.cases import ZOO

X = torch.randn(3, 5, 8, generator=torch.Generator().manual_seed(0))
DTYPES = {"float16": torch.float16, "bfloat16": torch.bfloat16}


class Residual(nn.Module):
    """Its own code makes what the second layer is handed, and what it returns."""

    def __init__(self) -> None:
        super().__init__()
        self.norm, self.up, self.down = nn.LayerNorm(8), nn.Linear(8, 8), nn.Linear(8, 8)

    def forward(self, x: Tensor) -> Any:
        return x + self.down(torch.tanh(self.up(self.norm(x))))


class Attention(nn.Module):
    """Its own code makes only what the last layer is handed."""

    def __init__(self) -> None:
        super().__init__()
        self.q, self.k, self.v, self.out = (nn.Linear(8, 8) for _ in range(4))

    def forward(self, x: Tensor) -> Any:
        return self.out(attended(self.q(x), self.k(x), self.v(x)))


def attended(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    heads = [t.reshape(*t.shape[:2], 2, 4).transpose(1, 2) for t in (q, k, v)]
    scores = torch.softmax(heads[0] @ heads[1].transpose(-1, -2) / 2, dim=-1)
    return (scores @ heads[2]).transpose(1, 2).flatten(2)


def built(kind: type[nn.Module]) -> Any:
    torch.manual_seed(3)
    return kind().eval()


def code_of(model: nn.Module, fqn: str = "", x: Tensor = X, **options: Any) -> LayerRow:
    report = lockstep(model, x, operators=True, decompose=True, verify=True, **options)
    assert report.stopped is None
    assert report.observer is not None
    assert not report.observer.changed
    return row_named(report, fqn)


def require(corners: Corners | None, four: list[list[Tensor]], inputs: list[list[Tensor]]) -> None:
    """Hold the numbers against f(x), f~(x~), f~(x) and f(x~), each a list of tensors."""
    assert corners is not None
    exact, both, low_on_exact, exact_on_low = (torch.cat([t.double().reshape(-1) for t in side]) for side in four)
    errors = {"propagated": both - exact, "local": low_on_exact - exact, "inherited": exact_on_low - exact}
    errors["interaction"] = errors["propagated"] - errors["local"] - errors["inherited"]
    for name, error in errors.items():
        size = getattr(corners, name)
        expected = float(error.pow(2).mean().sqrt()), float(error.norm() / exact.norm()), float(error.abs().max())
        assert (size.rmse, size.normalized_l2, size.max_abs_error) == pytest.approx(expected, rel=2e-5), name
    x, x_low = (torch.cat([t.double().reshape(-1) for t in side]) for side in inputs)
    handed = float((x_low - x).norm() / x.norm())
    assert corners.input_normalized_l2 == pytest.approx(handed, rel=2e-5)
    assert corners.gain == pytest.approx(float(errors["inherited"].norm() / exact.norm()) / handed, rel=2e-5)


@pytest.mark.parametrize("name", DTYPES)
@torch.no_grad()
def test_a_residual_block_is_what_it_is_by_hand(name: str) -> None:
    def code(x: Tensor, up: Tensor, down: Tensor) -> list[Tensor]:
        return [torch.tanh(up), x + down]

    model, low = built(Residual), built(Residual).to(DTYPES[name])
    given = []
    for side, x in ((model, X), (low, X.to(DTYPES[name]))):
        normed = side.norm(x)
        up = side.up(normed)
        given.append([x, normed, up, side.down(torch.tanh(up))])
    (x, _, *c), (x_low, _, *c_low) = given
    down = [t.to(DTYPES[name]) for t in (x, *c)]
    up = [t.float() for t in (x_low, *c_low)]
    four = [code(x, *c), code(x_low, *c_low), code(*down), code(*up)]
    require(code_of(built(Residual), name=name).own_code, four, given)


@pytest.mark.parametrize("name", DTYPES)
@torch.no_grad()
def test_attention_that_ends_in_a_layer_is_what_it_is_by_hand(name: str) -> None:
    model, low = built(Attention), built(Attention).to(DTYPES[name])
    x_low = X.to(DTYPES[name])
    c, c_low = [each(X) for each in (model.q, model.k, model.v)], [each(x_low) for each in (low.q, low.k, low.v)]
    four = [
        [attended(*c)],
        [attended(*c_low)],
        [attended(*(t.to(DTYPES[name]) for t in c))],
        [attended(*(t.float() for t in c_low))],
    ]
    given = [[X, *c, model.out(four[0][0])], [x_low, *c_low, low.out(four[1][0])]]
    nested = nn.Sequential(built(Attention))
    require(code_of(nested, "0", name=name).own_code, four, given)


@torch.no_grad()
def test_a_simulated_format_rounds_what_it_returns() -> None:
    class Adds(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = nn.Linear(8, 8)

        def forward(self, x: Tensor) -> Any:
            return x + self.layer(x)

    fmt, model = format_named("float8_e4m3fn"), built(Adds)
    corners = code_of(model, name=fmt.name).own_code
    assert corners is not None
    exact, layer = X + model.layer(X), model.layer(X)
    error = round_to(round_to(X, fmt) + round_to(layer, fmt), fmt).double() - exact.double()
    assert corners.local.rmse == pytest.approx(float(error.pow(2).mean().sqrt()), rel=2e-5)


@pytest.mark.parametrize("name", DTYPES)
@torch.no_grad()
def test_what_is_written_in_place_counts_as_by_hand(name: str) -> None:
    class InPlace(Residual):
        def __init__(self) -> None:
            super().__init__()
            self.relu = nn.ReLU(inplace=True)

        def forward(self, x: Tensor) -> Any:
            y = self.up(x)
            self.relu(y)
            y += x
            x *= 2
            z: Tensor = self.down(y)
            z += x
            return z

    def code(x: Tensor, _up: Tensor, relu: Tensor, down: Tensor) -> list[Tensor]:
        return [relu + x, down + 2 * x]

    given = []
    for dtype in (torch.float32, DTYPES[name]):
        side, x = built(InPlace).to(dtype), X.to(dtype)
        up = side.up(x)
        given.append([x, up, up.relu(), side.down(up.relu() + x)])
    four = [code(*given[0]), code(*given[1])]
    four += [code(*(t.to(DTYPES[name]) for t in given[0])), code(*(t.float() for t in given[1]))]
    require(code_of(nn.Sequential(built(InPlace)), "0", name=name).own_code, four, given)


@pytest.mark.parametrize(("name", "method"), [("int8", CastMethod.DYNAMIC), ("bfloat16", CastMethod.AUTOCAST)])
def test_hooks_and_autocast_do_not_get_in_the_way(name: str, method: CastMethod) -> None:
    corners = code_of(built(Residual), name=name, method=method).own_code
    assert corners is not None
    assert corners.propagated.rmse > 0
    assert (corners.local.rmse > 0) == (method is CastMethod.AUTOCAST)


def test_own_hooks_of_the_modules_inside_are_theirs() -> None:
    model = built(Residual)
    plain = code_of(model).own_code
    model.up.register_forward_hook(lambda _module, _inputs, output: output * 2)
    model.down.register_forward_pre_hook(lambda _module, inputs: (inputs[0] * 3,))
    hooked = code_of(model).own_code
    assert plain is not None
    assert hooked is not None
    assert hooked.local.rmse > 0
    assert hooked != plain


def test_code_that_keeps_state_is_not_measured() -> None:
    class Counts(Residual):
        calls = 0

        def forward(self, x: Tensor) -> Any:
            self.calls += 1
            return self.up(x * self.calls)

    row = code_of(nn.Sequential(built(Counts)), "0")
    assert row.own_code is None
    assert "keeps state" in row.own_code_missing


def test_modules_that_are_called_otherwise_are_not_measured() -> None:
    class Chooses(Residual):
        def forward(self, x: Tensor) -> Any:
            y = x * 2
            y = self.up(y) if x.dtype == torch.float32 else self.down(y)
            return y + x

    row = code_of(built(Chooses))
    assert row.own_code is None
    assert row.own_code_missing == "the two sides call other modules in it."

    class Depends(Residual):
        def forward(self, x: Tensor) -> Any:
            y = self.norm(x) * 2
            if float(self.up(x).sum()) != float(X_SUM):
                return self.down(y) + x
            return y + x

    X_SUM = built(Depends).up(X).sum()
    row = code_of(built(Depends))
    assert row.own_code is None
    assert row.own_code_missing == "the two sides call other modules in it."


def test_code_that_catches_what_it_calls_is_not_measured_wrongly() -> None:
    class Tries(Residual):
        tries = 0

        def forward(self, x: Tensor) -> Any:
            Tries.tries += 1
            try:
                return self.up(x * 2) + x if Tries.tries < 3 else self.down(x * 2) + x
            except Exception:  # noqa: BLE001 - whatever
                return x * 2

    report = lockstep(built(Tries), X, operators=True, decompose=True)
    row = row_named(report, "")
    assert row.own_code is None
    assert row.own_code_missing == "it calls its modules otherwise when it is evaluated again."


@pytest.mark.parametrize("by_mask", [False, True])
def test_rows_chosen_otherwise_are_not_compared(by_mask: bool) -> None:
    class Routes(Residual):
        def forward(self, x: Tensor) -> Any:
            score = self.up(x)[..., 0].flatten()
            rows = x.flatten(0, 1)
            score = 1 + score / 4096
            if by_mask:  # of each pair one, so that as many are chosen in any case
                first = score[:7] > score[7:14]
                return self.down(rows[:14][torch.cat([first, ~first])] + 1)
            chosen = score.topk(4).indices
            return rows.index_add(0, chosen, self.down(rows[chosen]))

    row = code_of(built(Routes), name="bfloat16")
    assert row.own_code is None
    assert "depends on which side's values" in row.own_code_missing or "other rows" in row.own_code_missing


def test_code_draws_the_same_random_numbers_again() -> None:
    class Draws(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inside = Sampling()

        def forward(self, x: Tensor) -> Any:
            return self.inside(x * 2) + torch.rand(8)

    corners = code_of(Draws(), name="float32").own_code
    assert corners is not None
    assert corners.propagated.rmse == corners.local.rmse == 0


def test_only_code_that_computes_has_errors_of_its_own() -> None:
    class HandsOn(Residual):
        def forward(self, x: Tensor) -> Any:
            return self.up(x.transpose(0, 1)).transpose(0, 1)

    for model in (built(HandsOn), nn.Sequential(nn.Linear(8, 8), nn.ReLU())):
        row = code_of(model)
        assert not row.has_own_code
        assert (row.own_code, row.own_code_missing) == (None, "")
    unwatched = row_named(lockstep(built(Residual), X, decompose=True), "")
    assert not unwatched.has_own_code


def test_what_would_take_too_much_memory_is_not_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inner_calls, "MAX_KEPT_BYTES", 2 * X.nbytes)
    row = code_of(built(Residual))
    assert row.own_code is None
    assert row.own_code_missing == "the modules inside return too much to keep until it returns."


def test_modules_that_return_objects_are_not_measured() -> None:
    class Cache:
        pass

    class Returns(nn.Module):
        def forward(self, x: Tensor) -> tuple[Tensor, Cache]:
            return x * 2, Cache()

    class Takes(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inside = Returns()

        def forward(self, x: Tensor) -> Any:
            return self.inside(x)[0] + x

    assert "is a Cache" in code_of(Takes()).own_code_missing


def test_a_module_that_calls_itself_is_not_measured_wrongly() -> None:
    class Calls(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = nn.Linear(8, 8)

        def forward(self, x: Tensor, depth: int = 2) -> Any:
            return self(x + self.layer(x), depth - 1) if depth else x * 2

    report = lockstep(built(Calls), X, operators=True, decompose=True)
    outer, inner = row_named(report, "", 1), row_named(report, "", 3)
    assert outer.own_code_missing == "it calls itself."
    assert inner.corners is not None or inner.corners_missing


@pytest.mark.filterwarnings("ignore")
# Of a complex buffer, the cast drops the imaginary part.
@pytest.mark.parametrize("name", [name for name in ZOO if name != "complex buffer"])
def test_the_reference_against_itself_is_exact(name: str) -> None:
    torch.manual_seed(11)
    exhibit = ZOO[name]
    report = lockstep(
        exhibit.build(), *exhibit.inputs, name="float32", kwargs=exhibit.kwargs, operators=True, decompose=True
    )
    for row in report.rows:
        if row.own_code is not None:
            sizes = (row.own_code.local, row.own_code.inherited, row.own_code.propagated)
            assert [size.rmse for size in sizes] == [0, 0, 0], row.fqn
