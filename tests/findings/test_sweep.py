"""A sweep: which runs are planned, what of each becomes a row, and what the rows say together."""

from __future__ import annotations

import math

import pytest

from precision.errors import InputError
from precision.findings.sweep import (
    USUAL_FORMATS,
    failed_row,
    fits_text,
    plan_sweep,
    smallest_keeping,
    sweep_finding,
    sweep_row,
    theory_bytes,
    weights_fit_text,
)
from precision.results import CompareResult, DeviceInfo, SweepRow, Verdict
from precision.spec import CastMethod, RunSpec
from tests.runs import compare, measure_memory

CPU = DeviceInfo(id="cpu", name="A CPU", memory_bytes=2**30, native_formats=("float64", "float32", "bfloat16"))
GPU = DeviceInfo(id="cuda:0", name="A GPU", memory_bytes=2**40, native_formats=("float32", "float16"))


@pytest.fixture(scope="module")
def compared() -> CompareResult:
    return compare(RunSpec(model="linear-5-10", dtype="bfloat16", batch=6))


def row(dtype: str, word: str, size: int, sqnr_db: float | None) -> SweepRow:
    verdict = Verdict.model_validate({"word": word, "sentence": "", "rule": ""})
    values = {"verdict": verdict, "stored_bytes": size, "reference_bytes": 400, "sqnr_db": sqnr_db, "reason": None}
    return failed_row(RunSpec(dtype=dtype), "").model_copy(update=values)


def test_every_combination_is_planned_by_its_usual_method() -> None:
    base = RunSpec(model="digits", seed=5, reference="float64", keep=("head",))
    plan = plan_sweep(base, formats=["bf16", "int8", "bfloat16", "e5m7"], devices=[CPU])
    assert [(spec.dtype, spec.method) for spec in plan.specs] == [
        ("bfloat16", CastMethod.TO),
        ("int8", CastMethod.DYNAMIC),
        ("e5m7", CastMethod.TO),
    ]
    assert all(
        (spec.model, spec.seed, spec.reference, spec.keep) == ("digits", 5, "float64", ("head",)) for spec in plan.specs
    )
    assert not plan.skipped


def test_what_is_not_possible_keeps_its_reason() -> None:
    plan = plan_sweep(
        RunSpec(), formats=["float16", "bfloat16"], methods=[CastMethod.TO, CastMethod.HALF], devices=[CPU, GPU]
    )
    assert [(spec.dtype, spec.method, spec.device) for spec in plan.specs] == [
        ("float16", CastMethod.TO, "cuda:0"),
        ("float16", CastMethod.HALF, "cuda:0"),
        ("bfloat16", CastMethod.TO, "cpu"),
    ]
    reasons = {(each.dtype, each.method, each.device): each.reason for each in plan.skipped}
    assert reasons[("float16", CastMethod.TO, "cpu")] == "A CPU (cpu) has no kernels for float16."
    assert "gives float16, not bfloat16" in reasons[("bfloat16", CastMethod.HALF, "cpu")]
    assert len(plan.specs) + len(plan.skipped) == 8


def test_an_unknown_format_is_refused() -> None:
    with pytest.raises(InputError, match="Unknown format 'float17'"):
        plan_sweep(RunSpec(), formats=["float17"], devices=[CPU])


def test_the_usual_formats_are_all_known() -> None:
    assert {spec.dtype for spec in plan_sweep(RunSpec(), formats=USUAL_FORMATS, devices=[GPU]).specs} < {*USUAL_FORMATS}


def test_a_row_repeats_the_comparison(compared: CompareResult) -> None:
    made = sweep_row(compared)
    assert compared.comparison is not None
    assert compared.audit is not None
    assert compared.cost is not None
    assert made.sqnr_db == compared.comparison.overall.sqnr_db
    assert made.stored_bytes == compared.audit.bytes_after
    assert not made.bytes_are_estimated
    assert made.time_s == compared.cost.candidate_time.median_s
    assert made.samples_per_s == pytest.approx(6 / compared.cost.candidate_time.median_s)
    assert made.verdict == compared.verdict
    assert made.reason is None


def test_simulated_bytes_are_estimated() -> None:
    made = sweep_row(compare(RunSpec(model="linear-5-10", dtype="int4")))
    assert made.bytes_are_estimated
    assert made.execution == "simulated"


def test_a_run_that_stopped_says_why(compared: CompareResult) -> None:
    stopped = sweep_row(compared.model_copy(update={"comparison": None, "cost": None}), reason="out of memory")
    assert stopped.reason == "out of memory"
    assert stopped.verdict.word == "not measured"
    assert stopped.time_s is None
    assert stopped.stored_bytes is not None


