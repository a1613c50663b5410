"""Where infinities and NaNs come from, in words."""

from precision.findings.layers import name_of_own
from precision.results import LayersReport, NonfiniteOrigin
from precision.text.names import plain
from precision.text.units import count_text, fine_share_text, number_text

REFERENCE_NONFINITE = "The reference itself is infinite or NaN"
"""How a warning of any analysis begins that says so."""


def finding(report: LayersReport) -> str:
    """The main finding of a run layer by layer: where the first infinity or NaN appears, or most error is added."""
    if report.origins:
        return f"The first infinity or NaN appears in {place_text(report.origins[0])}"
    if not any(row.own for row in report.rows):
        return f"{report.calls} module calls compared"
    at = found_row(report)
    own = None if at is None else report.rows[at].own
    if at is None or own is None:
        return "Every layer is exact" if report.is_exact else "No layer measured alone adds error"
    added = fine_share_text(own.local.normalized_l2 or 0.0)
    name = name_of_own(report.rows[at])
    return f"Of the layers measured alone, most error is added in {name}: {added} of the size of its output"


def found_row(report: LayersReport) -> int | None:
    """The row that `finding` names; None where it names none."""
    if report.origins:
        return report.origins[0].row
    added = [(row.own.local.normalized_l2 or 0.0, -at) for at, row in enumerate(report.rows) if row.own]
    most, at = max(added, default=(0.0, 0))
    return -at if most else None


def causes(report: LayersReport) -> tuple[str, ...]:
    """The reference's own infinities and NaNs first, then where the candidate's come from."""
    titles = ["First infinity or NaN in the candidate", *["Also"] * len(report.origins)]
    found = [
        f"{title}: {place_text(origin)}. {origin_text(origin)}"
        for title, origin in zip(titles, report.origins, strict=False)
    ]
    return tuple(filter(None, (reference_text(report), *found, *silent_causes(report))))


def silent_causes(report: LayersReport) -> tuple[str, ...]:
    """What changes results with no infinity or NaN: other choices, values that became equal, clipped values."""
    return tuple(filter(None, (choices_text(report), merged_text(report), clipped_text(report), beyond_text(report))))


def merged_text(report: LayersReport) -> str:
    """Where values that differ in the reference first became equal; empty where none did."""
    operator = report.first_merger
    if operator is None:
        return ""
    place = f"operator {plain(operator.name)} in {_module(report, operator.row)}"
    return (
        f"Values became equal: of {operator.neighbours:,} neighbours on a grid that differ in the reference, "
        f"{operator.became_equal:,} are the same after {place}."
    )


def clipped_text(report: LayersReport) -> str:
    """Where values beyond the end of a format that saturates were first clipped; empty where none were."""
    row = report.first_clipped
    if row is None:
        return ""
    errors = row.errors
    of = f" of {errors.elements:,}" if errors else ""
    others = sum(each.clipped > 0 for each in report.rows) - 1
    more = f" {others:,} more module calls are clipped too." if others else ""
    module = plain(row.fqn, limit=None) if row.fqn else "the model"
    return (
        f"Clipped: {row.clipped:,}{of} outputs of {module} lie beyond the end of the format and became its largest "
        f"value.{more}"
    )


def beyond_text(report: LayersReport) -> str:
    """Where results inside a module lie beyond the end of a format that saturates; empty where none do.

    The simulation rounds the outputs of modules alone, and clips nothing inside them.
    """
    operator = report.first_beyond
    if operator is None:
        return ""
    of = f" of {operator.errors.elements:,}" if operator.errors else ""
    others = sum(each.beyond > 0 and not report.rows[each.row].clipped for each in report.operators) - 1
    more = f" So do results of {count_text(others, 'more operator')}." if others else ""
    return (
        f"Beyond the end of the format: {operator.beyond:,}{of} results of operator {plain(operator.name)} in "
        f"{_module(report, operator.row)}, in the reference. They are clipped wherever they are stored in the format; "
        f"this simulation rounds the outputs of modules alone, and does not clip them there.{more}"
    )


def _module(report: LayersReport, row: int) -> str:
    fqn = report.rows[row].fqn
    return plain(fqn, limit=None) if fqn else "the model"


def choices_text(report: LayersReport) -> str:
    """Where integer or boolean results first differ, such as routes and positions; empty where none do."""
    operator = report.first_other_choice
    if operator is None:
        return ""
    module = _module(report, operator.row)
    made = f" Its input was {plain(operator.input_made_by)}." if operator.input_made_by else ""
    return (
        f"The two choose otherwise: {operator.integers_differ:,} of {operator.integers:,} results of operator "
        f"{plain(operator.name)} in {module} differ. What follows differs altogether there, not by rounding.{made}"
    )


