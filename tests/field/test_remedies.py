"""Remedies are offered after they were tried, with what they gave."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor, nn

import precision
from precision.findings.remedies import helpful, kept_by, remedies_texts
from precision.results import LayersResult
from precision.results.remedies import Remedy
from tests.field.cases import choices, crossings, dtypes, guards, masks


def tried(case: tuple[nn.Module, tuple[Tensor, ...]], dtype: str = "float16", **settings: object) -> LayersResult:
    model, inputs = case
    result = precision.layers(model, inputs, dtype=dtype, progress=False, **settings).result  # type: ignore[arg-type]
    assert isinstance(result, LayersResult)
    return result


def found(result: LayersResult) -> dict[tuple[str, str], Remedy]:
    assert result.remedies is not None
    return {(remedy.kind, remedy.operator or remedy.fqn): remedy for remedy in result.remedies.tried}


def test_an_operator_helps_only_where_its_result_stays_wide() -> None:
    remedies = found(result := tried(guards.softmax_by_hand()))
    assert remedies["operator wide", "exp"].sqnr_db == pytest.approx(143.3, abs=0.1)
    assert remedies["operator back", "exp"].nonfinite == 5
    assert helpful(result)[0].operator == "exp"
    assert remedies["scale", "exp"].scales[0].kind == "shift"


def test_a_router_needs_its_logits_wide() -> None:
    remedies = found(tried(choices.moe_router(), "bfloat16"))
    assert remedies["operator wide", "linear"].sqnr_db == pytest.approx(26.1, abs=0.1)
    assert remedies["module", "gate"].sqnr_db == pytest.approx(9.4, abs=0.1)


def test_positions_need_their_sum_wide() -> None:
    assert found(tried(choices.cumsum_positions(), "bfloat16"))["operator wide", "cumsum"].sqnr_db == pytest.approx(
        49.2, abs=0.1
    )


def test_the_module_that_changed_the_dtype_is_tried() -> None:
    result = tried(dtypes.float_in_forward(), "bfloat16")
    assert result.report is not None
    assert result.report.stopped is not None
    assert result.report.stopped.made_in == "norm"
    assert helpful(result)[0].fqn == "norm"


def test_autocast_is_no_remedy_under_autocast() -> None:
    result = tried(dtypes.rope_autocast(), "bfloat16", method="autocast")
    remedies = found(result)
    assert ("autocast", "") not in remedies
    assert remedies["module", "rope"].sqnr_db == pytest.approx(47.8, abs=0.2)
    assert remedies["operator wide", "matmul"].sqnr_db == pytest.approx(47.8, abs=0.2)


def test_what_is_kept_already_is_not_tried_again() -> None:
    assert ("module", "fc") in found(tried(guards.softmax_by_hand()))
    assert ("module", "fc") not in found(tried(guards.softmax_by_hand(), keep=["fc"]))


def test_what_was_tried_in_vain_is_no_remedy() -> None:
    result = tried(guards.lost_guard("acos_guard"))
    assert helpful(result) == []
    assert "None of the remedies" in remedies_texts(result)[0]


def test_nothing_is_tried_where_nothing_is_broken() -> None:
    assert tried(masks.cast_mask(padded_left=False)).remedies is None
    assert tried(masks.nan_reference(), "bfloat16").remedies is None


def test_a_mask_gets_the_smallest_finite_number() -> None:
    result = tried(masks.cast_mask(padded_left=True))
    assert found(result)["smallest finite", "to"].sqnr_db == pytest.approx(65.4, abs=0.2)
    assert "smallest finite" in [remedy.kind for remedy in helpful(result)]


class Loud(nn.Module):
    """A product that is beyond float16 at every position."""

    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Embedding(9, 4)
        nn.init.ones_(self.embed.weight)
        self.head = nn.Linear(4, 3)

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        out: Tensor = self.head(self.embed(input_ids) * 1e5)
        return out * attention_mask.any().to(out.dtype)


def test_padding_is_not_counted() -> None:
    mask = torch.tensor([[1, 1, 1, 1, 1], [1, 1, 0, 0, 0]])
    inputs = {"input_ids": torch.ones(2, 5, dtype=torch.long), "attention_mask": mask}
    result = precision.layers(Loud(), inputs, dtype="float16", progress=False).result
    assert isinstance(result, LayersResult)
    assert found(result)["operator back", "mul"].nonfinite == 7 * 3


class Cancelled(nn.Module):
    """What its own code adds and takes away again costs the digits of a bfloat16."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.b = nn.Linear(8, 8), nn.Linear(8, 4)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.b(self.a(x) + 300.0 - 300.0)
        return out


