"""How a format looks in every chart, and in which lists it is by default: fields of its row."""

from __future__ import annotations

from typing import Literal, NamedTuple

Colour = Literal["purple", "blue", "green", "red", "orange", "sky", "yellow"]
"""`precision.charts.palette` has the shades."""
Hatching = Literal["", "/", "\\", ".", "-", "|", "x", "+"]
"""Plotly's names."""
DefaultList = Literal["sweep", "sensitivity"]
"""An analysis of several formats, which takes these where nobody names any."""


class Look(NamedTuple):
    """Kin share the colour, and a hatching tells them apart: "x" and "+" have scales."""

    colour: Colour
    hatching: Hatching = ""
