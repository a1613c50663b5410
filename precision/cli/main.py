"""Runs one command; `--help` lists the exit codes. Results go to stdout, everything else to stderr."""

import argparse
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from precision.claims.catalogue import claims_named
from precision.cli import formats, tables
from precision.cli import plan as planning
from precision.cli.arguments import PROGRAM, parser, settings_of
from precision.cli.dashboard import open_file, run
from precision.cli.heading import paragraphs
from precision.cli.terminal import Part, on_terminal
from precision.cli.texts import speed_rows_text, sweep_text, text_of
from precision.cli.worker import work
from precision.engine import EngineConfig
from precision.errors import PrecisionError, UnsupportedError
from precision.findings.fit.smallest import smallest_spec
from precision.findings.plan import judged_text
from precision.findings.sweep import failed_row, plan_sweep, sweep_row
from precision.findings.thresholds import parse_threshold, violations
from precision.models.catalogue import describe, offered
from precision.results import AnalysisResult, CompareResult, DeviceInfo, DeviceSpeedResult, SweepResult
from precision.results.plan import Plan
from precision.spec import Analysis, RunSpec
from precision.spec.cast_methods import method_named
from precision.text.names import plain

_DONE, _VIOLATED, _REFUSED, _INTERRUPTED = 0, 1, 2, 130


def main(argv: Sequence[str]) -> int:
    """Run one command; returns its exit code. Wrong options end the process with code 2, as argparse does."""
    arguments = parser().parse_args(argv)
    try:
        return _COMMANDS.get(arguments.command, _measure)(arguments)
    except PrecisionError as error:
        return _refuse(str(error))
    except KeyboardInterrupt:
        print("Interrupted.", file=sys.stderr)
        return _INTERRUPTED


def _models(arguments: argparse.Namespace) -> int:
    print(tables.results_json(offered()) if arguments.json else tables.models_text())
    return _DONE


def _formats(arguments: argparse.Namespace) -> int:
    name, value = arguments.format, arguments.value
    if value is not None:
        show = formats.number_json_in if arguments.json else formats.number_text_in
        print(show(value, name, saturate=arguments.saturate, largest=arguments.largest))
    elif arguments.json:
        print(formats.formats_json(name))
    else:
        print(tables.formats_text() if name is None else formats.format_text(name))
    return _DONE


def _devices(arguments: argparse.Namespace) -> int:
    from precision.measure.machine.devices import list_devices

    devices = list_devices()
    if arguments.measure:
        return _speeds(devices, as_json=arguments.json)
    print(tables.results_json(devices) if arguments.json else tables.devices_text(devices))
    return _DONE


def _speeds(devices: Sequence[DeviceInfo], *, as_json: bool) -> int:
    from precision import analyses
    from precision.engine import device_speed_store

    folder = EngineConfig.from_environment().data
    results = []
    with on_terminal(sys.stderr) as progress:
        for device in devices:
            result = analyses.run(RunSpec(device=device.id, analysis=Analysis.DEVICE_SPEED), progress)
            if isinstance(result, DeviceSpeedResult):
                device_speed_store.keep(result, folder)
                results.append(result)
    print(tables.results_json(results) if as_json else paragraphs(*map(speed_rows_text, results)))
    return _DONE


def _sweep(arguments: argparse.Namespace) -> int:
    base = _spec(arguments)
    methods = [method_named(name) for name in _listed(arguments.methods)]
    formats = _listed(arguments.formats)
    plan_sweep(base, formats=formats, methods=methods, devices=())  # refuses a misspelt format before torch is loaded
    from precision import analyses
    from precision.measure.machine.devices import describe_device, device_named

    devices = [describe_device(device_named(name)) for name in _listed(arguments.devices) or (base.device,)]
    plan = plan_sweep(base, formats=formats, methods=methods, devices=devices)
    rows = []
    with on_terminal(sys.stderr) as progress:
        for at, spec in enumerate(plan.specs):
            try:
                rows.append(sweep_row(analyses.compare(spec, Part(progress, at, len(plan.specs), spec.dtype))))
            except UnsupportedError as error:
                rows.append(failed_row(spec, str(error)))
    result = SweepResult(rows=tuple(rows), skipped=plan.skipped)
    print(result.model_dump_json(indent=2) if arguments.json else sweep_text(result))
    return _DONE


def _listed(names: str) -> list[str]:
    return [name.strip() for name in names.split(",") if name.strip()]


