"""The strip of every layer's dtypes; a click shows the layer's tensors on the page Layers."""

import streamlit as st

from pages.ui import view_state
from pages.ui.chart import show_and_pick
from precision.charts.dtype_strip import plot_dtype_strip, storing_layers
from precision.results import CastAudit


def strip(audit: CastAudit, *, opens_layers: bool = False) -> None:
    """Draw it. A click finds the layer's tensors in the table; with `opens_layers`, on that page."""
    layers = storing_layers(audit)

    def pick(place: int) -> None:
        found = f"{layers[place].fqn}." if layers[place].fqn else ""
        view_state.put("opened layer" if opens_layers else "find", found)

    show_and_pick(plot_dtype_strip(audit), key="dtype-strip", on_pick=pick)
    if (found := view_state.taken("opened layer")) is not None:
        st.switch_page("pages/layers.py", query_params={"find": found})
