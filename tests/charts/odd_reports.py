"""Reports of lockstep runs that charts must survive."""

from __future__ import annotations

import math

from precision.results import Corners, ErrorOctaves, ErrorSize, LayerErrors, LayerRow, LayersReport


def errors(normalized_l2: float | None, *, broken: int = 0, elements: int = 8) -> LayerErrors:
    """Errors of one relative size."""
    return LayerErrors(
        elements=elements,
        ref_only_nonfinite=0,
        cand_only_nonfinite=broken,
        both_nonfinite=0,
        nonfinite_agree=0,
        exact_share=1.0 if normalized_l2 == 0 else 0.5,
        normalized_l2=normalized_l2,
    )


def corners(local: float, inherited: float) -> Corners:
    """A layer with these relative errors."""

    def size(value: float) -> ErrorSize:
        return ErrorSize(rmse=value, normalized_l2=value, max_abs_error=value)

    return Corners(
        local=size(local),
        inherited=size(inherited),
        interaction=size(0.0),
        propagated=size(local + inherited),
        gain=None if not inherited else 0.5,
        input_normalized_l2=inherited,
        excluded_elements=0,
    )


def row(fqn: str, relative: float | None, *, broken: int = 0, local: float | None = None, call: int = 1) -> LayerRow:
    """A call of a module without modules inside."""
    return LayerRow(
        fqn=fqn,
        call=call,
        type="Linear",
        depth=fqn.count(".") + 1,
        parent=None,
        is_leaf=True,
        finished=0,
        errors=errors(relative, broken=broken),
        octaves=None if relative is None else ErrorOctaves(first=-12, counts=(1, 4, 2), zeros=1),
        corners=None if local is None else corners(local, relative or 0.0),
    )


def report(rows: list[LayerRow]) -> LayersReport:
    """A report of these calls, and nothing else."""
    return LayersReport(
        rows=tuple(rows),
        operators=(),
        operator_dtypes=(),
        origins=(),
        divergences=(),
        not_called=(),
        stopped=None,
        observer=None,
        watched_operators=False,
        decomposed=True,
        calls=len(rows),
        compared_elements=8 * len(rows),
        operator_calls=0,
        notes=(),
    )


REPORTS = {
    "nothing": report([]),
    "one": report([row("a", 1e-3, local=1e-3)]),
    "exact": report([row("a", 0.0, local=0.0), row("b", 0.0)]),
    "not comparable": report([row("a", None)]),
    "broken": report([row("a", 1e-3), row("b", 2e-3, broken=3), row("b", None, broken=8, call=2)]),
    "infinite": report([row("a", math.inf), row("b", 1e-300)]),
    "tiny": report([row("a", 5e-324), row("b", 1e-310)]),
    "odd names": report([row("<img src=x onerror=alert(1)>", 1e-3), row("%{y}<br>", 1e-2), row("x" * 300, 1e-4)]),
    "deep": report([row(".".join("abcdefghij"[:n]), 1e-3 * n) for n in range(1, 11)]),
    "thousands": report([row(f"layers.{n // 10}.part{n % 10}", 1e-4 * (1 + n % 7), local=1e-4) for n in range(4000)]),
    "unfinished": report(
        [row("a", 1e-3), LayerRow(fqn="b", call=1, type="B", depth=1, parent=None, is_leaf=True, finished=None)]
    ),
}
