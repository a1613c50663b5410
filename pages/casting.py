"""Casting: what each way to cast does, what articles claim about it, what autocast lowers, what training loses."""

from pages.ui.casting import autocast as casting_autocast
from pages.ui.casting import claims as casting_claims
from pages.ui.casting import routes as casting_routes
from pages.ui.casting import training as casting_training
from pages.ui.job import require_choice
from pages.ui.linked import radio
from pages.ui.shell.guard import enter_through_router

_SECTIONS = {
    "Routes": casting_routes.section,
    "Claims": casting_claims.section,
    "Autocast": casting_autocast.section,
    "Training": casting_training.section,
}


def main() -> None:
    """Draw the page."""
    enter_through_router()
    require_choice()
    section = radio(
        "What to look at",
        list(_SECTIONS),
        key="section",
        help="Routes: what each way to cast does to this model. Claims: what two articles say, tested. Autocast: which "
        "operators it lowers. Training: one step in the format. Each is measured when it is opened.",
    )
    _SECTIONS[section]()


main()
