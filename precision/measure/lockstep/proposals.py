"""What could be changed about a candidate whose outputs are broken, in order of cost."""

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import get_args

from precision.findings.remedies import kept_by
from precision.formats import NumericFormat, format_named
from precision.measure.casting.scaling_rules import scales
from precision.results.layers import LayersReport, OperatorRow
from precision.results.origins import NonfiniteOrigin
from precision.results.remedies import Remedy, RemedyKind
from precision.spec import CastMethod, RunSpec
from precision.spec.keep import Kept

_NEAR = 2
"""So many operators before the one at fault could be what it needs."""
_CASTS = frozenset({"to", "type", "type_as", "half", "bfloat16", "float"})
SIXTEEN_BITS = ("bfloat16", "float16")
_BY_KIND: dict[str, tuple[RemedyKind, ...]] = {
    "overflow": ("scale", "clamp"),
    "domain": ("clamp",),
    "underflow": ("scale", "larger eps"),
    "cancellation": ("larger eps",),
    "infinities": ("scale",),
    "mask": ("smallest finite",),
}


def proposals(
    report: LayersReport, spec: RunSpec, native: Sequence[str], *, inputs: Sequence[str] = ()
) -> list[Remedy]:
    """Changes to try, each once; none that the spec's method excludes or that it already has.

    `inputs` are names of arguments that may be at fault, as they are cast.
    """
    found = dict.fromkeys((*uncast(inputs), *_proposed(report, spec, native)))
    order = get_args(RemedyKind)
    return sorted(
        (each for each in found if kept_by(each) not in spec.keep), key=lambda remedy: order.index(remedy.kind)
    )


def uncast(inputs: Sequence[str]) -> Iterator[Remedy]:
    """Each of the arguments left uncast."""
    return (Remedy(kind="input", input=name, tried=False) for name in inputs)


def scaled_outputs(report: LayersReport) -> Iterator[Remedy]:
    """Scales for modules whose outputs are clipped."""
    if (clipped := report.first_clipped) is not None:
        yield _untried("scale", clipped.fqn)


def _proposed(report: LayersReport, spec: RunSpec, native: Sequence[str]) -> Iterator[Remedy]:
    if spec.weights:  # nothing but stored values differs
        return
    places, modules = _places(report)
    operators = [(fqn, operator) for fqn, operator in places if _not_kept(fqn, spec.keep) == fqn]
    if spec.format.computes:
        for fqn, operator in operators:
            yield _untried("operator wide", fqn, operator)
        for fqn, operator in operators[:1]:
            yield _untried("operator back", fqn, operator)
    if not spec.plan:
        if spec.format.computes:
            for fqn in _own_codes(report, operators, spec.keep):
                yield _untried("own code", fqn)
                yield _untried("own code wide", fqn)
        around = [_not_kept(fqn, spec.keep) for fqn in modules]
        yield from (_untried("module", fqn) for fqn in around if fqn)
        if spec.dtype in SIXTEEN_BITS:
            other = next(name for name in SIXTEEN_BITS if name != spec.dtype)
            if other in native:
                yield Remedy(kind="format", format=other, tried=False)
            if spec.method is CastMethod.TO:
                yield Remedy(kind="autocast", tried=False)
    yield from scaled_outputs(report)
    if not report.origins and modules and _has_less_range(spec):
        yield _untried("scale", modules[0])
    for origin in report.origins[:1] + tuple(each for each in report.origins[1:] if each.kind == "mask"):
        for kind in _BY_KIND.get(origin.kind, ()):
            known = origin.kind == "infinities" or scales(origin.operator or "")
            if kind != "scale" or (_has_less_range(spec) and known):
                yield _untried(kind, origin.fqn, origin.operator or "")


def _has_less_range(spec: RunSpec) -> bool:
    """Whether operators of the candidate end at smaller values than the reference's."""
    low = spec.format
    return (
        isinstance(low, NumericFormat)
        and low.computes
        and low.exponent_bits < format_named(spec.reference).exponent_bits
    )


