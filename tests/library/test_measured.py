"""What the library returns: text of one screen, pictures that need nothing, figures of the analyses."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from collections.abc import Callable
from dataclasses import replace
from typing import Any, cast

import plotly.graph_objects as go
import pytest
import torch
from torch import Tensor, nn

import precision as px
from precision.errors import InputError
from precision.library.measured import SCREEN_LINES
from precision.results import ClassDecisions, CompareResult

X = torch.linspace(-2, 2, 96).reshape(16, 6)


def small(name: str = "Small") -> nn.Module:
    torch.manual_seed(0)
    module = nn.Sequential(*(layer for _ in range(12) for layer in (nn.Linear(6, 6), nn.ReLU())), nn.Linear(6, 3))
    module.__class__ = type(name, (nn.Sequential,), {})
    return module


class Overflows(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.wide = nn.Linear(6, 3)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.wide(x * 1e4) * 1e4
        return y


def test_a_comparison_prints_its_verdict_and_figures_on_one_screen() -> None:
    run = px.compare(small(), X, dtype="bfloat16")
    text = repr(run)
    assert run.verdict.word in text
    assert "SQNR" in text
    assert len(text.splitlines()) < SCREEN_LINES
    assert len(run.to_text().splitlines()) > len(text.splitlines())
    assert CompareResult.model_validate_json(run.to_json()) == run.result


def test_the_notebook_picture_is_whole_and_shows_names_as_text() -> None:
    html = px.compare(small("<img src=x onerror=alert(1)>"), X)._repr_html_()
    assert "<img" not in html
    root = ElementTree.fromstring(html)  # noqa: S314  # our own
    svg = root.find("svg")
    assert svg is not None
    bars = svg.findall("g/rect")
    assert bars
    assert all(float(bar.get("height", 0)) > 0 for bar in bars)
    assert "://" not in html


def test_the_picture_of_an_exact_output_says_so() -> None:
    assert "Exact" in px.compare(nn.Identity(), torch.ones(2, 2), dtype="float32")._repr_html_()


def test_worst_elements_and_plots() -> None:
    run = px.compare(small(), X, dtype="bfloat16")
    worst = run.worst(3)
    assert len(worst) == 3
    assert worst[0].abs_error == run.metrics["max_abs_error"]
    assert isinstance(run.plot_errors(), go.Figure)
    with pytest.raises(px.InputError, match="There is no output hidden"):
        run.plot_errors("hidden")


def test_errors_in_another_format_are_drawn_over_those_of_a_run() -> None:
    coarse, fine = (px.compare(small(), X, dtype=dtype) for dtype in ("bfloat16", "float16"))
    figure = coarse.plot_errors(others=[fine])
    ratio = coarse.metrics["mean_abs_error"] / fine.metrics["mean_abs_error"]
    words = f"errors in bfloat16 are {float(f'{ratio:.2g}'):g} × those in float16"
    assert words in figure.layout.title.text.replace("<br>", " ")
    assert {"bfloat16", "float16"} <= {trace.name for trace in figure.data}


def test_layers_name_the_first_infinity_and_the_largest_error() -> None:
    assert px.layers(small(), X).first_nonfinite is None
    born = px.layers(Overflows(), X).first_nonfinite
    assert born is not None
    assert (born.fqn, born.kind) == ("", "overflow")
    worst = px.layers(small(), X, dtype="bfloat16").worst(2)
    errors = [row.corners.local.normalized_l2 for row in worst if row.corners]
    assert errors == sorted(errors, reverse=True)
    assert len(errors) == 2


def test_the_own_code_of_a_module_can_have_the_largest_error() -> None:
    class Cancels(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.same = nn.Identity()

        def forward(self, x: Tensor) -> Tensor:
            y: Tensor = (self.same(x) + 1000) - 1000
            return y

    worst = px.layers(nn.Sequential(nn.Linear(6, 6), Cancels()), X, dtype="bfloat16").worst(1)[0]
    assert (worst.fqn, worst.has_own_code) == ("1", True)
    assert worst.own is not None
    assert worst.own.local.normalized_l2 > 0.1


def test_smallest_formats_by_name() -> None:
    found = px.ranges(nn.Linear(6, 3), X).smallest_formats()
    assert set(found) == {""}
    assert found[""] in {fmt.name for fmt in px.ALL_FORMATS}


def test_a_plan_is_verified_and_exported() -> None:
    module = small()
    sensitivity = px.sensitivity(module, X, formats=[torch.bfloat16, "float16"])
    plan = sensitivity.plan(bytes_share=0.7)
    verified = plan.verify()
    assert plan.verification == verified
    assert verified.measured_squared_error is not None
    assert set(plan.formats.values()) <= {"bfloat16", "float16"}
    assert "torch" in plan.code()
    assert "PREDICTED" in str(plan)
    with pytest.raises(px.InputError, match="Give one budget"):
        sensitivity.plan()
    with pytest.raises(px.InputError, match="a share is above 0"):
        sensitivity.plan(bytes_share=2.0)


def far_too_hopeful(measured: Any) -> Any:
    """A sensitivity whose predictions are a hundredth of the real RMSE."""
    report = measured.result.report

    def hopeful(layer: Any) -> Any:
        less = (
            each.model_copy(
                update={
                    "squared_error": 1e-4 * each.squared_error,
                    "handed_squared_error": None,
                    "exact_squared_error": None,
                }
            )
            for each in layer.contributions
        )
        return layer.model_copy(update={"contributions": tuple(less)})

    update = {"layers": tuple(map(hopeful, report.layers)), "projections": None, "uniform": ()}
    result = measured.result.model_copy(update={"report": report.model_copy(update=update)})
    return replace(measured, result=result)


def test_a_plan_that_misses_what_was_asked_says_so_first_and_offers_one_that_holds() -> None:
    sensitivity = far_too_hopeful(px.sensitivity(small(), X, formats=["bfloat16", "float16"]))
    plan = sensitivity.plan(min_sqnr=75)
    asked = plan.plan.most_squared_error
    verified = plan.verify()
    assert verified.measured_squared_error > asked
    nearest = plan.nearest
    assert nearest is not None
    assert nearest.verification is not None
    assert nearest.verification.measured_squared_error is not None
    assert nearest.verification.measured_squared_error <= asked
    assert nearest.plan.most_squared_error == asked
    assert nearest.formats != plan.formats
    for said in (str(verified), str(plan)):
        assert said.index("misses what was asked") < said.index("`nearest`") < said.index("PREDICTED / MEASURED")
    assert "misses" not in str(nearest)
    assert plan.formats == sensitivity.plan(min_sqnr=75).formats
    assert "(unnamed)" not in str(plan)


def test_a_plan_that_holds_offers_no_other() -> None:
    plan = px.sensitivity(small(), X, formats=["bfloat16", "float16"]).plan(min_sqnr=30)
    assert plan.verify().said == ""
    assert plan.nearest is None


def test_a_plan_that_leaves_own_code_wide_says_so_where_it_is_printed_and_run() -> None:
    plan = px.sensitivity(Overflows(), X, formats=["bfloat16"]).plan(bytes_share=0.9)
    assert plan.plan.wide_code == ("",)
    for said in (str(plan), str(plan.verify())):
        assert said.count("in float32: the model itself") == 1
        assert "dB lower (estimated)" in said


def test_an_iterator_is_refused_where_the_inputs_are_read_again() -> None:
    with pytest.raises(InputError, match="an iterator can be read only once"):
        px.sweep(small(), iter([X, X]), formats=["bfloat16"])
    plan = px.sensitivity(small(), iter([X]), formats=["bfloat16"]).plan(bytes_share=0.9)
    with pytest.raises(InputError, match="an iterator can be read only once"):
        plan.verify()


def test_a_sweep_has_a_row_a_format() -> None:
    found = px.sweep(small(), X, formats=["bfloat16", "int8"])
    assert [row.spec.dtype for row in found.result.rows] == ["bfloat16", "int8"]
    assert "bfloat16" in str(found)


def test_long_results_print_one_screen() -> None:
    found = px.routes(small(), X)
    assert len(str(found).splitlines()) <= SCREEN_LINES + 1
    assert "to_text()" in str(found) or len(found.to_text().splitlines()) <= SCREEN_LINES


def test_memory_and_autocast_need_no_input() -> None:
    assert "float16" in str(px.memory(small()))
    assert "bfloat16" in px.autocast().to_json()


def test_data_frames_hold_the_tables_of_pages_and_terminal() -> None:
    module = small()
    compared, layers = px.compare(module, X).to_frame(), px.layers(module, X).to_frame()
    assert len(compared)
    assert "12" in set(layers["layer"])
    sensitivity = px.sensitivity(module, X, formats=["bfloat16"])
    for frame in (
        px.audit(module, X).to_frame(),
        px.ranges(module, X).to_frame(),
        px.memory(module).to_frame(),
        px.autocast().to_frame(),
        px.try_claims(module, X, only=["inputs-cast"]).to_frame(),
        px.regimes(module, X).to_frame(),
        px.training(module, X).to_frame(),
        sensitivity.to_frame(),
        sensitivity.plan(bytes_share=0.7).to_frame(),
        px.sweep(module, X, formats=["bfloat16"]).to_frame(),
    ):
        assert len(frame)
        assert frame.notna().any(axis=None)


def test_a_run_that_stopped_has_no_frame() -> None:
    with pytest.raises(px.InputError, match="nothing to show"):
        px.compare(nn.Linear(5, 2), X).to_frame()


@pytest.mark.parametrize(
    "analysis", [px.compare, px.layers, px.ranges, px.regimes, px.routes, px.sensitivity, px.training]
)
def test_a_run_that_stopped_prints_why(analysis: Callable[..., Any]) -> None:
    found = analysis(small(), torch.zeros(2, 5))
    assert "shapes cannot be multiplied" in str(found)
    assert str(found).count(str(found.failure)) <= 1


def test_a_metric_that_there_is_not_is_refused_with_the_reason() -> None:
    with pytest.raises(px.InputError, match="Did you mean sqnr_db"):
        px.compare(small(), X).metrics["sqnr"]
    with pytest.raises(px.InputError, match=r"Nothing was compared\. The float32 reference itself fails"):
        px.compare(small(), torch.zeros(2, 5)).metrics["sqnr_db"]


def test_figures_that_were_not_measured_have_no_unit() -> None:
    assert "not measured dB" not in str(px.compare(nn.Embedding(3, 2), torch.zeros(0, dtype=torch.int64)))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: px.sensitivity(small(), X, formats="float16").plan(foo=1), "plan does not read foo"),
        (lambda: px.sensitivity(small(), X, formats="float16").plan(max_bytes="much"), "expected a size"),
        (lambda: px.sweep(small(), X, formats="float16", methods="halve"), "Unknown cast method 'halve'"),
        (lambda: px.compare(small(), X).plot_errors(kind=cast(Any, "foo")), "Unknown kind 'foo'"),
        (lambda: px.load("tinynet", dtype="int8"), "load does not read dtype. It reads: input, seed"),
        (lambda: px.try_claims(small(), X, only="nothing"), "Unknown claim 'nothing'"),
    ],
)
def test_what_cannot_be_done_is_said(call: Callable[[], object], message: str) -> None:
    with pytest.raises(px.InputError, match=message):
        call()


def test_every_analysis_takes_labels_out_of_the_inputs() -> None:
    batches = [(X, torch.zeros(16, dtype=torch.int64))]
    for measure in (px.audit, px.compare, px.layers, px.ranges, px.regimes, px.routes, px.training):
        assert measure(small(), batches, labels=1).failure is None
    assert px.sensitivity(small(), batches, labels=1, formats="float16").failure is None


def test_labels_that_are_no_class_are_left_out_and_said() -> None:
    labels = torch.tensor([-100, 9, *[0] * 14])
    run = px.compare(small(), X, labels=labels)
    decided = run.outputs[0].decisions
    assert isinstance(decided, ClassDecisions)
    assert decided.accuracy is not None
    assert decided.accuracy.samples == 14
    assert any(warning.startswith("2 of 16 labels are no class") for warning in run.warnings)
    assert "Accuracy" in str(run)
