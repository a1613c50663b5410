"""One Plotly figure a file: numbers first (`XInfo`), drawing second."""

from precision.charts.decision_margins import MarginScale, plot_decision_margins
from precision.charts.dtype_tree import plot_dtype_tree
from precision.charts.error_along_depth import plot_error_along_depth
from precision.charts.error_by_magnitude import plot_error_by_magnitude
from precision.charts.error_ecdf import plot_error_ecdf
from precision.charts.error_histogram import HistogramKind, plot_error_histogram
from precision.charts.error_tree import plot_error_tree
from precision.charts.exponent_heatmap import plot_exponent_heatmap
from precision.charts.fit_matrix import plot_fit_matrix
from precision.charts.format_bits import plot_format_bits
from precision.charts.format_density import plot_format_density
from precision.charts.format_errors import plot_format_errors
from precision.charts.format_spacing import plot_format_spacing
from precision.charts.format_values import ValueScale, plot_format_values
from precision.charts.format_windows import plot_format_windows
from precision.charts.frame import alt_text, beside_each_other, config, to_html
from precision.charts.gradient_errors import GradientQuantity, plot_gradient_errors
from precision.charts.gradient_exponents import plot_gradient_exponents
from precision.charts.headroom import plot_headroom
from precision.charts.layer_corners import plot_layer_corners
from precision.charts.layer_errors import plot_layer_errors
from precision.charts.module_tree import plot_module_tree
from precision.charts.number_line import plot_number_line
from precision.charts.plan_front import MeasuredPlan, plot_plan_front
from precision.charts.plan_strip import plot_plan_strip
from precision.charts.predicted_exact import plot_predicted_exact
from precision.charts.regime_errors import plot_regime_errors
from precision.charts.sensitivity_heatmap import plot_sensitivity_heatmap
from precision.charts.side_by_side import plot_side_by_side
from precision.charts.stored_bytes import plot_stored_bytes
from precision.charts.stored_values import plot_stored_values
from precision.charts.sweep_costs import SweepCost, plot_sweep_costs
from precision.charts.sweep_heatmap import plot_sweep_heatmap
from precision.charts.timing import plot_timing

__all__ = [
    "GradientQuantity",
    "HistogramKind",
    "MarginScale",
    "MeasuredPlan",
    "SweepCost",
    "ValueScale",
    "alt_text",
    "beside_each_other",
    "config",
    "plot_decision_margins",
    "plot_dtype_tree",
    "plot_error_along_depth",
    "plot_error_by_magnitude",
    "plot_error_ecdf",
    "plot_error_histogram",
    "plot_error_tree",
    "plot_exponent_heatmap",
    "plot_fit_matrix",
    "plot_format_bits",
    "plot_format_density",
    "plot_format_errors",
    "plot_format_spacing",
    "plot_format_values",
    "plot_format_windows",
    "plot_gradient_errors",
    "plot_gradient_exponents",
    "plot_headroom",
    "plot_layer_corners",
    "plot_layer_errors",
    "plot_module_tree",
    "plot_number_line",
    "plot_plan_front",
    "plot_plan_strip",
    "plot_predicted_exact",
    "plot_regime_errors",
    "plot_sensitivity_heatmap",
    "plot_side_by_side",
    "plot_stored_bytes",
    "plot_stored_values",
    "plot_sweep_costs",
    "plot_sweep_heatmap",
    "plot_timing",
    "to_html",
]
