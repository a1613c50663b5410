"""Parts of a page that need the browser's own code: components whose files are sent, never written into the page."""

from pathlib import Path
from typing import Final
from weakref import WeakKeyDictionary

import streamlit as st
from streamlit.components.v2.component_manager import BidiComponentManager
from streamlit.components.v2.get_bidi_component_manager import get_bidi_component_manager
from streamlit.components.v2.manifest_scanner import ComponentConfig, ComponentManifest
from streamlit.components.v2.types import ComponentRenderer

_PACKAGE: Final = "precision-explorer"
_HERE: Final = Path(__file__).parent

_renderers: WeakKeyDictionary[BidiComponentManager, dict[str, ComponentRenderer]] = WeakKeyDictionary()


def packaged(name: str, folder: Path = _HERE) -> ComponentRenderer:
    """What mounts the component of a name; its files are registered once for each server.

    Args:
        name: of its files `NAME.html`, `NAME-HASH.css` and `NAME-HASH.js`. Browsers keep them for good, so that a name
            holds the first eight digits of its content's SHA-256.
        folder: where their folder "assets" is.
    """
    manager = get_bidi_component_manager()
    known = _renderers.setdefault(manager, {})
    if name not in known:
        full_name = f"{_PACKAGE}.{name}"
        if manager.get_component_asset_root(full_name) is None:
            manager.register_from_manifest(ComponentManifest(_PACKAGE, "1", [ComponentConfig(name, "assets")]), folder)
        html = (folder / "assets" / f"{name}.html").read_text(encoding="utf-8")
        known[name] = st.components.v2.component(full_name, html=html, css=f"{name}-*.css", js=f"{name}-*.js")
    return known[name]
