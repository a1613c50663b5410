"""Ranges: do the values fit the format, and which is the smallest format that holds them?"""

from collections.abc import Sequence

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from pages.ui import detail, downloads, frame, linked, smallest_run, state
from pages.ui.chart import show
from pages.ui.graph.measures import FIT
from pages.ui.job import current_result
from pages.ui.shell.guard import enter_through_router
from precision.charts.exponent_heatmap import plot_exponent_heatmap
from precision.charts.fit_matrix import plot_fit_matrix
from precision.charts.headroom import plot_headroom
from precision.findings.fit.fitness import Fit, FitLimits, Fitness
from precision.findings.fit.table import FitTable, fit_table, formats_to_judge
from precision.findings.ranges import ranges_table
from precision.formats import ALL_FORMATS, AnyFormat, ScaledFormat, any_format_named
from precision.results.ranges import WEIGHT_KINDS, Ranges, RangesResult, TensorRange, by_module

HOW_TO_READ = """\
One pass of the reference counts every weight and every module's inputs and outputs by power of two. Those counts
answer for every format: choosing another one here needs no new run.

- **Exponent histograms**: a row is a tensor, a column a power of two, the shade its share of the tensor's non-zero
  values. The frame is the format's normal range; hatched to its left lie the subnormal values, and then those that
  become zero; to its right, those that overflow. Look for values outside the frame.
- **Headroom**: how many times the largest value may double before it overflows.
- **Verdicts**: *fits* has no overflow, little underflow, few subnormal values, and enough precision. Many small values
  are no fault where another format of as many bits rounds the tensor worse. *Needs scaling* fits once the tensor is
  multiplied by one power of two. *Too coarse* does not fit at any scale.
- **Predicted SQNR** is that of rounding these values once, if the mantissas are spread evenly. The page Propagation
  shows what later layers do with the error. Without scales, the measured SQNR is never more than 4.8 dB lower.
- **Formats with scales** (MX, NVFP4, integers) are judged by how far values lie below the largest of those that share
  their scale, which the same pass counts: along what a layer sums over, for its weights and inputs; along the last
  dimension elsewhere. They cannot overflow. Here the predicted SQNR is mostly within 1 dB of the measured one; where a
  few large values hold most of a tensor's energy, within 3 dB.
- **Smallest format**: the smallest format that holds these values, as they are. It says nothing of the error at the
  model's end. *With scaling*, each tensor may have one scale, and formats with scales are possible too. A dialect such
  as float8_e4m3fnuz is named only where it is the format that is judged by.
- **What the smallest formats do to the outputs**: one run with every weight rounded to its smallest format, beside the
  reference. Activations, buffers and all arithmetic stay in the reference's precision.

Zeros fit every format. NaNs are left out; of formats with scales, one makes all values that share its scale NaN.
"""

SIDEBAR = "as in the sidebar"
WHICH = ("all", "weights", "activations", "not fitting")


def main() -> None:
    """Draw the page."""
    enter_through_router()
    result = current_result(RangesResult)
    if result.ranges is None or not result.ranges.tensors:
        frame.nothing_to_show("No values to judge", result, how_to_read=HOW_TO_READ)
    top, judged = st.container(), st.container()
    limits = _pick_limits()  # below the matrix that they decide
    with judged:
        left, *places = st.columns([2, 2, 3])
        fmt = _pick_format(left)
    run = f"{result.spec.digest()} {result.measured_at} {result.elapsed_s}"
    table = _judged(run, fmt.name, limits, _ranges=result.ranges)
    with top:
        frame.header(_finding(result.ranges, table, fmt), result)
    with judged:
        tensors = _pick_tensors(result.ranges, table, fmt, places)
        if tensors:
            show(plot_fit_matrix(table, by_module(tensors), fmt.name), key="fit")
    if tensors:
        show(plot_exponent_heatmap(result.ranges, tensors, fmt), key="exponents")
    st.page_link("pages/graph.py", label="The fits as a graph", icon=":material/schema:", query_params={"colour": FIT})
    smallest_run.section(result.spec, result.ranges, table)
    if tensors and detail.shows_all("headroom and all numbers"):
        show(plot_headroom(result.ranges, tensors, fmt), key="headroom")
        st.header("All numbers", anchor=False)
        downloads.table(
            ranges_table(result.ranges, tensors, table, fmt.name),
            name=f"{downloads.file_stem(result)}-ranges-{fmt.name}",
            key="ranges",
            alt=f"Every tensor's range and how it fits {fmt.name}",
            pinned=True,
        )
    frame.footer(result, how_to_read=HOW_TO_READ)


