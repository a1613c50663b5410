"""How a format looks in every chart, and in which lists it is by default."""

from typing import Literal, NamedTuple

Colour = Literal["purple", "blue", "green", "red", "orange", "sky", "yellow"]
"""Shades are in `precision.charts.palette`."""
Hatching = Literal["", "/", "\\", ".", "-", "|", "x", "+"]
"""Plotly's names."""
DefaultList = Literal["sweep", "sensitivity"]
"""An analysis of several formats that has default formats."""


class Look(NamedTuple):
    """Related formats have the same colour and different hatching: "x" and "+" have scales."""

    colour: Colour
    hatching: Hatching = ""
