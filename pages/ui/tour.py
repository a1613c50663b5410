"""A tour of four stops for the first visit of a browser: a card in the corner, which never covers the answer."""

import json

import streamlit as st

from pages.ui import share

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
_CARD = """\
<style>
.px-tour {position: fixed; right: 1rem; bottom: 1rem; z-index: 1000; width: min(21rem, calc(100vw - 2rem));
  box-sizing: border-box; padding: 0.75rem 1rem; border: 1px solid #7C7C82; border-radius: 0.5rem;
  background: Canvas; color: CanvasText; box-shadow: 0 2px 12px rgba(0, 0, 0, 0.35); font-size: 0.9rem}
.px-tour[hidden] {display: none}
.px-tour p {margin: 0 0 0.5rem}
.px-tour button {all: unset; cursor: pointer; padding: 0.2rem 0.6rem; margin-right: 0.5rem; border: 1px solid #7C7C82;
  border-radius: 0.4rem}
.px-tour button:focus-visible {outline: 2px solid currentColor; outline-offset: 2px}
.px-stop {scroll-margin-top: 5rem; outline: 3px solid #2F6FDB; outline-offset: 6px; border-radius: 0.25rem}
</style>
<div class="px-tour" role="dialog" aria-label="Tour" hidden><p aria-live="polite"></p><button type="button"
class="px-next"></button><button type="button" class="px-leave">Leave</button></div>
<script>
(() => {
  const stops = STOPS, key = "px-tour", left = "left", stored = window.localStorage;
  const card = document.querySelector(".px-tour");
  const off = new URLSearchParams(window.location.search).get("tour") === "off";
  if (!card || off || stored.getItem(key) === left) return;
  const unmark = () => document.querySelectorAll(".px-stop").forEach((each) => each.classList.remove("px-stop"));
  const next = card.querySelector(".px-next");
  let at = Number(stored.getItem(key)) || 0;
  const leave = () => {
    stored.setItem(key, left);
    unmark();
    card.hidden = true;
    document.removeEventListener("keydown", pressed);
  };
  const pressed = (event) => {
    if (!card.isConnected) document.removeEventListener("keydown", pressed);
    else if (event.key === "Escape") leave();
  };
  const show = (moves) => {
    const [where, said] = stops[at];
    stored.setItem(key, at);
    card.querySelector("p").textContent = `${at + 1} of ${stops.length}: ${said}`;
    next.textContent = at + 1 < stops.length ? "Next" : "Done";
    unmark();
    const stop = document.querySelector(where);
    if (stop) stop.classList.add("px-stop");
    if (stop && moves) stop.scrollIntoView({block: stop.offsetHeight > window.innerHeight ? "start" : "center"});
  };
  next.onclick = () => {
    at += 1;
    if (at < stops.length) show(true);
    else leave();
  };
  card.querySelector(".px-leave").onclick = leave;
  document.addEventListener("keydown", pressed);
  show(false);
  card.hidden = false;
})();
</script>
"""
"""The browser remembers that it was left. A link with `tour=off`, such as a shared one, shows none."""


def offer() -> None:
    """Draw the card, which shows itself to a browser that has not seen the tour."""
    st.html(_CARD.replace("STOPS", json.dumps(_STOPS)), unsafe_allow_javascript=True)
