"""Every analysis' result as text for a terminal; long ones have a file of their own."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from precision.cli.claims import claims_text
from precision.cli.heading import nothing_text, paragraphs, report_of, warnings_text
from precision.cli.layers import layers_text
from precision.cli.report import audit_text, compare_text
from precision.cli.tables import columns, memory_text_of, table_text
from precision.errors import InputError
from precision.findings.autocast import autocast_table
from precision.findings.device_speed import speed_table
from precision.findings.fit.table import fit_table, formats_to_judge
from precision.findings.main_tables import table_of_result
from precision.findings.ranges import ranges_table
from precision.findings.regimes import overflow_text, regimes_table
from precision.findings.routes import differences
from precision.findings.routes import facts as words
from precision.findings.routes.tables import AFTERWARDS, RUN, STORED, routes_table
from precision.findings.sensitivity.tables import kinds_text, method_text, sensitivity_table, sqnr_matrix, whole_casts
from precision.findings.sweep import WHAT_VERDICTS_ARE, fits_text, sweep_finding
from precision.findings.sweep_table import sweep_table
from precision.findings.tables import Table
from precision.findings.training import advice
from precision.findings.training.steps import left_out_text, recipe_finding
from precision.findings.training.tables import parameters_table, recipes_table, steps_table
from precision.results import (
    AnalysisResult,
    AutocastResult,
    DeviceInfo,
    DeviceSpeedResult,
    MemoryResult,
    RangesResult,
    RegimesResult,
    RoutesResult,
    RunResult,
    SensitivityResult,
    SweepResult,
    TrainingResult,
)
from precision.spec import Analysis
from precision.text.names import plain
from precision.text.units import bytes_text, capitalised, count_text, number_text

_RANGES = (
    *("tensor", "kind", "elements", "zeros", "smallest", "largest", "smallest format"),
    *("verdict", "headroom", "predicted SQNR"),
)
_SWEEP = (
    *("format", "method", "device", "verdict", "SQNR", "max absolute error", "bytes, measured", "bytes, estimated"),
    *("working memory, measured", "time", "against the reference", "throughput (samples/s)", "arithmetic"),
)
_AUTOCAST_LEGEND = """\
Rules, by the dtype of the output:
  lower         float32 inputs give the format
  float32       inputs in the format give float32
  widest input  mixed inputs give their widest dtype
  as given      the output has the dtype of the inputs
  not run       the operator raised on float32 inputs
Columns:
  computes in, for float32 inputs  the dtype of the kernels that ran; empty where the operator raised
  for inputs in the format         the same, with every input in the format
  for mixed inputs                 the first input in the format, the others in float32; empty for a single input
  with gradients                   whether it runs the same, forward and backward, if inputs require gradients"""
_TRAINING_LEGEND = """\
Optimizers make one step, at a learning rate of 0.001. Empty: a value is infinite or NaN, or nothing ran.
Errors are against float32, except one:
  L2 float32  float32's own error, against the same step in float64
Columns:
  weights in         the format: weights are cast and updated in it;
                     float32: the model's own weights, updated with the gradients of their copy in the format
  largest, smallest  of float32's gradients other than zero"""


def autocast_text(result: AutocastResult) -> str:
    """A line for every operator: its rule, and what it computed in for inputs of each kind."""
    dtype = result.spec.dtype
    device = f"{result.device.id} ({plain(result.device.name)}), torch {result.environment.torch}"
    return paragraphs(
        columns([["Device", device], ["Autocast", f"to {dtype}, measured on {len(result.operators)} operators"]]),
        warnings_text(*result.warnings),
        f"Found: autocast lowers {len(result.of_rule('lower')):,} of {len(result.operators):,} operators to {dtype}.",
        table_text(autocast_table(result)),
        _AUTOCAST_LEGEND,
    )


def ranges_text(result: RangesResult, *, judge_by: str = "float16") -> str:
    """A line for every weight, input and output: its range, the smallest format for it, and its fit in one format."""
    ranges = result.ranges
    if ranges is None:
        return nothing_text(result, "No values were counted.")
    table = ranges_table(ranges, ranges.tensors, fit_table(ranges, formats_to_judge(judge_by)), judge_by)
    return report_of(result, f"Verdict, headroom and predicted SQNR: in {judge_by}.", table_text(table.pick(*_RANGES)))


def regimes_text(result: RegimesResult) -> str:
    """A line for every regime, and the factor at which the candidate overflows."""
    report = result.report
    overflow = "" if report.overflow is None else overflow_text(report.overflow, result.spec.dtype)
    return report_of(result, table_text(regimes_table(report)), overflow)


def routes_text(result: RoutesResult) -> str:
    """Three tables, of what is stored, what runs, and training; then why routes failed."""
    report, dtype = result.report, result.spec.dtype
    routes = report.routes
    failures = (
        f"{words.route_text(facts, dtype)}: {plain(facts.failure.message, limit=None)}"
        for facts in routes
        if facts.failure
    )
    return report_of(
        result,
        f"Found: {differences.finding(report, dtype)}." if routes else "",
        *(table_text(_with_facts(routes_table(report, dtype, facts))) for facts in (STORED, RUN, AFTERWARDS)),
        "\n".join((*words.step_failure_texts(routes, dtype), *words.no_layer_texts(routes))),
        "\n".join(failures),
    )