def _own_codes(report: LayersReport, operators: Sequence[tuple[str, str]], kept: Sequence[str]) -> Iterator[str]:
    """Modules with others inside whose own code has an operator that could be at fault.

    That of the first infinity or NaN; where all is finite, those of the operators named, the one in whose own code
    the error grows most from one operator to the next, and the model itself.
    """
    called = [each for each in report.operators if each.name not in _CASTS]
    compared = [each for each in called if each.errors is not None]
    grown = [report.rows[compared[place + 1].row].fqn for place in _largest_jump(compared)]
    root = [""] if any(not report.rows[each.row].fqn for each in called) else []
    near = (*(fqn for fqn, _ in operators), *grown, *root)
    at_fault = [report.rows[origin.row].fqn for origin in report.origins[:1]]
    for fqn in dict.fromkeys(at_fault or near):
        has_others = not fqn or any(row.fqn.startswith(f"{fqn}.") for row in report.rows)
        if has_others and _not_kept(fqn, kept) == fqn:
            yield fqn


def _places(report: LayersReport) -> tuple[list[tuple[str, str]], list[str]]:
    """Operators, as fqn and name, and modules that could be at fault, the first first."""
    if report.origins:
        return _of_origin(report, report.origins[0])
    if report.stopped is not None:
        return [], [fqn for fqn in (report.stopped.made_in, report.stopped.fqn) if fqn]
    if (choice := report.first_other_choice) is not None:
        return _before(report, report.operators.index(choice))
    return _of_worst(report)


def _of_origin(report: LayersReport, origin: NonfiniteOrigin) -> tuple[list[tuple[str, str]], list[str]]:
    own = [(origin.fqn, origin.operator)] if origin.operator and origin.operator not in _CASTS else []
    owner = [origin.argument.rpartition(".")[0]] if origin.kind == "stored value" else []
    for at, each in enumerate(report.operators):
        if each.row == origin.row and each.name == origin.operator:
            operators, modules = _before(report, at)
            return [*own, *operators], [*owner, *modules]
    return own, [*owner, origin.fqn]


def _before(report: LayersReport, at: int) -> tuple[list[tuple[str, str]], list[str]]:
    """The operators that ran just before one, the last first; its module, and those that ran before it."""
    row = report.operators[at].row
    near = [each for each in report.operators[max(at - _NEAR, 0) : at][::-1] if each.errors is not None]
    maker = next((each.row for each in report.operators[:at][::-1] if each.row != row), row)
    operators = [(report.rows[each.row].fqn, each.name) for each in near if each.name not in _CASTS]
    return operators, [report.rows[place].fqn for place in (row, maker)]


def _of_worst(report: LayersReport) -> tuple[list[tuple[str, str]], list[str]]:
    """The module with the largest error of its own; in it the operator behind which the error grows most."""
    own = [(row.corners.local.normalized_l2, at) for at, row in enumerate(report.rows) if row.corners and row.fqn]
    if not own:
        return [], []
    _, worst = max(own)
    fqn = report.rows[worst].fqn
    inside = [each for each in report.operators if each.row == worst and each.errors is not None]
    before = [(fqn, inside[place].name) for place in _largest_jump(inside)]
    operators = before or [(fqn, each.name) for each in inside]
    return [each for each in operators if each[1] not in _CASTS], [fqn]


def _largest_jump(operators: Sequence[OperatorRow]) -> list[int]:
    """The place of the operator behind which the error grows most, as a list; none of fewer than two."""
    sizes = [each.errors.normalized_l2 or 0.0 if each.errors else 0.0 for each in operators]
    jumps = [later - earlier for earlier, later in pairwise(sizes)]
    return [jumps.index(max(jumps))] if jumps else []


def _not_kept(fqn: str, kept: Sequence[str]) -> str:
    """The module, or the one around it that is not kept yet; empty where that is the model itself."""
    whole = [part.fqn for part in map(Kept.parse, kept) if not (part.own_code or part.operator)]
    while fqn and any(fqn == name or fqn.startswith(f"{name}.") for name in whole):
        fqn = fqn.rpartition(".")[0]
    return fqn


def _untried(kind: RemedyKind, fqn: str, operator: str = "") -> Remedy:
    return Remedy(kind=kind, fqn=fqn, operator=operator, tried=False)
