// The button for dark and light. It presses the entry of Streamlit's menu: all of the page follows at once, charts too,
// and nothing reloads. Streamlit keeps the choice for one address alone; here it is kept for all `data.addresses`.

const OURS = "px-theme";

export default function ({ parentElement, data }) {
  const stored = window.localStorage;
  const folder = window.location.pathname.replace(/[^/]*$/, "");
  const keys = data.addresses.map((address) => `stActiveTheme-${folder}${address}-v2`);
  const keep = (choice) => [OURS, ...keys].forEach((key) => stored.setItem(key, choice));
  const follow = () => {
    // What was chosen in Streamlit's menu, at one address, holds at all.
    const chosen = keys.map((key) => stored.getItem(key)).find((choice) => choice && choice !== stored.getItem(OURS));
    if (chosen) keep(chosen);
  };
  const button = parentElement.querySelector(".px-theme");
  button.onclick = () => {
    const app = document.querySelector('[data-testid="stApp"]');
    const name = window.getComputedStyle(app).colorScheme === "dark" ? "Light" : "Dark";
    const hidden = document.createElement("style");
    hidden.textContent = '[data-testid="stMainMenuPopover"] {opacity: 0}';
    document.head.append(hidden);
    menu().click();
    soon(() => entry(name), (found) => {
      found.click();
      keep(JSON.stringify(name));
      soon(() => !entry(name) || (menu().click(), false), () => button.focus(), () => hidden.remove());
    }, () => hidden.remove());
  };
  follow();
  window.onpagehide = follow;
}

const menu = () => document.querySelector('[data-testid="stMainMenuButton"]');

const entry = (name) =>
  [...document.querySelectorAll('[data-testid="stThemeSwitcher"] [role="menuitemradio"]')].find(
    (each) => each.textContent.includes(name) || each.getAttribute("aria-label") === name,
  );

// As soon as something is found, then go on with it; in the end, found or not, `last`.
function soon(find, then, last, tries = 40) {
  const found = find();
  if (!found && tries) return window.setTimeout(() => soon(find, then, last, tries - 1), 25);
  if (found) then(found);
  last();
}
