"""The button for dark and light. Streamlit has the choice in its own menu only, and keeps it for one address alone."""

from collections.abc import Iterable

from pages.ui.packaged import packaged


def button(addresses: Iterable[str]) -> None:
    """Draw the button; the choice is kept in the browser for all `addresses`, which are those of the pages."""
    packaged("theme")(key="theme", data={"addresses": sorted(addresses)}, width="content")
