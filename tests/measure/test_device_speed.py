"""A device's speed: what is timed beside what, what is left out and why, and what is kept."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from precision.engine import device_speed_store
from precision.errors import JobCancelledError, UnsupportedError
from precision.findings.device_speed import is_faster, is_slower, slower_here, speed_text
from precision.measure import device_speed
from precision.results import DeviceInfo, DeviceSpeedResult, OperatorSpeed
from precision.spec import Analysis, RunSpec
from tests.runs import Recorder, measure_device_speed

SPEC = RunSpec(analysis=Analysis.DEVICE_SPEED)


@pytest.fixture(scope="module")
def measured() -> DeviceSpeedResult:
    return measure_device_speed(SPEC)


def row(ratio: float, low: float, high: float, *, operator: str = "matmul", dtype: str = "float16") -> OperatorSpeed:
    return OperatorSpeed.model_validate(
        {
            "operator": operator, "dtype": dtype, "size": "64×64 by 64×64", "median_s": ratio * 1e-3,
            "float32_median_s": 1e-3, "ratio": ratio, "ratio_low": low, "ratio_high": high, "rounds": 7, "reason": None,
        }
    )  # fmt: skip


def test_every_operator_is_there_in_every_dtype_that_computes(measured: DeviceSpeedResult) -> None:
    there = {(each.operator, each.dtype) for each in measured.operators}
    dtypes = set(measured.device.native_formats) - {"float32"}
    assert there == {(name, dtype) for name in ("matmul", "conv2d", "layer norm", "softmax") for dtype in dtypes}
    assert not any(dtype.startswith("float8") for _, dtype in there)


def test_ratios_lie_between_their_quartiles(measured: DeviceSpeedResult) -> None:
    timed = [each for each in measured.operators if each.reason is None]
    assert timed
    for each in timed:
        assert each.ratio_low is not None
        assert each.ratio is not None
        assert each.ratio_high is not None
        assert 0 < each.ratio_low <= each.ratio <= each.ratio_high
        assert each.rounds >= 3
        assert each.size


def test_what_does_not_run_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(n: int, dtype: torch.dtype, device: torch.device) -> device_speed.Call:
        raise RuntimeError("not implemented for 'Half'\nand more")

    operator = device_speed._Operator(make=refuse, sizes=(8,), growth=8, words="{n}")
    monkeypatch.setattr(device_speed, "_OPERATORS", {"matmul": operator})
    rows = measure_device_speed(SPEC).operators
    assert {each.reason for each in rows} >= {"float16 does not run here: not implemented for 'Half'"}
    assert all(each.ratio is None for each in rows)


def test_a_slow_operand_never_grows(monkeypatch: pytest.MonkeyPatch) -> None:
    tried: list[int] = []

    def make(n: int, dtype: torch.dtype, device: torch.device) -> device_speed.Call:
        tried.append(n)
        return lambda: torch.zeros(1)

    operator = device_speed._Operator(make=make, sizes=(1, 2, 4, 8), growth=8, words="{n}")
    times = {1: 0.001, 2: 0.004, 4: 0.1}
    monkeypatch.setattr(device_speed, "_quickest", lambda call, device, least: times[tried[-1]])
    size, _ = device_speed._largest(operator, (torch.float16, torch.float32), torch.device("cpu"), budget_s=60)
    assert size == 2
    assert 4 not in tried


def test_on_a_slow_machine_every_operator_is_measured_less(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(device_speed, "_WHOLE_LIMIT_S", -1.0)
    rows = measure_device_speed(SPEC).operators
    assert {each.operator for each in rows} == {"matmul", "conv2d", "layer norm", "softmax"}
    assert {each.rounds for each in rows if each.reason is None} == {3}
    assert next(each.size for each in rows if each.operator == "matmul") == "64×64 by 64×64"


def test_what_is_left_of_the_time_is_shared_equally(monkeypatch: pytest.MonkeyPatch) -> None:
    budgets: list[float] = []
    now = [0.0]

    def take_half(name: str, dtype: str, device: torch.device, *, budget_s: float) -> OperatorSpeed:
        budgets.append(budget_s)
        now[0] += budget_s / 2
        return row(1.0, 0.9, 1.1)

    monkeypatch.setattr(device_speed, "time", SimpleNamespace(monotonic=lambda: now[0]))
    monkeypatch.setattr(device_speed, "_measured", take_half)
    monkeypatch.setattr(device_speed, "_busy_share", lambda: 0.0)
    measure_device_speed(SPEC)
    assert budgets[0] == device_speed._WHOLE_LIMIT_S / len(budgets)
    assert budgets == sorted(set(budgets))  # what one leaves over goes to those after it


def test_a_busy_machine_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(device_speed, "_WHOLE_LIMIT_S", -1.0)
    monkeypatch.setattr(device_speed, "_busy_share", lambda: 0.5)
    assert "50.0 % of their time" in measure_device_speed(SPEC).warnings[0]


def test_it_can_be_stopped() -> None:
    with pytest.raises(JobCancelledError, match="enough"):
        measure_device_speed(SPEC, Recorder(stop_at="Timing"))


def test_an_absent_device_is_refused() -> None:
    with pytest.raises(UnsupportedError, match="no device 'cuda:99'"):
        measure_device_speed(RunSpec(device="cuda:99", analysis=Analysis.DEVICE_SPEED))


def test_only_the_device_tells_two_requests_apart() -> None:
    asked = RunSpec(model="digits", dtype="int8", seed=7, device="cpu", analysis=Analysis.DEVICE_SPEED)
    assert asked.measured == SPEC


def test_words_follow_the_quartiles() -> None:
    assert is_slower(row(19.4, 18, 20))
    assert speed_text(row(19.4, 18, 20)) == "19 × slower"
    assert is_faster(row(0.5, 0.4, 0.6))
    assert speed_text(row(0.5, 0.4, 0.6)) == "2.0 × faster"
    assert speed_text(row(1.0, 0.9, 1.1)) == "no measurable difference"
    assert speed_text(row(19.4, 12, 25)) == "19 × slower"


@pytest.mark.parametrize("ratios", [(12.0, 2.0, 30.0), (0.6, 0.4, 0.9), (1.2, 0.8, 2.0), (2.0, 1.4, 2.8)])
def test_no_ratio_is_told_where_the_rounds_spread_too_widely(ratios: tuple[float, float, float]) -> None:
    assert not is_slower(row(*ratios))
    assert not is_faster(row(*ratios))
    assert speed_text(row(*ratios)).startswith("cannot tell: ")


def test_a_busy_machine_tells_plain_differences_alone() -> None:
    assert speed_text(row(0.7, 0.6, 0.7), is_busy=True) == "cannot tell: the processors were busy"
    assert speed_text(row(19.4, 18, 20), is_busy=True) == "19 × slower"


def test_the_warning_names_the_slowest_product(measured: DeviceSpeedResult) -> None:
    def of(*rows: OperatorSpeed) -> DeviceSpeedResult:
        return measured.model_copy(update={"operators": rows, "warnings": ()})

    slow = of(row(3.0, 2.9, 3.1), row(19.4, 18, 20, operator="conv2d"), row(99, 98, 99, operator="softmax"))
    said = slower_here(slow, "float16")
    assert said is not None
    assert said.startswith("float16 is 19 × slower than float32 on this CPU in a conv2d")
    assert slower_here(slow, "bfloat16") is None
    assert slower_here(slow.model_copy(update={"warnings": ("The processors were busy.",)}), "float16") is None
    assert slower_here(of(row(0.5, 0.4, 0.6), row(9, 8, 9, operator="softmax")), "float16") is None


def test_what_was_measured_is_kept_for_this_machine_alone(measured: DeviceSpeedResult, tmp_path: Path) -> None:
    device, environment = measured.device, measured.environment
    assert device_speed_store.kept(device, environment, tmp_path) is None
    device_speed_store.keep(measured, tmp_path)
    assert device_speed_store.kept(device, environment, tmp_path) == measured
    for changed in ({"threads": 99}, {"torch": "0.1"}, {"cpu_capability": "none"}):
        assert device_speed_store.kept(device, environment.model_copy(update=changed), tmp_path) is None
    other = DeviceInfo(id=device.id, name="another", memory_bytes=None)
    assert device_speed_store.kept(other, environment, tmp_path) is None


def test_a_damaged_file_is_no_measurement(measured: DeviceSpeedResult, tmp_path: Path) -> None:
    device_speed_store.keep(measured, tmp_path)
    (file,) = (tmp_path / "device-speed").iterdir()
    file.write_text("{")
    assert device_speed_store.kept(measured.device, measured.environment, tmp_path) is None


def test_a_folder_that_cannot_be_written_is_logged(
    measured: DeviceSpeedResult, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").write_text("")
    device_speed_store.keep(measured, tmp_path / "file")
    assert "cannot be kept" in caplog.text
