"""One layer, wherever it is clicked."""

import streamlit as st

from precision.results import LayersResult


def layer_panel(result: LayersResult, row: int, *, operator: int | None = None) -> None:
    """Everything known of one module call, or of one operator in it."""
    st.write(row, operator)
