"""One Plotly figure a file: numbers first (`XInfo`), drawing second."""

from precision.charts.error_by_magnitude import plot_error_by_magnitude
from precision.charts.error_ecdf import plot_error_ecdf
from precision.charts.error_histogram import HistogramKind, plot_error_histogram
from precision.charts.frame import alt_text, beside_each_other, config, to_html
from precision.charts.module_tree import plot_module_tree
from precision.charts.side_by_side import plot_side_by_side
from precision.charts.stored_bytes import plot_stored_bytes
from precision.charts.stored_values import plot_stored_values
from precision.charts.timing import plot_timing

__all__ = [
    "HistogramKind",
    "alt_text",
    "beside_each_other",
    "config",
    "plot_error_by_magnitude",
    "plot_error_ecdf",
    "plot_error_histogram",
    "plot_module_tree",
    "plot_side_by_side",
    "plot_stored_bytes",
    "plot_stored_values",
    "plot_timing",
    "to_html",
]
