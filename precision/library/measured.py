"""What the library's functions return: results that print, draw and explain themselves."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from inspect import signature
from typing import TYPE_CHECKING, Any, Generic, TypeVar, get_args

from precision.charts.error_spread import HistogramKind
from precision.charts.histogram_svg import histogram_svg
from precision.cli.texts import sweep_text, text_of
from precision.errors import InputError
from precision.findings.fit.smallest import smallest_spec
from precision.findings.fit.table import fit_table, formats_to_judge
from precision.findings.key_figures import decided_figures, key_figures
from precision.findings.main_tables import table_of_result
from precision.findings.remedies import remedies_texts
from precision.findings.sweep_table import sweep_table
from precision.findings.verdict import judge, technical_text
from precision.library.data_frame import frame_of
from precision.library.mixed_plan import MixedPlan
from precision.library.opening import Dashboard, is_interactive, save
from precision.library.settings import format_name
from precision.plan.choose import choose
from precision.plan.verify import planned_spec, verification_of
from precision.results import AnalysisResult, CompareResult, LayersResult, RangesResult, SensitivityResult, SweepResult
from precision.results.comparison import ElementPair, OutputComparison
from precision.results.layers import LayerRow
from precision.results.origins import NonfiniteOrigin
from precision.results.plan import Plan, Verification
from precision.results.ranges import by_module
from precision.spec import RunSpec
from precision.text.lookup import looked_up
from precision.text.names import plain
from precision.text.units import parse_bytes

if TYPE_CHECKING:
    import pandas as pd
    import plotly.graph_objects as go

    from precision.library.settings import Format
    from precision.results import Score, Verdict

R = TypeVar("R", bound=AnalysisResult)
SCREEN_LINES = 40
"""Of what a result prints; `to_text` has all of it."""


@dataclass(frozen=True, repr=False, eq=False)
class Measured(Generic[R]):
    """The result of one analysis."""

    result: R
    compared: Callable[[RunSpec], CompareResult] | None = None
    """Compares the same model, on the same input, as another request says."""

    @property
    def failure(self) -> str | None:
        """Why the run stopped early; None where it did not."""
        return self.result.failure.message if self.result.failure else None

    @property
    def warnings(self) -> tuple[str, ...]:
        """What to keep in mind."""
        return self.result.warnings

    def to_text(self) -> str:
        """All of it, as the command line prints it."""
        return text_of(self.result)

    def to_json(self) -> str:
        """All of it, as `--json` of the command line prints it; infinities and NaN are strings."""
        return self.result.model_dump_json(indent=2)

    def save(self, path: str | os.PathLike[str], *others: Measured[Any]) -> None:
        """Write it, and others with it, to a file that `precision-explorer open` shows in the dashboard.

        Raises:
            InputError: the file cannot be written.
        """
        save([run.result for run in (self, *others)], path)

    def open(self, *others: Measured[Any], block: bool | None = None, browser: bool = True) -> Dashboard:
        """Show it in the dashboard, and others of the same module with it: each page shows what it is about.

        Args:
            *others: results of the same module, such as those of `layers` and `ranges` beside one of `compare`.
            block: whether to return only when the server ends, which Ctrl-C does; by default, in scripts. If not, it
                ends with this process.
            browser: whether to open a browser.

        Raises:
            InputError: two of them are of one request.
        """
        dashboard = Dashboard(tuple(run.result for run in (self, *others)), browser=browser)
        print(dashboard.address, flush=True)  # noqa: T201  # where to look is what was asked for
        if block if block is not None else not is_interactive():
            dashboard.wait()
        return dashboard

    def to_frame(self) -> pd.DataFrame:
        """The main table, as pages and the command line show it.

        Raises:
            InputError: the run stopped before there was anything to show.
        """
        return frame_of(table_of_result(self.result))

    def __str__(self) -> str:
        """At most one screen, with why a run stopped early."""
        text = self.to_text()
        stopped = f"Stopped early: {plain(self.failure, limit=None)}\n\n" if self.failure else ""
        lines = (text if (self.failure or "") in text else stopped + text).splitlines()
        more = len(lines) - SCREEN_LINES
        return "\n".join(lines if more <= 0 else [*lines[:SCREEN_LINES], f"… {more:,} more lines: .to_text()"])

    __repr__ = __str__

    def _repr_html_(self) -> str:
        return f"<pre>{escape(str(self))}</pre>"


class Comparison(Measured[CompareResult]):
    """The outputs of a model in two precisions."""

    @property
    def verdict(self) -> Verdict:
        """The word, the sentence and the rule."""
        return judge(self.result)

    @property
    def metrics(self) -> Mapping[str, Any]:
        """Over all floating-point outputs, by the names of `ErrorMetrics`; empty where nothing was compared.

        A name that is not there raises `InputError` with the reason.
        """
        comparison = self.result.comparison
        return _Metrics(comparison.overall.model_dump() if comparison else {}, why_none=self.failure)

    @property
    def outputs(self) -> tuple[OutputComparison, ...]:
        """Each output by itself."""
        return self.result.comparison.outputs if self.result.comparison else ()

    @property
    def score(self) -> Score | None:
        """What `validate` gave of both models."""
        return self.result.score

    def worst(self, n: int = 5) -> list[ElementPair]:
        """The elements with the largest error over all outputs, those that are not finite on one side first."""
        pairs = [pair for output in self.outputs for pair in output.worst]
        return sorted(pairs, key=lambda pair: -math.inf if pair.abs_error is None else -pair.abs_error)[:n]

    def plot_errors(
        self, output: str | None = None, *, kind: HistogramKind = "absolute", others: Sequence[Comparison] = ()
    ) -> go.Figure:
        """The distribution of the errors of an output, the first by default.

        Args:
            output: its path.
            kind: of error: absolute, signed or ulp.
            others: of the same model in other formats, to draw over it.

        Raises:
            InputError: nothing was compared, no such output, or no such kind.
        """
        from precision.charts.error_histogram import plot_error_histogram

        if kind not in get_args(HistogramKind):
            raise InputError(f"Unknown kind {kind!r}. Choose of: {', '.join(get_args(HistogramKind))}.")
        drawn = self._output(output)
        over = [(other._output(drawn.path), other.result.spec.candidate) for other in others]
        return plot_error_histogram(drawn, self.result.spec.dtype, *over, kind=kind)

    def _output(self, path: str | None) -> OutputComparison:
        found = next((each for each in self.outputs if path in (None, each.path)), None)
        if found is None:
            known = ", ".join(each.path for each in self.outputs) or "none: " + (self.failure or "nothing was compared")
            raise InputError(f"There is no output {path or ''}. Compared were: {known}.")
        return found

    def figures(self) -> Mapping[str, str]:
        """The key figures in words."""
        rows = (*decided_figures(self.result), *key_figures(self.result))
        return {label: "; ".join(filter(None, texts)) for label, *texts in rows}

    def __str__(self) -> str:
        """The verdict, the key figures and what to keep in mind."""
        verdict, width = self.verdict, max(map(len, self.figures()), default=0)
        lines = [
            f"{plain(self.result.model.title)} in {self.result.spec.candidate} against {self.result.spec.reference}, "
            f"{self.result.execution.label}",
            f"{verdict.word}: {plain(verdict.sentence, limit=None)}",
            *([plain(technical, limit=None)] if (technical := technical_text(verdict)) else []),
            *(f"  {name:{width}}  {text}" for name, text in self.figures().items()),
            *(f"Warning: {plain(warning, limit=None)}" for warning in self.warnings),
            "All of it: .to_text(), .to_frame(), .to_json(), .plot_errors()",
        ]
        return "\n".join(lines)

    __repr__ = __str__

    def _repr_html_(self) -> str:
        verdict = self.verdict
        rows = "".join(
            f"<tr><td>{escape(name)}</td><td>{escape(text)}</td></tr>" for name, text in self.figures().items()
        )
        drawn = histogram_svg(self.outputs[0], self.result.spec.dtype) if self.outputs else ""
        warnings = "".join(f"<p>{escape(plain(warning, limit=None))}</p>" for warning in self.warnings)
        return (
            f"<div><h4>{escape(plain(self.result.model.title))} in {escape(self.result.spec.candidate)}: "
            f"{escape(verdict.word)}</h4><p>{escape(plain(verdict.sentence, limit=None))}</p>"
            f"<p>{escape(plain(technical_text(verdict), limit=None))}</p>"
            f"<table>{rows}</table>{drawn}{warnings}</div>"
        )


class _Metrics(dict[str, Any]):
    """Metrics by name; a wrong name is told with near ones."""

    def __init__(self, values: Mapping[str, Any], *, why_none: str | None) -> None:
        super().__init__(values)
        self._why_none = why_none

    def __missing__(self, name: str) -> Any:
        if not self:
            raise InputError(f"Nothing was compared. {self._why_none or ''}".rstrip())
        return looked_up(name, self, unknown="Unknown metric")


class Layers(Measured[LayersResult]):
    """A model in two precisions, layer by layer."""

    @property
    def rows(self) -> tuple[LayerRow, ...]:
        """Every call of every module, in order."""
        return self.result.report.rows if self.result.report else ()

    @property
    def first_nonfinite(self) -> NonfiniteOrigin | None:
        """Where the first infinity or NaN appears that the reference does not have; None where there is none."""
        report = self.result.report
        return report.origins[0] if report and report.origins else None

    @property
    def remedies(self) -> tuple[str, ...]:
        """What was tried where an output is broken, and what it gave, in sentences."""
        return remedies_texts(self.result)

    def worst(self, n: int = 5) -> list[LayerRow]:
        """The places whose own error (`row.own.local`) is the largest, relative to their output.

        Places are modules that call no others, and the own code of those that do.
        """
        own = [(row.own.local.normalized_l2, row) for row in self.rows if row.own]
        return [row for _, row in sorted(own, key=lambda each: -each[0])[:n]]

    def plot_errors(self) -> go.Figure:
        """The error along the depth of the model.

        Raises:
            InputError: no layer was compared.
        """
        from precision.charts.error_along_depth import plot_error_along_depth

        if self.result.report is None:
            raise InputError(self.failure or "No layer was compared.")
        return plot_error_along_depth(self.result.report, self.result.spec.dtype)


class Ranges(Measured[RangesResult]):
    """The values of a model, by exponent."""

    def smallest_formats(self, *, scaled: bool = False, asked: Format = "") -> dict[str, str | None]:
        """The smallest format that holds all values of a module, by fqn; None where there is none.

        Args:
            scaled: whether each tensor may have a scale, and formats with scales are a choice.
            asked: a format to consider besides the usual ones: a typed one, or a dialect such as float8_e4m3fnuz.
        """
        ranges = self.result.ranges
        if ranges is None:
            return {}
        table = fit_table(ranges, formats_to_judge(format_name(asked)))
        return {each.module: table.smallest_format(each.tensors, scaled=scaled) for each in by_module(ranges.tensors)}

    def run(self, *, scaled: bool = False, asked: Format = "") -> Comparison:
        """Run the model with every parameter in the smallest format that holds its values, against the reference.

        Parameters that no format holds, buffers and all arithmetic are in the reference's precision. The inputs are
        read once more.

        Args:
            scaled: whether each parameter may have a scale, and formats with scales are a choice.
            asked: as of `smallest_formats`.

        Raises:
            InputError: no format holds a parameter, or this result is not of a model that is at hand.
        """
        if self.compared is None:
            raise InputError("The model is not at hand: measure the ranges of your module, then run its formats.")
        spec = smallest_spec(self.result, scaled=scaled, asked=format_name(asked))
        return Comparison(self.compared(spec), self.compared)


class Sensitivity(Measured[SensitivityResult]):
    """What every layer adds to the error in every format."""

    def plan(self, **budget: Any) -> MixedPlan:
        """The best plan for one budget: `bytes_share`, `max_bytes`, `time_share` or `min_sqnr`.

        Args:
            **budget: see `precision.plan.choose.choose`; `max_bytes` may also be a text such as `20KiB`.

        Raises:
            InputError: not exactly one budget, no plan within it, or an argument of another name.
        """
        known = signature(choose).parameters.keys() - {"result"}
        if unknown := budget.keys() - known:
            raise InputError(f"plan does not read {', '.join(unknown)}. It reads: {', '.join(sorted(known))}.")
        if isinstance(size := budget.get("max_bytes"), str):
            try:
                budget["max_bytes"] = parse_bytes(size)
            except ValueError as error:
                raise InputError(f"max_bytes = {size!r}: {error}.") from error
        return MixedPlan(choose(self.result, **budget), self, budget)

    def run(self, plan: Plan) -> Verification:
        """What a run of `plan` measures.

        Raises:
            InputError: this result is not of a model that is at hand.
        """
        if self.compared is None:
            raise InputError("The model is not at hand: measure the sensitivity of your module, then verify its plan.")
        return verification_of(plan, self.compared(planned_spec(plan, self.result.spec)))


@dataclass(frozen=True, repr=False)
class Sweep:
    """A model in many formats."""

    result: SweepResult
    """A row for each."""

    def to_text(self) -> str:
        """All of it, as the command line prints it."""
        return sweep_text(self.result)

    def to_json(self) -> str:
        """All of it, as `--json` of the command line prints it."""
        return self.result.model_dump_json(indent=2)

    def to_frame(self) -> pd.DataFrame:
        """A row for each run."""
        return frame_of(sweep_table([row.spec for row in self.result.rows], self.result.rows, self.result.skipped))

    __str__ = to_text
    __repr__ = to_text
