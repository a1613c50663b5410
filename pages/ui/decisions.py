"""Decisions of the outputs, and the limits of the verdict."""

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from pages.ui import linked, state
from pages.ui.chart import show
from pages.ui.frame import metric_help
from precision.charts.decision_margins import MarginScale, plot_decision_margins
from precision.findings.decisions import (
    accuracy_text,
    decision_rows,
    left_out,
    mean_cells,
    samples_text,
    share_cells,
    truth_cells,
)
from precision.findings.decisions_judged import Yardsticks, few_clusters_text
from precision.results import (
    ClassDecisions,
    CompareResult,
    Comparison,
    CrossingDecisions,
    Decisions,
    NeighbourDecisions,
    OutputComparison,
    SampleMean,
)
from precision.spec.output_kinds import OutputKind
from precision.text.metrics import metric_named
from precision.text.names import escape_markdown
from precision.text.terms import term_named
from precision.text.units import fine_share_text, number_text

SCALES: tuple[MarginScale, ...] = ("score", "probability")


def pick_yardsticks() -> Yardsticks:
    """The limits that decide the verdict; changing them needs no new run."""
    default = Yardsticks()
    floor, interval = (escape_markdown(term_named(name).definition) for name in ("rounding floor", "Wilson interval"))
    few = f"An output is changed if the 95 % interval of the share of flips lies above this. {interval}"
    other = "Of outputs without classes, such as embeddings: an output is changed if it is below this."
    own_error = (
        "If the reference's own error against float64, or the difference between two runs of it, is at least this "
        "share of the candidate's, the difference is not attributed to the candidate's format."
    )
    least_cosine = f"{other} {metric_help('cosine_similarity')}"
    rows = (  # label, least, most, default, step, format, key in the link, help
        ("Rounding only up to (× floor)", 1.0, 100.0, default.rounding_multiple, 0.5, None, "rounding_multiple", floor),
        ("Broken below (dB)", 0.0, 100.0, default.broken_below_db, 1.0, None, "broken_below", metric_help("sqnr_db")),
        ("Tolerated flips (%)", 0.0, 100.0, 100 * default.tolerated_flips, 0.5, None, "tolerated_flips", few),
        ("Least cosine similarity", 0.0, 1.0, default.least_cosine, 0.005, "%.4f", "least_cosine", least_cosine),
        ("Reference's own error (%)", 1.0, 100.0, 100 * default.own_error, 5.0, None, "own_error", own_error),
    )
    st.caption("Change what counts as rounding, broken or changed: the verdict follows without a run.")
    multiple, broken, flips, cosine, own = (
        column.number_input(*row) for column, row in zip(st.columns(5), rows, strict=True)
    )
    return Yardsticks(
        rounding_multiple=multiple,
        broken_below_db=broken,
        tolerated_flips=flips / 100,
        least_cosine=cosine,
        own_error=own / 100,
    )


def truth_line(comparison: Comparison) -> None:
    """Both errors against float64."""
    if comparison.truth is None:
        return
    value, said = truth_cells(comparison.truth)
    text = f"Against float64: RMSE {value}; {said}." if comparison.truth.candidate else said
    st.caption(
        f":material/target: {escape_markdown(text)}", help=escape_markdown(term_named("float64 truth").definition)
    )


def decisions(output: OutputComparison, result: CompareResult) -> None:
    """What the output is, and what it decides in both models, if it is known to decide something."""
    found = output.decisions
    if found is not None:
        st.header(_finding(found), anchor=False)
    if output.distributions is not None:
        _pick_kind(output)
    if found is None:
        return
    if not found.samples:
        st.caption(f"{left_out(found)}.")
        return
    if isinstance(found, ClassDecisions):
        _class_numbers(found)
        scale = linked.radio("Margin in", SCALES, key="margin", help=escape_markdown(term_named("margin").definition))
        show(plot_decision_margins(output, result.spec.dtype, scale=scale), key="margins")
    elif isinstance(found, CrossingDecisions):
        for column, (label, value, remark) in zip(st.columns(2), decision_rows(found), strict=True):
            column.metric(label, value)
            column.caption(escape_markdown(remark))
    else:
        _neighbour_numbers(found)
    said = [f"{text}." if (text := left_out(found)) else "", few_clusters_text(found)]
    if any(said):
        st.caption(escape_markdown(" ".join(filter(None, said))))


