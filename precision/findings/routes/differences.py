"""The most important difference between the routes to a format."""

from collections.abc import Callable, Sequence

from precision.findings.routes.facts import bytes_change_text, leaves_all, sqnr_text, training_text
from precision.formats import any_format_named
from precision.results.routes import RouteFacts, RoutesReport
from precision.spec.cast_methods import is_call
from precision.text.units import count_text

_MOST_NAMES = 3


def finding(report: RoutesReport, dtype: str) -> str:
    """The main finding, in one sentence: what only some routes lose or break, else which routes give another output.

    While routes are still being tried, how many have been.
    """
    if not report.is_complete:
        return f"{len(report.routes)} of {count_text(report.of, 'route')} tried so far"
    for lost in (_not_finite, _imaginary_parts, _islands, _broken):
        if sentence := lost(report, dtype):
            return sentence
    to_format = [facts for facts in _calls(report, dtype) if not leaves_all(facts)]
    if report.routes and not _calls(report, dtype):
        return f"PyTorch and torchao have no call for {dtype}: it is simulated"
    ran = [facts for facts in to_format if facts.errors is not None]
    unlike = [facts.method.label for facts in ran if facts.same_output_as_baseline is False]
    if report.baseline is None or len(ran) < 2:
        return f"{count_text(len(ran), 'route')} to {dtype} ran"
    if not unlike:
        return f"all {len(ran)} routes to {dtype} that ran give the same output, bit for bit"
    alike = len(ran) - len(unlike) - 1
    names = f"{', '.join(unlike[:-1])} and {unlike[-1]} give" if len(unlike) > 1 else f"{unlike[0]} gives"
    if len(unlike) > _MOST_NAMES:
        names = f"{len(unlike):,} of {len(ran):,} routes give"
    agree = f"; {alike:,} more {'gives' if alike == 1 else 'give'} the same as {report.baseline.label}" if alike else ""
    return f"{names} a different output than {report.baseline.label}{agree}"


def sentences(report: RoutesReport, dtype: str) -> tuple[str, ...]:
    """What the routes to the format store, give and allow afterwards, in a sentence each, most routes first.

    Of calls alone, where there are any; what no route tells has no sentence.
    """
    routes = _calls(report, dtype) or [facts for facts in report.routes if facts.format == dtype]
    told: tuple[tuple[str, Callable[[RouteFacts], str], str], ...] = (
        ("Stored", bytes_change_text, ""),
        ("SQNR of the output", sqnr_text, " dB"),
        ("In training", training_text, ""),
    )
    said = ((label, _by_text(routes, text), unit) for label, text, unit in told)
    return tuple(
        f"{label}: {'; '.join(f'{text}{unit} after {_names(names)}' for text, names in groups.items())}."
        for label, groups, unit in said
        if groups
    )


def _by_text(routes: Sequence[RouteFacts], text: Callable[[RouteFacts], str]) -> dict[str, list[str]]:
    """The names of the routes of which the same is said, the most first."""
    groups: dict[str, list[str]] = {}
    for facts in routes:
        if said := text(facts):
            groups.setdefault(said.replace("; ", ", "), []).append(facts.method.label)
    return dict(sorted(groups.items(), key=lambda each: -len(each[1])))


def _names(names: Sequence[str]) -> str:
    if len(names) > _MOST_NAMES:
        return count_text(len(names), "route")
    return " and ".join(filter(None, (", ".join(names[:-1]), names[-1])))


def _calls(report: RoutesReport, dtype: str) -> list[RouteFacts]:
    """Routes to the format that are calls of PyTorch, transformers or torchao."""
    fmt = any_format_named(dtype)
    return [facts for facts in report.routes if facts.format == dtype and is_call(facts.method, fmt)]


def _not_finite(report: RoutesReport, dtype: str) -> str:
    ran = [(facts, facts.errors.cand_only_nonfinite) for facts in _calls(report, dtype) if facts.errors is not None]
    broken = [(facts, count) for facts, count in ran if count]
    if not broken:
        return ""
    first, count = broken[0]
    outputs = f"{count:,} of {first.errors.elements:,} outputs" if first.errors else ""
    said = f"after {first.method.label} {outputs} are infinite or NaN"
    whole = [facts for facts, count in ran if not count]
    return f"{said}, after {whole[0].method.label} none" if whole else said


def _broken(report: RoutesReport, dtype: str) -> str:
    cast = [facts for facts in report.routes if facts.format == dtype and facts.dtypes]
    broken = [facts for facts in cast if facts.failure is not None]
    ran = [facts for facts in cast if facts.errors is not None]
    if not broken or not ran:
        return ""
    return f"after {broken[0].method.label} the model does not run, after {ran[0].method.label} it does"


def _imaginary_parts(report: RoutesReport, dtype: str) -> str:
    to_format = [facts for facts in report.routes if facts.format == dtype and facts.imaginary_parts_lost is not None]
    losing = [facts for facts in to_format if facts.imaginary_parts_lost]
    keeping = [facts for facts in to_format if not facts.imaginary_parts_lost]
    if not losing or not keeping:
        return ""
    first, other = losing[0], keeping[0]
    tensors = count_text(first.imaginary_parts_lost or 0, "tensor")
    said = f"{first.method.label} drops the imaginary part of {tensors}, {other.method.label} keeps it"
    decibels = [sqnr_text(facts) for facts in (first, other)]
    return f"{said}: SQNR {decibels[0]} against {decibels[1]} dB" if all(decibels) else said


def _islands(report: RoutesReport, dtype: str) -> str:
    to_format = [facts for facts in report.routes if facts.format == dtype and facts.islands is not None]
    losing = [facts for facts in to_format if facts.islands and facts.islands.lost and not facts.islands.kept]
    keeping = [
        facts
        for facts in to_format
        if facts.islands and facts.islands.kept and not facts.islands.lost and facts.method.row.computing == "format"
    ]
    if not losing or not keeping or losing[0].islands is None:
        return ""
    names = ", ".join(losing[0].islands.names)
    return f"{losing[0].method.label} casts {names}, which {keeping[0].method.label} keeps in float32"