def _with_facts(table: Table) -> Table:
    """The rows that have more than a name."""
    return table.where(any(row[1:]) for row in table.rows)


def sensitivity_text(result: SensitivityResult) -> str:
    """A line for every layer, the worst first: the output's SQNR with only it in a format; then whole casts."""
    report = result.report
    if report is None:
        return nothing_text(result, "No layer was measured.")
    return report_of(
        result,
        f"{method_text(report, exact=result.spec.exact)} Arithmetic: {kinds_text(report)}.",
        "SQNR of the output in dB when only this layer is in the format:",
        table_text(sqnr_matrix(report)),
        table_text(sensitivity_table(report).without("type", "reference bytes", "bytes")) if result.spec.exact else "",
        table_text(whole_casts(report)),
    )


def training_text(result: TrainingResult) -> str:
    """The main finding, then a line for every recipe, optimizer and parameter, the worst parameter first."""
    report, dtype = result.report, result.spec.dtype
    if report is None:
        return nothing_text(result, "No gradient was measured.")
    unused = ", ".join(map(plain, report.without_gradient))
    return report_of(
        result,
        f"Loss: {report.loss_words}; {number_text(report.loss)} in float32.",
        f"Found: {advice.finding(report, dtype)}. {advice.advice(report, dtype)}".rstrip(),
        "\n".join(f"{recipe.label}: {recipe_finding(report, recipe)}" for recipe in report.recipes),
        left_out_text(report),
        table_text(recipes_table(report)),
        table_text(steps_table(report)),
        table_text(parameters_table(report)),
        f"Without a gradient: {unused}." if unused else "",
        _TRAINING_LEGEND,
    )


def main_table_text(result: RunResult) -> str:
    """The main table of an analysis that says no more, or why there is none."""
    try:
        return report_of(result, table_text(table_of_result(result)))
    except InputError as error:
        return report_of(result, plain(str(error), limit=None))


def memory_text(result: MemoryResult, devices: Sequence[DeviceInfo] = ()) -> str:
    """A line for every format: bytes by theory, and whether they fit in each device's memory."""
    memory = result.memory
    fits = [f"FITS {device.id} ({memory_text_of(device)})" for device in devices]
    rows = [
        [
            each.format,
            bytes_text(each.stored_bytes),
            f"{each.stored_bytes:,}",
            *(fits_text(each.stored_bytes, None, device.memory_bytes) for device in devices),
        ]
        for each in memory.formats
    ]
    return paragraphs(
        f"{plain(result.model.title, limit=None)}: {count_text(memory.parameters, 'parameter')}, "
        f"{bytes_text(memory.reference_bytes)} in float32",
        columns([["FORMAT", "STORED", "BYTES", *fits], *rows]),
        "By theory, from shapes alone: parameters and buffers, tied ones once, with scales. The additional memory of "
        "a pass is measured by `sweep`.",
    )


def speed_rows_text(result: DeviceSpeedResult) -> str:
    """A line for every operator and dtype: time, float32's time, and what the ratio says."""
    environment = result.environment
    return paragraphs(
        f"{result.device.id}: {plain(result.device.name)}, {environment.threads} threads, "
        f"{environment.cpu_capability}, torch {environment.torch}",
        warnings_text(*result.warnings),
        table_text(speed_table(result).pick("operator", "dtype", "size", "time", "float32", "against float32")),
    )


def sweep_text(result: SweepResult) -> str:
    """The finding, a line for every run, and a warning for each run that stopped or was not possible."""
    finding = sweep_finding(result.rows)
    reasons = dict.fromkeys(row.reason for row in result.rows if row.reason)
    runs = {
        why: [f"{row.spec.dtype} by {row.spec.method.value}" for row in result.rows if row.reason == why]
        for why in reasons
    }
    stopped = (f"{', '.join(each)}: {why}" for why, each in runs.items())
    skipped = (f"{each.dtype} by {each.method.value} on {each.device}: {each.reason}" for each in result.skipped)
    return paragraphs(
        warnings_text(*filter(None, (row.reference_nonfinite for row in result.rows))),
        plain(capitalised(finding) + ".", limit=None),
        table_text(sweep_table([row.spec for row in result.rows], result.rows).pick(*_SWEEP)),
        WHAT_VERDICTS_ARE,
        warnings_text(*stopped, *skipped),
    )


_TEXTS: Mapping[Analysis, Callable[..., str]] = {
    Analysis.AUDIT: audit_text,
    Analysis.COMPARE: compare_text,
    Analysis.ERRORS: compare_text,
    Analysis.LAYERS: layers_text,
    Analysis.RANGES: ranges_text,
    Analysis.REGIMES: regimes_text,
    Analysis.ROUTES: routes_text,
    Analysis.SENSITIVITY: sensitivity_text,
    Analysis.TRAINING: training_text,
    Analysis.AUTOCAST: autocast_text,
    Analysis.CLAIMS: claims_text,
    Analysis.MEMORY: memory_text,
}
"""The texts that say more than a main table."""


def text_of(result: AnalysisResult, **options: Any) -> str:
    """The text of a result; `options` belong to its analysis, such as `operators` to layers."""
    text = _TEXTS.get(result.spec.analysis, main_table_text)
    return text(result, **options)
