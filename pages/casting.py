"""Casting: what each way to cast does, what is claimed of it, what autocast lowers, what training loses."""

from __future__ import annotations

from typing import Literal

from pages.ui.casting import autocast as casting_autocast
from pages.ui.casting import claims as casting_claims
from pages.ui.casting import routes as casting_routes
from pages.ui.casting import training as casting_training
from pages.ui.job import require_choice
from pages.ui.linked import radio
from pages.ui.shell.guard import enter_through_router

Section = Literal["Routes", "Claims", "Autocast", "Training"]
_DRAW = {
    "Routes": casting_routes.section,
    "Claims": casting_claims.section,
    "Autocast": casting_autocast.section,
    "Training": casting_training.section,
}
_SECTIONS: tuple[Section, ...] = ("Routes", "Claims", "Autocast", "Training")


def main() -> None:
    """Draw the page."""
    enter_through_router()
    require_choice()
    section = radio(
        "What to look at",
        _SECTIONS,
        key="section",
        help="Routes: what each way to cast does to this model. Claims: what two articles say, tried. Autocast: which "
        "operators it lowers. Training: one step in the format. Each is measured when it is opened.",
    )
    _DRAW[section]()


main()
