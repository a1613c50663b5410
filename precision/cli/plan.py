"""A mixed-precision plan: chosen from the options of the command line, exported, and shown."""

import argparse
import json
from collections.abc import Collection
from pathlib import Path

from precision.cli.heading import report_of
from precision.cli.tables import table_text
from precision.errors import InputError
from precision.findings.plan import (
    LAYER_TIMES,
    doubts_text,
    formats_text,
    judged_text,
    left_wide_text,
    plan_table,
    totals_table,
    verification_table,
)
from precision.plan.choose import choose
from precision.plan.export import plan_code, runtime_needs
from precision.plan.export import plan_json as exported_json
from precision.results import SensitivityResult
from precision.results.plan import Plan, Verification
from precision.text.names import plain


def chosen(
    arguments: argparse.Namespace,
    result: SensitivityResult,
    keep: Collection[str] = (),
    *,
    min_sqnr: float | None = None,
) -> Plan:
    """The plan for the options of the command line, or for another `min_sqnr`; see `precision.plan.choose.choose`."""
    return choose(
        result,
        max_bytes=arguments.max_bytes,
        bytes_share=arguments.bytes_share,
        time_share=arguments.time_share,
        min_sqnr=arguments.min_sqnr if min_sqnr is None else min_sqnr,
        keep=keep,
        keep_norms=arguments.keep_norms,
        native=arguments.native,
        split_ties=arguments.split_ties,
    )


def export(plan: Plan, path: Path) -> None:
    """Write PyTorch code to a path that ends in .py, JSON to any other.

    Raises:
        InputError: the plan has no PyTorch code, or the file cannot be written.
    """
    text = plan_code(plan) if path.suffix == ".py" else f"{exported_json(plan)}\n"
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise InputError(f"{plain(str(path))} cannot be written: {error.strerror}.") from error


def plan_json(result: SensitivityResult, plan: Plan, verification: Verification | None) -> str:
    """The plan, and what was measured when it ran."""
    whole = {"sensitivity_of": result.spec, "plan": plan, "verification": verification}
    # Through text, because infinities are strings there.
    parts = {name: json.loads(part.model_dump_json()) if part else None for name, part in whole.items()}
    return json.dumps(parts, indent=2, allow_nan=False)


def plan_text(
    result: SensitivityResult,
    plan: Plan,
    verification: Verification | None,
    missed: Collection[str] = (),
    *,
    nearest: str = "",
) -> str:
    """A line for every layer; the whole beside one format for all; and predicted beside measured.

    First of all whether the plan misses what was asked, or may; `missed` says so of plans that were run before it, and
    `nearest` names one that holds.
    """
    judged = ""
    if result.report is not None:
        found = verification
        judged = judged_text(found, result.report, plan) if found else doubts_text(plan, result.report)
    return report_of(
        result,
        "\n".join(plain(said, limit=None) for said in (*missed, judged, nearest) if said),
        table_text(plan_table(plan).pick("layer", "type", "format", "adds RMSE", "bytes")),
        formats_text(plan),
        plain(left, limit=None) if (left := left_wide_text(plan)) else "",
        table_text(totals_table(plan)),
        f"LAYERS TAKE: {LAYER_TIMES}",
        "" if plan.optimal else "The search was cut short: there may be a better plan.",
        "\n".join(runtime_needs(plan)),
        table_text(verification_table(verification)) if verification else "",
    )