def _compare(arguments: argparse.Namespace) -> int:
    thresholds = (
        *(parse_threshold(text, higher_is_better=False) for text in arguments.fail_above),
        *(parse_threshold(text, higher_is_better=True) for text in arguments.fail_below),
    )
    result = _measured(arguments)
    if code := _compared(result, as_json=arguments.json):
        return code
    found = violations(result.comparison, thresholds)
    for violation in found:
        print(f"Failed: {plain(violation, limit=None)}", file=sys.stderr)
    return _VIOLATED if found else _DONE


def _compared(result: CompareResult, *, as_json: bool) -> int:
    """Print a comparison."""
    print(result.model_dump_json(indent=2) if as_json else text_of(result))
    if result.comparison is None or result.failure:
        return _refuse(result.failure.message if result.failure else "nothing was compared")
    return _DONE


def _ranges(arguments: argparse.Namespace) -> int:
    if arguments.run is None:
        return _measure(arguments)
    from precision import analyses

    result = _measured(arguments)
    spec = smallest_spec(result, scaled=arguments.run == "scaled", asked=arguments.judge_by)
    with on_terminal(sys.stderr) as progress:
        compared = analyses.compare(spec, progress)
    return _compared(compared, as_json=arguments.json)


def _claims(arguments: argparse.Namespace) -> int:
    claims_named(arguments.only)  # refuses a misspelt id before torch is loaded
    return _measure(arguments, only=arguments.only)


def _plan(arguments: argparse.Namespace) -> int:
    result = _measured(arguments, Analysis.SENSITIVITY)
    if result.report is None or result.failure:
        return _refuse(result.failure.message if result.failure else "no layer was measured")
    report, keep = result.report, _spec(arguments).keep
    chosen = planning.chosen(arguments, result, keep)
    verification, missed = None, list[str]()
    if arguments.verify:
        from precision.plan.verify import verified_within, verify

        def again(least: float) -> Plan:
            return planning.chosen(arguments, result, keep, min_sqnr=least)

        with on_terminal(sys.stderr) as progress:
            tried = verified_within(chosen, report, again, lambda plan: verify(plan, result.spec, progress))
        missed = [judged_text(found, report, plan) for plan, found in tried[:-1]]
        chosen, verification = tried[-1]
    if arguments.export:
        planning.export(chosen, Path(arguments.export))
    if arguments.json:
        print(planning.plan_json(result, chosen, verification))
    else:
        print(planning.plan_text(result, chosen, verification, missed))
    failed = verification.failure if verification else None
    return _refuse(failed.message) if failed else _DONE


def _measure(arguments: argparse.Namespace, **also: Any) -> int:
    result = _measured(arguments, **also)
    print(result.model_dump_json(indent=2) if arguments.json else _text_of(result, arguments))
    return _refuse(result.failure.message) if result.failure else _DONE


def _text_of(result: AnalysisResult, arguments: argparse.Namespace) -> str:
    options = {name: getattr(arguments, name) for name in _OPTIONS.get(result.spec.analysis, ())}
    if result.spec.analysis is Analysis.MEMORY:
        from precision.measure.machine.devices import list_devices

        options["devices"] = list_devices()
    return text_of(result, **options)


def _measured(arguments: argparse.Namespace, analysis: Analysis | None = None, **also: Any) -> Any:
    """The result of the command's analysis, or of the one given."""
    spec = _spec(arguments, analysis or Analysis(arguments.command))
    from precision import analyses

    with on_terminal(sys.stderr) as progress:
        return analyses.run(spec, progress, **also)


def _spec(arguments: argparse.Namespace, analysis: Analysis = Analysis.COMPARE) -> RunSpec:
    spec = RunSpec.parse(settings_of(arguments) | {"analysis": analysis})
    describe(spec.model)  # refuses an unknown model before torch is loaded
    return spec


def _refuse(message: str) -> int:
    print(f"{PROGRAM}: error: {plain(message, limit=None)}", file=sys.stderr)
    return _REFUSED


_COMMANDS: Mapping[str, Callable[[argparse.Namespace], int]] = {
    "models": _models,
    "devices": _devices,
    "formats": _formats,
    "compare": _compare,
    "sweep": _sweep,
    "plan": _plan,
    "ranges": _ranges,
    "claims": _claims,
    "run": run,
    "open": open_file,
    "worker": work,
}
"""Commands that do more than measure and print."""
_OPTIONS = {Analysis.LAYERS: ("operators",), Analysis.RANGES: ("judge_by",), Analysis.CLAIMS: ("code",)}
"""Options that say how a result is printed."""
