"""What routes to a format are said to differ in most."""

from __future__ import annotations

from typing import Any, cast

from precision.findings.routes import facts as words
from precision.findings.routes.differences import finding, sentences
from precision.results import ErrorMetrics, Failure, RoutesReport
from precision.spec.cast_methods import CastMethod
from tests.findings.routes.test_facts import change, facts

ERRORS = cast(Any, ErrorMetrics).model_construct(sqnr_db=60.0, cand_only_nonfinite=0)
CAST: dict[str, object] = {"dtypes": (change("float16", 1, "float16"),)}
ALIKE: dict[str, object] = {**CAST, "errors": ERRORS, "same_output_as_baseline": True}
UNLIKE: dict[str, object] = {**ALIKE, "same_output_as_baseline": False}
NO_RUN: dict[str, object] = {**CAST, "failure": Failure(stage="", where=None, message="no")}


def found(*routes: tuple[CastMethod, dict[str, object]], dtype: str = "float16") -> str:
    rows = tuple(facts().model_copy(update={"method": method, "format": dtype, **known}) for method, known in routes)
    return finding(RoutesReport.model_construct(baseline=routes[0][0], routes=rows, of=len(rows)), dtype)


def test_the_finding_names_the_routes_that_give_another_output() -> None:
    half, to, kind = (CastMethod.HALF, ALIKE), (CastMethod.TO, ALIKE), (CastMethod.TYPE, UNLIKE)
    auto, assign = (CastMethod.AUTOCAST, UNLIKE), (CastMethod.LOAD_STATE_DICT_ASSIGN, UNLIKE)
    assert found(half, to) == "all 2 routes to float16 that ran give the same output, bit for bit"
    assert found(half, kind) == ".type(dtype) gives a different output than .half()"
    two = found(half, to, kind, auto)
    assert two == ".type(dtype) and autocast give a different output than .half(); 1 more gives the same as .half()"
    many = (half, kind, auto, assign, (CastMethod.FROM_PRETRAINED, UNLIKE))
    assert found(*many) == "4 of 5 routes give a different output than .half()"


def test_three_sentences_group_the_routes_by_what_they_do() -> None:
    small, large = ({**ALIKE, "bytes_after": size} for size in (2048, 4096))
    methods = (CastMethod.HALF, CastMethod.TO, CastMethod.TYPE, CastMethod.LOAD_STATE_DICT_ASSIGN)
    rows = tuple(facts(method=method, format="float16", **small) for method in methods)
    auto = facts(method=CastMethod.AUTOCAST, format="float16", **large)
    report = RoutesReport.model_construct(baseline=CastMethod.HALF, routes=(auto, *rows), of=5)
    stored, quality = sentences(report, "float16")
    assert stored == "Stored: 2.00 KiB after 4 routes; 4.00 KiB after autocast."
    assert quality == "SQNR of the output: 60 dB after 5 routes."
    assert sentences(RoutesReport.model_construct(baseline=None, routes=(), of=0), "float16") == ()


def test_a_simulation_is_no_route_that_gives_another_output() -> None:
    int8 = ((CastMethod.INT8_WEIGHT_ONLY, ALIKE), (CastMethod.WEIGHTS_ONLY, UNLIKE), (CastMethod.INT8_DYNAMIC, ALIKE))
    assert found(*int8, dtype="int8") == "all 2 routes to int8 that ran give the same output, bit for bit"


def test_a_model_that_runs_no_more_is_the_finding() -> None:
    broken = found((CastMethod.HALF, ALIKE), (CastMethod.TYPE, NO_RUN), (CastMethod.AUTOCAST, UNLIKE))
    assert broken == "after .type(dtype) the model does not run, after .half() it does"
    assert found((CastMethod.HALF, NO_RUN)) == "0 routes to float16 ran"


def test_outputs_that_are_not_finite_come_first() -> None:
    broken = {**UNLIKE, "errors": ERRORS.model_copy(update={"cand_only_nonfinite": 3, "elements": 4})}
    half, to = (CastMethod.HALF, broken), (CastMethod.TO, UNLIKE)
    assert found(half) == "after .half() 3 of 4 outputs are infinite or NaN"
    assert found(to, half, (CastMethod.TYPE, NO_RUN)) == f"{found(half)}, after .to(dtype) none"


def test_a_format_that_no_call_leads_to_is_said_to_be_simulated() -> None:
    said = found((CastMethod.DYNAMIC, UNLIKE), (CastMethod.WEIGHTS_ONLY, UNLIKE), dtype="mxfp4_e2m1")
    assert said == "PyTorch and torchao have no call for mxfp4_e2m1: it is simulated"


def test_torchao_that_finds_no_layer_to_quantize_is_no_exact_route() -> None:
    nothing = facts(method=CastMethod.INT8_DYNAMIC, format="int8", dtypes=(change("float32", 2),))
    assert words.dtypes_text(nothing, "parameter") == "float32, no layer quantized"
    assert words.dtypes_text(nothing, "floating buffer") == ""
    assert words.format_text(nothing) == "unchanged"
    assert words.no_layer_texts([nothing]) == [
        "torchao int8 dynamic finds no layer to quantize: the model has no linear layer."
    ]
    assert not words.leaves_all(facts(method=CastMethod.INT8_DYNAMIC, dtypes=(change("int8", 1, "int8"),)))
    kept: dict[str, object] = {**ALIKE, "dtypes": nothing.dtypes}
    both = found((CastMethod.INT8_WEIGHT_ONLY, kept), (CastMethod.INT8_DYNAMIC, kept), dtype="int8")
    assert both == "0 routes to int8 ran"


def test_the_finding_counts_only_routes_to_the_format() -> None:
    report = RoutesReport(baseline=None, routes=(), of=0)
    assert finding(report, "float16") == "0 routes to float16 ran"


def test_there_is_no_finding_before_all_routes_are_tried() -> None:
    assert finding(RoutesReport(baseline=None, routes=(facts(),), of=23), "float16") == "1 of 23 routes tried so far"
