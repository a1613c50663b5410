"""The button for dark and light. Streamlit has the choice in its own menu only, and keeps it for one address alone."""

import json
from collections.abc import Iterable

import streamlit as st

_BUTTON = """\
<style>
.px-theme {all: unset; box-sizing: border-box; display: block; padding: 0.35rem; border-radius: 0.5rem; cursor: pointer}
.px-theme:hover {background: rgba(124, 124, 130, 0.2)}
.px-theme:focus-visible {outline: 2px solid currentColor}
.px-theme::before {content: ""; display: block; width: 1rem; height: 1rem; box-sizing: border-box; border-radius: 50%;
  border: 2px solid currentColor; background: linear-gradient(90deg, transparent 50%, currentColor 50%)}
.px-choosing [data-testid="stMainMenuPopover"] {opacity: 0}
</style>
<button class="px-theme" type="button" aria-label="Switch between light and dark" title="Light or dark"></button>
<script>
(() => {
  const addresses = ADDRESSES, stored = window.localStorage, ours = "px-theme";
  const folder = window.location.pathname.replace(/[^/]*$/, "");
  const keys = addresses.map((address) => `stActiveTheme-${folder}${address}-v2`);
  const keep = (choice) => [ours, ...keys].forEach((key) => stored.setItem(key, choice));
  const follow = () => {  // what was chosen in Streamlit's menu, at one address, holds at all
    const chosen = keys.map((key) => stored.getItem(key)).find((choice) => choice && choice !== stored.getItem(ours));
    if (chosen) keep(chosen);
  };
  const soon = (find, then, tries = 40) => {
    const found = find();
    if (found) then(found);
    else if (tries) window.setTimeout(() => soon(find, then, tries - 1), 25);
    else document.body.classList.remove("px-choosing");
  };
  const menu = () => document.querySelector('[data-testid="stMainMenuButton"]');
  const entry = (name) => [...document.querySelectorAll('[data-testid="stThemeSwitcher"] [role="menuitemradio"]')]
    .find((each) => each.textContent.includes(name) || each.getAttribute("aria-label") === name);
  const button = document.querySelector(".px-theme");
  button.onclick = () => {
    const app = document.querySelector('[data-testid="stApp"]');
    const name = window.getComputedStyle(app).colorScheme === "dark" ? "Light" : "Dark";
    document.body.classList.add("px-choosing");
    menu().click();
    soon(() => entry(name), (found) => {
      found.click();
      keep(JSON.stringify(name));
      soon(() => !entry(name) || (menu().click(), false), () => {
        document.body.classList.remove("px-choosing");
        button.focus();
      });
    });
  };
  follow();
  window.onpagehide = follow;
})();
</script>
"""
"""It presses the entry of Streamlit's menu: all of the page follows at once, charts too, and nothing reloads."""


def button(addresses: Iterable[str]) -> None:
    """Draw the button; the choice is kept in the browser for all `addresses`, which are those of the pages."""
    st.html(_BUTTON.replace("ADDRESSES", json.dumps(sorted(addresses))), width="content", unsafe_allow_javascript=True)
