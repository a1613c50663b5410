"""One way to put a figure on a page."""

import plotly.graph_objects as go
import streamlit as st

from precision.charts.frame import alt_text, config


def show(figure: go.Figure, *, key: str) -> None:
    """Draw a figure of `precision.charts`, with its description and its PNG export named after `key`."""
    st.plotly_chart(figure, key=f"chart-{key}", config=config(f"precision-explorer-{key}"), alt=alt_text(figure))