def test_the_finding_names_what_each_format_buys_and_ranks_no_verdicts() -> None:
    rows = [
        row("float16", "kept", 200, 63.1),
        row("int8", "close", 100, 39.8),
        row("mxfp8_e4m3", "changed", 100, 41.25),
        row("int4", "broken", 50, 2.0),
    ]
    assert sweep_finding(rows) == (
        "of 4 formats, int8 needs the fewest bytes of those that keep what matters (39.8 dB in 25.0 % of the bytes), "
        "float16 has the smallest error (63.1 dB in 50.0 % of the bytes)"
    )
    assert sweep_finding(rows[3:]) == "int4 is broken (2.0 dB in 12.5 % of the bytes)"
    assert sweep_finding([rows[0], rows[3]]) == (
        "of 2 formats, float16 needs the fewest bytes and has the smallest error of those that keep what matters "
        "(63.1 dB in 50.0 % of the bytes)"
    )
    assert sweep_finding([row("float16", "exact", 200, math.inf)]) == "float16 is exact (50.0 % of the bytes)"
    assert sweep_finding([row("float16", "kept", 200, 60.0)]).startswith("float16 keeps what matters (60.0 dB")
    assert sweep_finding([row("int8", "changed", 100, 30.0)]).startswith("int8 changes what matters (30.0 dB")
    assert sweep_finding([row("int8", "uncertain", 100, 30.0)]).startswith("int8 may keep what matters (30.0 dB")
    assert sweep_finding([]) == "nothing is measured yet"
    assert sweep_finding([failed_row(RunSpec(), "No room.")]) == "nothing could be compared: no room"
    other = [failed_row(RunSpec(dtype="int8"), "No kernel."), failed_row(RunSpec(), "No room.")]
    assert sweep_finding(other) == "nothing could be compared: int8: no kernel"
    assert sweep_finding([failed_row(RunSpec(), "No.")], 2) == "so far, 1 of 2: nothing could be compared: no"


def test_of_runs_that_keep_their_decisions_the_smallest_is_the_better_of_equals() -> None:
    rows = [row("int8", "close", 100, 40.0), row("mxfp8_e4m3", "close", 100, 41.25)]
    best = smallest_keeping(rows)
    assert best is not None
    assert best.spec.dtype == "mxfp8_e4m3"
    assert smallest_keeping([]) is None


@pytest.mark.parametrize("word", ["broken", "changed", "uncertain"])
def test_runs_whose_decisions_change_or_may_are_no_choice(word: str) -> None:
    rows = [row("int4", word, 50, 20.0), row("int8", word, 100, 30.0)]
    assert smallest_keeping(rows) is None
    assert sweep_finding(rows) == "none of 2 formats is sure to keep what matters"


@pytest.mark.parametrize(
    ("memory_bytes", "text"),
    [
        (4 * 2**30, "Fits cpu (4.00 GiB): weights take 25 %."),
        (1000 * 2**30, "Fits cpu (1000 GiB): weights take less than 1 %."),
        (2**29, "Does not fit cpu (512 MiB)."),
        (None, ""),
    ],
)
def test_whether_the_weights_fit_a_device_is_a_sentence(memory_bytes: int | None, text: str) -> None:
    assert weights_fit_text(2**30, DeviceInfo(id="cpu", name="CPU", memory_bytes=memory_bytes)) == text


def test_a_part_of_a_sweep_speaks_for_itself_alone() -> None:
    rows = [row("int4", "broken", 50, 2.0), row("int8", "changed", 100, 30.0)]
    assert sweep_finding(rows, 9) == "so far, 2 of 9: none is sure to keep what matters"
    assert sweep_finding(rows[:1], 9) == "so far, 1 of 9: int4 is broken (2.0 dB in 12.5 % of the bytes)"
    assert sweep_finding([*rows, row("float16", "kept", 200, 63.1)], 9) == (
        "so far, 3 of 9: float16 needs the fewest bytes and has the smallest error of those that keep what matters "
        "(63.1 dB in 50.0 % of the bytes)"
    )
    assert sweep_finding(rows, 2) == sweep_finding(rows)


@pytest.mark.parametrize(
    ("settings", "size"),
    [
        ({"dtype": "float16"}, 60),
        ({"dtype": "float16", "method": "half"}, 60),
        ({"dtype": "bfloat16", "method": "autocast"}, 120),
        ({"dtype": "float16", "method": "weights-only"}, None),
        ({"dtype": "float16", "keep": ("fc",)}, None),
    ],
)
def test_theory_follows_the_method(settings: dict[str, object], size: int | None) -> None:
    memory = measure_memory(RunSpec(model="tinynet")).memory
    assert theory_bytes(memory, RunSpec.parse(settings)) == size


def test_what_does_not_fit_is_said() -> None:
    assert fits_text(3 * 2**30, None, 2**30) == "no"
    assert fits_text(2**29, 2**28, 2**30) == "yes: 75 % for weights and a pass"
    assert fits_text(1, None, 2**30) == "yes: < 1 % for weights"
