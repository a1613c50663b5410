"""A tour of four stops for the first visit of a browser: a card in the corner, which never covers the answer."""

from pages.ui import share
from pages.ui.packaged import packaged

PICTURES, NEXT = "pictures", "next"
"""Keys of the containers that the stops are about."""
_STOPS = (
    ("[data-testid='stSidebarUserContent']", "Choose a model and a number format: at the left, on a phone behind »."),
    (
        f".st-key-{share.ANSWER}",
        "The answer: is the format safe here, how sure is that, and what does it save?",
    ),
    (f".st-key-{PICTURES}", "Two pictures: the format of every layer, and how large the errors of the output are."),
    (f".st-key-{NEXT}", "What to do next is one click away. The switch Expert, above, shows all that was measured."),
)


def offer() -> None:
    """Draw the card, which shows itself to a browser that has not seen the tour."""
    packaged("tour")(key="tour-card", data={"stops": _STOPS}, width="content")