@st.cache_resource(max_entries=8, show_spinner=False)
def _judged(run: str, name: str, limits: FitLimits, *, _ranges: Ranges) -> FitTable:
    """Every value of the run in every format, `name` among them; dialects only if one is it."""
    del run  # tells one run from another; the ranges themselves are too large for a key
    return fit_table(_ranges, formats_to_judge(name), limits=limits)


def _pick_format(place: DeltaGenerator) -> AnyFormat:
    sidebar = state.choice("dtype")
    name = linked.selectbox(
        "Judge by",
        [SIDEBAR, *(fmt.name for fmt in ALL_FORMATS)],
        key="format",
        place=place,
        format_func=lambda name: f"{sidebar}, {SIDEBAR}" if name == SIDEBAR else name,
        help="Another format needs no new run: only the window and the verdicts change.",
    )
    return any_format_named(sidebar if name == SIDEBAR else name)


def _pick_limits() -> FitLimits:
    default = FitLimits()
    with st.expander("Limits"):
        columns = st.columns(3)
        sqnr_db = columns[0].number_input("Least predicted SQNR (dB)", 0.0, 150.0, default.sqnr_db, 5.0, key="sqnr")
        underflow = columns[1].number_input(
            "Most underflow (%)", 0.0, 100.0, 100 * default.underflow_fraction, 1.0, key="underflow"
        )
        subnormal = columns[2].number_input(
            "Most subnormal (%)", 0.0, 100.0, 100 * default.subnormal_fraction, 1.0, key="subnormal"
        )
    return FitLimits(underflow_fraction=underflow / 100, subnormal_fraction=subnormal / 100, sqnr_db=sqnr_db)


def _pick_tensors(
    ranges: Ranges, table: FitTable, fmt: AnyFormat, places: Sequence[DeltaGenerator]
) -> list[TensorRange]:
    left, right = places
    find = frame.find_box("tensor", in_what="name or module type", place=left)
    which = linked.radio("Show", WHICH, key="values", place=right)
    found = [
        tensor
        for tensor in ranges.tensors
        if find.casefold() in f"{tensor.label} {tensor.module_type} {tensor.kind}".casefold()
        and _is(which, tensor, table.fit(tensor, fmt.name))
    ]
    if len(found) < len(ranges.tensors):
        st.caption(f"{len(found):,} of {len(ranges.tensors):,} tensors{'' if found else ': there is nothing to draw'}.")
    return found


def _is(which: str, tensor: TensorRange, fit: Fitness) -> bool:
    if which == "not fitting":
        return fit.verdict not in (Fit.FITS, Fit.NOTHING)
    return which == "all" or (which == "weights") == (tensor.kind in WEIGHT_KINDS)


def _finding(ranges: Ranges, table: FitTable, fmt: AnyFormat) -> str:
    fits = [fit for tensor in ranges.tensors if (fit := table.fit(tensor, fmt.name)).verdict is not Fit.NOTHING]
    fitting = sum(fit.verdict is Fit.FITS for fit in fits)
    smallest = table.smallest_format(ranges.tensors, scaled=isinstance(fmt, ScaledFormat))
    all_fit = bool(fits) and fitting == len(fits)
    is_news = smallest and (any_format_named(smallest).bits_per_value < fmt.bits_per_value or not all_fit)
    whole = f"; the smallest format that holds all these values is {smallest}" if is_news else ""
    return f"{f'All {fitting:,}' if all_fit else f'{fitting:,} of {len(fits):,}'} tensors fit {fmt.name}{whole}"


main()