def reference_text(report: LayersReport) -> str:
    """That the reference's own outputs are not finite, and where that begins; empty where they are, or mask classes."""
    errors = report.errors_of(0) if report.rows else None
    count = errors.ref_only_nonfinite + errors.both_nonfinite - report.masked_elements if errors else 0
    if errors is None or not count:
        return ""
    said = reference_nonfinite_text(count, errors.elements)
    origin = None if report.masked_elements else report.reference_origin  # may be that of the mask
    return f"{said} It begins in {place_text(origin)}. {origin_text(origin)}" if origin else said


def reference_nonfinite_text(count: int, elements: int, *, begins_in: str | None = None) -> str:
    """That so many elements of the reference's outputs are not finite, and in which module that begins, if known."""
    place = "" if begins_in is None else f" It begins in {plain(begins_in) if begins_in else 'the model itself'}."
    return (
        f"{REFERENCE_NONFINITE} in {count:,} of {elements:,} output elements. No format is to blame "
        f"for these: they are left out of every error.{place}"
    )


def place_text(origin: NonfiniteOrigin) -> str:
    """The operator and the module."""
    module = plain(origin.fqn, limit=None) if origin.fqn else "the model"
    call = f", call {origin.call}" if origin.call > 1 else ""
    if origin.operator is None:
        return f"{module}{call}"
    inside = f" (its step {plain(origin.inside)})" if origin.inside and origin.inside != origin.operator else ""
    return f"operator {plain(origin.operator)}{inside} in {module}{call}"


def origin_text(origin: NonfiniteOrigin) -> str:
    """What happened there, in a sentence or two: elements, kind, the inputs of both sides."""
    elements = f"{origin.elements:,} element{'s' if origin.elements != 1 else ''}"
    beside = "" if origin.side == "reference" else " that are finite in the reference"
    effect = "" if origin.reaches_output else " No output is infinite or NaN, but a value computed from them is wrong."
    return f"{elements} became infinite or NaN{beside}: {_cause(origin)}{_inputs(origin)}{effect}"


def _cause(origin: NonfiniteOrigin) -> str:
    there, exact = number_text(origin.input_there), number_text(origin.reference_there)
    beside = "" if origin.reference_there is None else f" where the reference has {exact}"
    argument = f" ({plain(origin.argument)})" if origin.argument else ""
    match origin.kind:
        case "underflow":
            return f"underflow. Its input{argument} is 0{beside}: {origin.dtype} has no number that small."
        case "cancellation":
            return f"its input{argument} is 0{beside}: values that differ there became equal by rounding."
        case "domain":
            return f"outside the domain. Its input{argument} is {there}{beside}."
        case "infinities":
            return f"NaN from infinities: {origin.detail}."
        case "stored value":
            return f"the stored tensor {plain(origin.argument)} itself is infinite or NaN{_after_cast(origin)}."
        case "mask":
            return (
                f"a mask. It is −inf{_exact_mask(origin)}, as {origin.dtype} ends at {number_text(origin.format_max)}."
            )
        case "overflow":
            return _overflow(origin)
        case _ if origin.operator is None:
            return "by what is not known. Code may write infinities on purpose, as in a mask."
        case _:
            return "the inputs are finite, and the operator has no finite result for them."


def _after_cast(origin: NonfiniteOrigin) -> str:
    return "" if origin.side == "reference" else f" after the cast to {origin.dtype}"


def _exact_mask(origin: NonfiniteOrigin) -> str:
    return "" if origin.reference_max is None else f" where the reference has {number_text(-origin.reference_max)}"


def _overflow(origin: NonfiniteOrigin) -> str:
    end = f"{origin.dtype} ends at {number_text(origin.format_max)}"
    if origin.reference_max is None:
        return f"overflow; {end}."
    if origin.reference_max > origin.format_max:
        return f"overflow. The reference has up to {number_text(origin.reference_max)}; {end}."
    return (
        f"overflow in a step inside: the result, at most {number_text(origin.reference_max)} in the reference, would "
        f"fit; {end}."
    )


def _inputs(origin: NonfiniteOrigin) -> str:
    if origin.smallest_input is None or origin.kind in {"mask", "stored value"}:
        return ""
    what = "That input" if origin.kind in {"underflow", "cancellation", "domain"} else "The inputs"
    verb = "lies" if what == "That input" else "lie"
    return f" {what} {verb} between {number_text(origin.smallest_input)} and {number_text(origin.largest_input)}."