def test_own_code_is_kept_where_finite_outputs_are_broken() -> None:
    torch.manual_seed(1)
    model, x = Cancelled().eval(), torch.randn(40, 8)
    result = tried((model, (x,)), "bfloat16")
    remedy = found(result)["own code", ""]
    assert kept_by(remedy) == ":code"
    kept = precision.compare(model, x, dtype="bfloat16", keep=[":code"], progress=False)
    assert remedy.sqnr_db == pytest.approx(kept.metrics["sqnr_db"])
    assert remedy.sqnr_db == pytest.approx(50, abs=3)
    assert "its result left wide (does not run: mat1 and mat2 must have the same dtype" in " ".join(
        remedies_texts(result)
    )
    assert ("own code", "a") not in found(result)
    inner = tried((nn.Sequential(nn.Linear(8, 8), model), (x,)), "bfloat16")
    assert found(inner)["own code", "1"].sqnr_db == pytest.approx(50, abs=3)
    assert ("own code", "") not in found(inner)


def test_own_code_is_also_tried_with_its_output_wide() -> None:
    class Scores(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return x * 300.0 * 300.0

    x = torch.linspace(0.1, 0.9, 24).view(6, 4).half().float()
    remedies = found(tried((Scores(), (x,))))
    assert remedies["own code", ""].nonfinite == int((x * 90000).half().isinf().sum())
    assert remedies["own code wide", ""].sqnr_db == float("inf")
    assert kept_by(remedies["own code wide", ""]) == ":code:wide"


def test_a_larger_eps_is_tried_where_it_divides() -> None:
    class Inverse(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return 1 / x

    x = torch.tensor([[1.0, 2.0, 1e-9, 4.0]])
    eps = found(tried((Inverse(), (x,))))["larger eps", "div"]
    assert eps.nonfinite == 0  # 1 / 0 is infinite, and 1 / 6.1e-5 is not


class Grid(nn.Module):
    """Fast waves of a coordinate, which its code casts itself."""

    def __init__(self) -> None:
        super().__init__()
        self.head = nn.Linear(8, 4)

    def forward(self, x: Tensor, at: Tensor) -> Tensor:
        waves = (at.float()[:, None] * 2000 * torch.arange(1, 9)).sin()
        out: Tensor = self.head(x + waves.to(x.dtype))
        return out


def test_any_input_whose_digits_matter_is_left_uncast() -> None:
    torch.manual_seed(3)
    model, inputs = Grid().eval(), (torch.randn(40, 8) * 0.1, torch.rand(40))
    result = tried((model, inputs), "bfloat16")
    assert result.remedies is not None
    assert result.remedies.before_db is not None
    assert result.remedies.before_db < 10
    by_name = {remedy.input: remedy for remedy in result.remedies.tried if remedy.kind == "input"}
    assert list(by_name) == ["x", "at"]
    with torch.no_grad():
        exact = model(*inputs).double()
        low = model.to(torch.bfloat16)(inputs[0].bfloat16(), inputs[1]).double()
    assert by_name["at"].sqnr_db == pytest.approx(20 * math.log10(exact.norm() / (low - exact).norm()), abs=0.01)
    assert helpful(result)[0].input == "at"


def test_other_whole_numbers_are_tried_where_outputs_are_not_broken() -> None:
    result = tried(crossings.denoiser(), "bfloat16")
    assert result.remedies is not None
    assert result.remedies.before_db == pytest.approx(22.4, abs=0.1)
    assert [(remedy.kind, remedy.input) for remedy in result.remedies.tried] == [("input", "t")]
    assert helpful(result)[0].sqnr_db == pytest.approx(48.8, abs=0.1)


def test_what_is_kept_wide_is_not_kept_again() -> None:
    case = nn.Sequential(nn.Linear(4, 4)), (torch.full((2, 4), 1e6),)
    assert {("module", "0"), ("operator wide", "linear")} <= found(tried(case)).keys()
    assert not {("module", "0"), ("operator wide", "linear")} & found(tried(case, keep=["0:wide"])).keys()


class Positions(nn.Module):
    """Waves of a position, of which its caller says the dtype."""

    def __init__(self) -> None:
        super().__init__()
        self.head = nn.Linear(32, 8)

    def forward(self, x: Tensor, step: Tensor) -> Tensor:
        angles = step[:, None] * torch.exp(-torch.arange(16) / 4).to(step.dtype)
        out: Tensor = self.head(x + torch.cat([angles.sin(), angles.cos()], -1).to(x.dtype))
        return out


def test_an_input_whose_whole_numbers_change_is_left_uncast() -> None:
    torch.manual_seed(1)
    model, inputs = Positions(), (torch.randn(40, 32) * 0.1, torch.arange(3001.0, 3041.0))
    result = tried((model, inputs))
    assert (remedy := helpful(result)[0]).kind == "input"
    assert "leave the input step uncast (wide_inputs step)" in remedies_texts(result)[0]
    wide = precision.compare(model, inputs, dtype="float16", wide_inputs=["step"], progress=False)
    assert remedy.sqnr_db == pytest.approx(wide.metrics["sqnr_db"])
    assert remedy.sqnr_db == pytest.approx(68, abs=1)
