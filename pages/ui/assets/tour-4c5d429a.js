// The card of the tour: it marks what each stop is about. The browser remembers that it was left; a link with
// `tour=off`, such as a shared one, shows none for as long as its window is open.

const [KEY, LEFT, MARK] = ["px-tour", "left", "px-stop"];
const MARKED = `.${MARK} {scroll-margin-top: 5rem; outline: 3px solid #2F6FDB; outline-offset: 6px; border-radius: 0.25rem}`;

const cleanups = new WeakMap(); // one for each place on a page: it is drawn again with every run of the page

export default function ({ parentElement, data }) {
  cleanups.get(parentElement)?.();
  const stops = data.stops;
  const stored = window.localStorage;
  const card = parentElement.querySelector(".px-tour");
  const isOff = new URLSearchParams(window.location.search).get("tour") === "off";
  if (isOff) window.sessionStorage.setItem(KEY, LEFT); // of this window, on the pages that follow too
  if (isOff || window.sessionStorage.getItem(KEY) === LEFT || stored.getItem(KEY) === LEFT) return;
  const style = document.createElement("style");
  style.textContent = MARKED;
  document.head.append(style);
  const next = card.querySelector(".px-next");
  let at = Number(stored.getItem(KEY)) || 0;
  const clean = () => {
    unmark();
    style.remove();
    document.removeEventListener("keydown", pressed);
  };
  cleanups.set(parentElement, clean);
  const leave = () => {
    stored.setItem(KEY, LEFT);
    card.hidden = true;
    clean();
  };
  const pressed = (event) => event.key === "Escape" && leave();
  const show = (moves) => {
    const [where, said] = stops[at];
    stored.setItem(KEY, at);
    card.querySelector("p").textContent = `${at + 1} of ${stops.length}: ${said}`;
    next.textContent = at + 1 < stops.length ? "Next" : "Done";
    unmark();
    const stop = document.querySelector(where);
    stop?.classList.add(MARK);
    if (stop && moves) stop.scrollIntoView({ block: stop.offsetHeight > window.innerHeight ? "start" : "center" });
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
  return clean;
}

function unmark() {
  document.querySelectorAll(`.${MARK}`).forEach((each) => each.classList.remove(MARK));
}
