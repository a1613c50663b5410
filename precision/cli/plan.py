"""A mixed-precision plan: chosen from the options of the command line, exported, and shown."""

from __future__ import annotations

import argparse
import json
import math
from collections import Counter
from pathlib import Path

from precision.cli.heading import heading, paragraphs, warnings_text
from precision.cli.tables import columns
from precision.errors import InputError
from precision.findings.plan import LAYER_TIMES
from precision.plan.choose import choose
from precision.plan.export import plan_code, runtime_needs
from precision.plan.export import plan_json as exported_json
from precision.results import SensitivityResult
from precision.results.plan import Plan, Totals, Verification
from precision.text.names import plain
from precision.text.units import bytes_text, number_text, seconds_text


def chosen(arguments: argparse.Namespace, result: SensitivityResult) -> Plan:
    """The plan that the options ask for; as `precision.plan.choose.choose` otherwise."""
    return choose(
        result,
        max_bytes=arguments.max_bytes,
        bytes_share=arguments.bytes_share,
        time_share=arguments.time_share,
        min_sqnr=arguments.min_sqnr,
        keep_norms=arguments.keep_norms,
        native=arguments.native,
        split_ties=arguments.split_ties,
    )


def export(plan: Plan, path: Path) -> None:
    """Write PyTorch code to a path that ends in .py, JSON to any other.

    Raises:
        InputError: the plan has no PyTorch code; or the file cannot be written.
    """
    text = plan_code(plan) if path.suffix == ".py" else f"{exported_json(plan)}\n"
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise InputError(f"{plain(str(path))} cannot be written: {error.strerror}.") from error


def plan_json(result: SensitivityResult, plan: Plan, verification: Verification | None) -> str:
    """The plan, and what was measured of it."""
    whole = {"sensitivity_of": result.spec, "plan": plan, "verification": verification}
    # By way of text, in which infinities are strings.
    parts = {name: json.loads(part.model_dump_json()) if part else None for name, part in whole.items()}
    return json.dumps(parts, indent=2, allow_nan=False)


def plan_text(result: SensitivityResult, plan: Plan, verification: Verification | None) -> str:
    """A line for every layer; the whole beside one format for all; and predicted beside measured."""
    rows = [["LAYER", "TYPE", "FORMAT", "ADDS RMSE", "BYTES"]]
    rows += [
        [
            plain(layer.fqn, limit=None) if layer.fqn else "(model)",
            plain(layer.type),
            layer.format,
            number_text(math.sqrt(layer.squared_error)),
            bytes_text(layer.stored_bytes),
        ]
        for layer in plan.layers
    ]
    whole = [["IN ALL", "SQNR DB", "RMSE", "BYTES", "LAYERS TAKE"], _totals("this plan", plan.totals)]
    whole += [_totals(f"all {uniform.dtype}", uniform.totals) for uniform in plan.uniform]
    return paragraphs(
        heading(result),
        warnings_text(*result.warnings),
        columns(rows),
        ", ".join(f"{count:,} × {name}" for name, count in Counter(name for _, name in plan.pairs).most_common()),
        columns(whole),
        f"LAYERS TAKE: {LAYER_TIMES}",
        "" if plan.optimal else "The search was cut short: there may be a better plan.",
        "\n".join(runtime_needs(plan)),
        columns(_verified(verification)) if verification else "",
    )


def _totals(name: str, totals: Totals) -> list[str]:
    error = totals.squared_error
    return [
        name,
        "not predicted" if totals.sqnr_db is None else number_text(totals.sqnr_db),
        "not predicted" if error is None else f"{number_text(math.sqrt(error))}{' (measured)' * totals.is_measured}",
        bytes_text(totals.stored_bytes),
        "not measured" if totals.time_s is None else seconds_text(totals.time_s),
    ]


def _verified(verification: Verification) -> list[list[str]]:
    measured, ratio = verification.measured_squared_error, verification.ratio
    taken = verification.measured_time_s
    stored = verification.estimated_bytes or verification.measured_bytes
    return [
        ["", "PREDICTED", "MEASURED", "PREDICTED / MEASURED"],
        [
            "RMSE",
            number_text(math.sqrt(verification.predicted_squared_error)),
            "not finite" if measured is None else number_text(math.sqrt(measured)),
            "" if ratio is None else f"{ratio:.2f}",
        ],
        ["Bytes", bytes_text(verification.predicted_bytes), "" if stored is None else bytes_text(stored), ""],
        ["Whole pass", "", "" if taken is None else seconds_text(taken), ""],
    ]
