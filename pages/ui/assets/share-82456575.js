// A picture of a page's answer: the words that are on the page, warnings too, so that it says no more and no less.

const [WIDTH, EDGE] = [1200, 60];

export default function ({ parentElement, data }) {
  parentElement.querySelector(".px-picture").onclick = () => draw(data.footer);
}

function text(element) {
  const copy = element.cloneNode(true);
  copy.querySelectorAll('[role="img"], button, svg').forEach((icon) => icon.remove());
  return copy.textContent.trim();
}

function draw(footer) {
  const answer = document.querySelector(".st-key-answer");
  const title = answer.querySelector("h1");
  const family = getComputedStyle(title).fontFamily;
  const canvas = document.createElement("canvas");
  const said = [...answer.querySelectorAll("p")].filter((each) => !each.closest("a, button"));
  const parts = [[text(title), 44, 700], ...said.map((each) => [text(each), 26, 400]), [footer, 20, 400]];
  const pen = canvas.getContext("2d");
  const lines = [];
  let y = EDGE;
  for (const [words, size, weight] of parts.filter(([words]) => words)) {
    pen.font = `${weight} ${size}px ${family}`;
    let line = "";
    for (const word of words.split(/\s+/)) {
      if (line && pen.measureText(`${line} ${word}`).width > WIDTH - 2 * EDGE) {
        lines.push([line, (y += size * 1.35), pen.font]);
        line = word;
      } else line = line ? `${line} ${word}` : word;
    }
    lines.push([line, (y += size * 1.35), pen.font]);
    y += 18;
  }
  canvas.width = WIDTH;
  canvas.height = y + EDGE - 18;
  pen.fillStyle = getComputedStyle(document.querySelector('[data-testid="stApp"]')).backgroundColor;
  pen.fillRect(0, 0, WIDTH, canvas.height);
  pen.fillStyle = getComputedStyle(title).color;
  for (const [line, at, font] of lines) {
    pen.font = font;
    pen.fillText(line, EDGE, at);
  }
  const link = document.createElement("a");
  link.href = canvas.toDataURL("image/png");
  link.download = "precision-explorer.png";
  link.click();
}