def _pick_kind(output: OutputComparison) -> None:
    """What the output is: the guess with its reason, or another choice, which runs again."""
    key = f"kind of {output.path}, {output.kind}"

    def choose() -> None:
        if (kind := st.session_state[key]) != output.kind:  # a list that comes back counts as changed
            state.say_output_is(output.path, kind)

    left, right = st.columns([1, 2], vertical_alignment="bottom")
    left.selectbox(
        "This output is",
        list(OutputKind),
        index=list(OutputKind).index(output.kind),
        format_func=lambda kind: kind.label,
        key=key,
        on_change=choose,
        help="It decides what matters to the output, and so the verdict. Another choice runs the comparison again.\n\n"
        + "\n".join(f"- **{kind.label}**: {kind.about}" for kind in OutputKind),
    )
    right.caption(escape_markdown(f"{output.kind_reason} {output.kind.about}"))


def _finding(found: Decisions) -> str:
    if not found.samples:
        return "No decision to compare: no sample has finite outputs in both"
    kept = f"{found.samples - found.changed_samples:,} of {samples_text(found)}"
    if isinstance(found, NeighbourDecisions):
        return f"{kept} keep their nearest neighbour"
    if isinstance(found, CrossingDecisions):
        return f"{kept} keep every value on its side of one half"
    return f"{kept} keep their {found.choice}"


def _class_numbers(found: ClassDecisions) -> None:
    accuracy = found.accuracy
    columns = st.columns(4)
    number(columns[0], "top1_agreement", *share_cells(found.top1_agreement, found.agreement_interval))
    _mean(columns[1], "mean_kl", found.kl, found=found)
    _mean(columns[2], "mean_delta_p", found.delta_p, found=found, higher_is_better=True)
    if accuracy:
        number(
            columns[3],
            "candidate_accuracy",
            *share_cells(accuracy.candidate, accuracy.candidate_interval),
        )
        st.caption(
            f"Accuracy of the reference {fine_share_text(accuracy.reference)}; "
            f"{escape_markdown(accuracy_text(accuracy))}."
        )
    else:
        number(columns[3], "flips", f"{found.flips:,}", f"of {samples_text(found)}")


def _neighbour_numbers(found: NeighbourDecisions) -> None:
    columns = st.columns(2)
    agreement = share_cells(found.neighbour_agreement, found.agreement_interval)
    number(columns[0], "neighbour_agreement", *agreement)
    _, spread = mean_cells(found.cosine, found, higher_is_better=True)
    number(columns[1], "mean_cosine", number_text(found.mean_cosine, 3), spread)


def _mean(
    place: DeltaGenerator, name: str, mean: SampleMean | None, *, found: ClassDecisions, higher_is_better: bool = False
) -> None:
    """A mean; its standard error, too long to stand beside it, is the first part of the text below."""
    if mean is None:
        return
    _, spread = mean_cells(mean, found, higher_is_better=higher_is_better)
    sure = f"± {number_text(mean.standard_error, 3)}; " if mean.standard_error is not None else ""
    number(place, name, number_text(mean.mean, 3), sure + spread)


def number(place: DeltaGenerator, name: str, value: str, remark: str = "") -> None:
    """A number by the name of its metric, and a remark below; without a number a dash, as words would be cut off."""
    missing = value if value == number_text(None) else ""
    place.metric(metric_named(name).label, "–" if missing else value, help=metric_help(name))
    if remark or missing:
        place.caption(escape_markdown(remark or missing))
