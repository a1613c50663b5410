// The graph of a model: lays out, draws and moves through the boxes that Python sends, and reports which was chosen.
// What is in which box, what is folded into a stack, every number and every word comes from Python (`component.py`).

import { Graph, layout } from "./dagre-3.1.3.js";

const SVG = "http://www.w3.org/2000/svg";
const [PAD, HEADER, GAP, RANK] = [14, 30, 22, 30];
const BELOW = 12; // px between a header and what is below it, besides PAD: lines turn there
const ROW = 26;
const NARROW = 440; // px: below, one column is drawn
const OPENED = 48; // boxes that are shown at first, about
const views = new WeakMap(); // one for each place on a page; survives new data

export default function ({ parentElement, data, setTriggerValue }) {
  let view = views.get(parentElement);
  if (!view) views.set(parentElement, (view = new View(parentElement)));
  view.report = (name) => setTriggerValue("chosen", name);
  view.take(data);
}

function make(tag, attributes = {}, parent = null, text = "") {
  const node = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  if (text) node.textContent = text;
  if (parent) parent.append(node);
  return node;
}

class View {
  constructor(place) {
    this.place = place;
    this.find = (selector) => place.querySelector(selector);
    this.zoom = 1;
    this.open = new Set();
    this.layouts = new Map();
    this.asColumn = this.find(".graph").getBoundingClientRect().width < NARROW;
    this.font = getComputedStyle(this.find(".graph")).fontFamily;
    this.pen = document.createElement("canvas").getContext("2d");
    this.listen();
  }

  take(data) {
    const isNew = data.graph !== this.data?.graph;
    const moves = isNew || data.chosen !== this.chosen; // what was chosen here is in view
    this.data = data;
    this.read();
    this.current = this.byName.get(this.current?.name);
    if (isNew) {
      this.open = this.firstOpened();
      this.matches = [];
    }
    if (data.chosen !== this.chosen) this.chosen = data.chosen;
    const start = this.byName.get(this.chosen) ?? (isNew && data.lit === "nonfinite" ? this.boxes[data.path[0]] : null);
    if (start && moves) this.reveal(start);
    if (isNew && !this.asColumn) this.zoom = Math.min(1, Math.max(0.75, (this.pane.clientWidth - 20) / (this.arrange(this.root).width + 2 * PAD)));
    this.litPath = new Set(data.lit === "nonfinite" || this.showsPath ? data.path : []);
    this.words();
    this.draw();
    if (moves) this.target = start; // until somebody looks elsewhere: the style, and with it the room, may come late
    if (start && moves) this.show(start);
    else if (isNew) this.pane.scrollTo(Math.max(0, (this.extent.width * this.zoom - this.pane.clientWidth) / 2), 0);
  }

  // The tree, and for each group the edges between the boxes directly in it.
  read() {
    this.boxes = this.data.boxes.map((fields, at) => {
      const [parent, kind, name, label, about, text, share, born, colour, fill, said, broken] = fields;
      return { at, parent, kind, name, label, about, text, share, born, colour, fill, said, broken, inside: [], links: new Map() };
    });
    this.byName = new Map(this.boxes.map((box) => [box.name, box]));
    for (const box of this.boxes) {
      box.around = box.at ? this.boxes[box.parent] : null;
      box.depth = box.around ? box.around.depth + 1 : 0;
      box.around?.inside.push(box);
    }
    this.root = this.boxes[0];
    this.leaves = this.boxes.filter((box) => !box.inside.length && box.at);
    this.edges = this.data.edges.map(([a, b]) => [this.boxes[a], this.boxes[b]]);
    for (let [a, b] of this.edges) {
      const within = new Set(above(a));
      const shared = above(b).find((box) => within.has(box));
      for (; a.around !== shared; a = a.around) link(a.around, a, null);
      for (; b.around !== shared; b = b.around) link(b.around, null, b);
      if (a !== b) link(shared, a, b);
    }
  }

  firstOpened() {
    const open = new Set([this.root.name]);
    let shown = this.root.inside.length;
    for (let level = [this.root]; level.length; level = level.flatMap((box) => box.inside)) {
      for (const box of level.flatMap((each) => (open.has(each.name) ? each.inside : []))) {
        const isPart = box.kind === "module" && box.inside.some((each) => each.inside.length || each.kind === "module");
        if (isPart && shown + box.inside.length <= OPENED) {
          open.add(box.name);
          shown += box.inside.length;
        }
      }
    }
    return open;
  }

  isOpen(box) {
    return box.inside.length > 0 && this.open.has(box.name);
  }

  // The innermost box in view that holds `box`.
  inView(box) {
    const shut = above(box).filter((each) => !this.isOpen(each));
    return shut.length ? shut.at(-1) : box;
  }

  reveal(box) {
    for (const each of above(box)) this.open.add(each.name);
  }

  // Layout: each open group by itself, so that groups that are built alike are laid out once.
  measure(text, bold) {
    this.pen.font = `${bold ? 600 : 400} 14px ${this.font}`;
    return this.pen.measureText(text).width;
  }

  size(box) {
    if (this.isOpen(box)) return this.arrange(box);
    const first = this.measure(box.label, true) + this.measure(box.text, false) + 62;
    const width = Math.min(340, Math.max(box.inside.length || box.kind === "module" ? 190 : 130, first, this.measure(box.about, false) + 40));
    const height = box.kind === "stack" ? 92 : box.kind === "input" || box.kind === "output" ? 30 : box.about ? 58 : 42;
    return { width, height };
  }

  arrange(group) {
    const sizes = group.inside.map((box) => this.size(box));
    const links = [...group.links.values()].map(([a, b]) => [a ? a.at - group.at : "in", b ? b.at - group.at : "out"]);
    const places = group.inside.map((box) => box.at - group.at);
    const key = JSON.stringify([group.at === 0, sizes.map(({ width, height }) => [width, height]), places, links]);
    if (!this.layouts.has(key)) this.layouts.set(key, this.laidOut(group, sizes, places, links));
    group.layout = this.layouts.get(key);
    return group.layout;
  }

  laidOut(group, sizes, places, links) {
    const graph = new Graph({ multigraph: false });
    graph.setGraph({ rankdir: "TB", nodesep: GAP, ranksep: RANK, edgesep: 14 });
    graph.setDefaultEdgeLabel(() => ({}));
    const ports = new Set(links.flat().filter((end) => typeof end === "string"));
    for (const port of ports) graph.setNode(port, { width: 2, height: 1 });
    places.forEach((place, at) => graph.setNode(String(place), { ...sizes[at] }));
    for (const [a, b] of links) graph.setEdge(String(a), String(b));
    // What is not connected keeps its place in the order of the run.
    const loose = places.filter((place) => !graph.nodeEdges(String(place))?.length).map(String);
    loose.forEach((place, at) => at && graph.setEdge(loose[at - 1], place, { minlen: 1, isOrder: true }));
    layout(graph);
    const top = group.at ? HEADER + BELOW : 0;
    const least = group.at ? this.measure(group.label, true) + this.measure(group.about, false) + this.measure(group.text, false) + 70 : 0;
    const { width } = graph.graph();
    const full = Math.max(width + 2 * PAD, least);
    const shift = (full - width) / 2;
    // Ports have ranks of their own, whose room is taken back.
    const placed = places.map((place) => graph.node(String(place)));
    const highest = Math.min(...placed.map((node) => node.y - node.height / 2));
    const lowest = Math.max(...placed.map((node) => node.y + node.height / 2));
    const move = ({ x, y }) => ({ x: x + shift, y: y + top + PAD - highest });
    return {
      width: full,
      height: top + 2 * PAD + lowest - highest,
      at: new Map(places.map((place) => [place, move(graph.node(String(place)))])),
      ports: Object.fromEntries([...ports].map((port) => [port, graph.node(port).x + shift])),
      routes: graph.edges().filter((edge) => !graph.edge(edge).isOrder).map((edge) => ({
        from: edge.v,
        to: edge.w,
        points: graph.edge(edge).points.map(move),
      })),
    };
  }

  // Drawing
  draw() {
    const focused = this.svg.contains(this.deepFocus()) ? this.current : null;
    this.svg.replaceChildren();
    this.shown = [];
    this.find(".graph").classList.toggle("column", this.asColumn);
    const { width, height } = this.asColumn ? this.drawColumn() : this.drawFlow();
    this.extent = { width, height };
    this.scale();
    this.drawStrip();
    this.setCurrent(this.shown.includes(this.current) ? this.current : this.shown[0], false);
    if (focused) this.current?.node.focus({ preventScroll: true });
  }

  drawFlow() {
    this.open.add(this.root.name);
    const { width, height } = this.arrange(this.root);
    this.grounds = make("g", {}, this.svg);
    this.lines = make("g", {}, this.svg);
    this.drawGroup(this.root, PAD, PAD);
    return { width: width + 2 * PAD, height: height + 2 * PAD };
  }

  drawGroup(group, x, y) {
    for (const box of group.inside) {
      const centre = group.layout.at.get(box.at - group.at);
      const { width, height } = this.isOpen(box) ? box.layout : this.size(box);
      Object.assign(box, { x: x + centre.x - width / 2, y: y + centre.y - height / 2, width, height });
      this.drawBox(box);
      if (this.isOpen(box)) this.drawGroup(box, box.x, box.y);
    }
    for (const { from, to, points } of group.layout.routes) {
      const [a, b] = [this.boxes[group.at + Number(from)], this.boxes[group.at + Number(to)]];
      const header = a ? 0 : y + HEADER; // is crossed straight down
      const bends = points.slice(1, -1).map((point) => ({ x: x + point.x, y: y + point.y })).filter((bend) => bend.y > header);
      const start = a ? end(a, "out", a.height) : { x: x + group.layout.ports.in, y };
      const stop = b ? end(b, "in", 0) : { x: x + group.layout.ports.out, y: y + group.layout.height };
      this.drawLine([start, ...(a ? [] : [{ ...start, y: header }]), ...(points.length > 3 ? bends : []), stop], this.isLit(group, a, b), Boolean(b) && !this.isOpen(b));
    }
  }

  isLit(group, a, b) {
    const inPath = (box) => box && [...this.litPath].some((at) => holds(box, this.boxes[at]));
    if (!this.litPath.size || (a && !inPath(a)) || (b && !inPath(b)) || (!a && !b)) return false;
    return this.edges.some(
      ([from, to]) =>
        this.litPath.has(from.at) && this.litPath.has(to.at) &&
        (a ? holds(a, from) : !holds(group, from)) && (b ? holds(b, to) : !holds(group, to)),
    );
  }

  drawLine(points, lit, arrow) {
    let path = `M${points[0].x},${points[0].y}`;
    for (let at = 1; at < points.length; at++) {
      const [a, b] = [points[at - 1], points[at]];
      const middle = (a.y + b.y) / 2;
      path += `C${a.x},${middle} ${b.x},${middle} ${b.x},${b.y}`;
    }
    const kind = lit ? ` lit ${this.data.lit}` : "";
    make("path", { class: `line${kind}`, d: path }, this.lines);
    const { x, y } = points.at(-1);
    if (arrow) make("path", { class: `tip${kind}`, d: `M${x - 5},${y - 8}L${x + 5},${y - 8}L${x},${y}Z` }, this.lines);
  }

  drawBox(box) {
    const isOpen = this.isOpen(box);
    const node = this.item(box);
    node.setAttribute("transform", `translate(${box.x},${box.y})`);
    const round = box.inside.length || box.kind === "module" ? 8 : 16;
    const ground = { class: "ground", width: box.width, height: box.height, rx: round };
    if (isOpen) make("rect", { ...ground, class: "ground group", x: box.x, y: box.y }, this.grounds);
    else make("rect", ground, node);
    if (box.kind === "stack" && !isOpen) {
      for (const off of [4, 8]) make("path", { class: "edge", d: `M${off},${-off}H${box.width - off}` }, node);
    }
    if (!isOpen) this.shade(box, node, box.width, box.height, round);
    make("rect", { class: "edge", width: box.width, height: box.height, rx: round }, node);
    if (isOpen) make("rect", { class: "header", width: box.width, height: HEADER, rx: round }, node);
    const isPlain = box.kind === "input" || box.kind === "output";
    const left = isPlain ? 14 : 22;
    if (!isPlain && !isOpen && box.colour) make("rect", { class: "stripe", x: 9, y: 9, width: 5, height: box.height - 18, rx: 2.5, fill: box.colour }, node);
    const mark = box.inside.length ? (isOpen ? "▾ " : "▸ ") : "";
    const label = make("text", { class: "label", x: isOpen ? 12 : left, y: 20 }, node, mark + box.label);
    if (box.about && isOpen) make("tspan", { class: "about", dx: 8 }, label, box.about);
    else if (box.about) make("text", { class: "about", x: left, y: 38 }, node, box.about);
    if (box.text) make("text", { class: "value", x: box.width - 12, y: 20, "text-anchor": "end" }, node, box.text);
    if (box.kind === "stack" && !isOpen) this.drawMembers(box, node, left);
    else if (!isOpen && box.share !== null) this.drawBar(box, node, left, box.height - 11, box.width - left - 12);
    if (!isOpen) this.titled(box, node);
  }

  shade(box, node, width, height, round) {
    if (box.fill) make("rect", { class: "shade", width, height, rx: round, fill: box.fill, opacity: 0.28 }, node);
    else if (box.broken) make("rect", { class: "shade broken", width, height, rx: round, opacity: box.at === this.data.path[0] ? 0.3 : 0.06 }, node);
    else if (box.share !== null) make("rect", { class: "shade carried", width, height, rx: round, opacity: 0.22 * box.share ** 2 }, node);
  }

  drawBar(box, node, x, y, width) {
    make("rect", { class: "track", x, y, width, height: 4, rx: 2 }, node);
    if (box.share) make("rect", { class: "carried", x, y, width: width * box.share, height: 4, rx: 2 }, node);
    if (box.born) make("rect", { class: "born", x, y, width: width * box.born, height: 4, rx: 2 }, node);
  }

  drawMembers(box, node, left) {
    const [width, height] = [box.width - left - 12, 34];
    const step = width / box.inside.length;
    box.inside.forEach((each, at) => {
      const bar = { x: left + at * step, width: Math.max(step - Math.min(2, step / 4), 0.5) };
      make("rect", { class: "track", y: box.height - 10 - height, height, ...bar }, node);
      const tall = each.broken ? height : height * (each.share ?? 0);
      const kind = each.broken ? "broken" : each.fill ? "filled" : "carried";
      make("rect", { class: kind, y: box.height - 10 - tall, height: tall, ...(each.fill ? { fill: each.fill } : {}), ...bar }, node);
    });
  }

  titled(box, node) {
    make("title", {}, node, box.said);
  }

  drawColumn() {
    const rows = [];
    const visit = (group) => group.inside.forEach((box) => { rows.push(box); if (this.isOpen(box)) visit(box); });
    visit(this.root);
    const width = Math.max(this.pane.clientWidth - 4, 320) / this.zoom;
    const deep = Math.max(...rows.map((box) => box.depth));
    const step = Math.min(16, (width * 0.2) / deep);
    const left = 34;
    const bars = width < 520 ? 70 : 200;
    this.lines = make("g", {}, this.svg);
    rows.forEach((box, at) => {
      Object.assign(box, { x: left, y: at * ROW + 4, width: width - left - 8, height: ROW - 2 });
      const node = this.item(box);
      node.setAttribute("transform", `translate(${box.x},${box.y})`);
      make("rect", { class: box.inside.length || box.kind === "module" ? "ground framed" : "ground", width: box.width, height: box.height, rx: 5 }, node);
      this.shade(box, node, box.width, box.height, 5);
      const x = 8 + (box.depth - 1) * step;
      if (box.colour && !this.isOpen(box)) make("rect", { class: "stripe", x: x - 4, y: 5, width: 4, height: ROW - 12, rx: 2, fill: box.colour }, node);
      const mark = box.inside.length ? (this.isOpen(box) ? "▾ " : "▸ ") : "";
      const room = box.width - bars - 76 - x;
      const label = make("text", { class: "label", x: x + 5, y: 16 }, node, this.cut(mark + box.label, room));
      const rest = room - this.measure(mark + box.label, true) - 12;
      if (rest > 60) make("tspan", { class: "about", dx: 8 }, label, this.cut(box.about, rest));
      if (box.share !== null) this.drawBar(box, node, box.width - bars - 66, 10, bars);
      if (box.text) make("text", { class: "value", x: box.width - 8, y: 16, "text-anchor": "end" }, node, box.text);
      this.titled(box, node);
    });
    const place = new Map(rows.map((box, at) => [box, at]));
    for (const group of [this.root, ...rows.filter((box) => this.isOpen(box))]) {
      for (const [a, b] of group.links.values()) {
        if (!a || !b || place.get(b) - place.get(a) <= 1 || this.isOpen(a)) continue;
        const [top, bottom] = [a.y + ROW / 2, b.y + ROW / 2];
        const out = Math.min(26, 8 + (bottom - top) / 12);
        const kind = this.isLit(group, a, b) ? ` lit ${this.data.lit}` : "";
        make("path", { class: `line${kind}`, d: `M${left},${top}C${left - out},${top} ${left - out},${bottom} ${left},${bottom}` }, this.lines);
      }
    }
    return { width, height: rows.length * ROW + 8 };
  }

  cut(text, room) {
    if (this.measure(text, true) <= room) return text;
    let end = text.length;
    while (end > 3 && this.measure(`${text.slice(0, end)}…`, true) > room) end--;
    return `${text.slice(0, end)}…`;
  }

  item(box) {
    const classes = ["box", box.kind, box.broken && "broken", this.isOpen(box) && "open", box.name === this.chosen && "chosen", this.litPath.has(box.at) && "lit"];
    const node = make("g", {
      class: classes.filter(Boolean).join(" "),
      role: "treeitem",
      tabindex: "-1",
      "aria-level": box.depth,
      "aria-selected": box.name === this.chosen,
      "aria-label": box.said,
    }, this.svg);
    if (box.inside.length) node.setAttribute("aria-expanded", this.isOpen(box));
    node.box = box;
    box.node = node;
    this.shown.push(box);
    return node;
  }

  drawStrip() {
    const strip = this.find(".strip");
    const [width, height] = [strip.clientWidth, strip.clientHeight];
    strip.replaceChildren();
    if (!width) return;
    strip.setAttribute("viewBox", `0 0 ${width} ${height}`);
    const step = height / this.leaves.length;
    this.leaves.forEach((box, at) => {
      const wide = box.broken || box.fill ? 1 : box.share ?? 0;
      const bar = { y: at * step, height: Math.max(step - 0.5, 0.5), x: 3 };
      if (wide) make("rect", { class: box.broken ? "broken" : "carried", width: (width - 6) * wide, ...(box.fill ? { fill: box.fill } : {}), ...bar }, strip);
      if (box.name === this.chosen) make("rect", { class: "chosen", width: width - 4, ...bar, x: 2 }, strip);
    });
  }

  words() {
    const { measure, legend, lit, path } = this.data;
    this.find(".tree").setAttribute("aria-label", measure);
    this.find(".path").textContent = lit === "nonfinite" ? "First NaN or ∞" : "Worst path";
    this.find(".path").hidden = !path.length;
    this.find(".flow").textContent = this.asColumn ? "As a flow" : "As a list";
    this.find(".legend").replaceChildren(
      ...legend.map(([words, kind, colour]) => {
        const entry = document.createElement("span");
        const sample = make("svg", { width: 14, height: 8, "aria-hidden": "true" });
        make("rect", { width: 14, height: 8, rx: 3, class: kind, ...(colour ? { fill: colour } : {}) }, sample);
        entry.append(sample, words);
        return entry;
      }),
    );
  }

  scale() {
    const { width, height } = this.extent;
    this.svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
    this.svg.setAttribute("width", width * this.zoom);
    this.svg.setAttribute("height", height * this.zoom);
  }

  // Moving
  get svg() { return this.find(".tree"); }
  get pane() { return this.find(".pane"); }

  deepFocus() {
    return this.place.getRootNode().activeElement ?? document.activeElement;
  }

  show(box) {
    const seen = this.inView(box);
    this.setCurrent(seen, false);
    const left = (seen.x + seen.width / 2) * this.zoom - this.pane.clientWidth / 2;
    const top = (seen.y + Math.min(seen.height, 120) / 2) * this.zoom - this.pane.clientHeight / 2;
    this.pane.scrollTo(Math.max(0, left), Math.max(0, top));
  }

  setCurrent(box, focus = true) {
    if (!box) return;
    this.current?.node?.setAttribute("tabindex", "-1");
    this.current = box;
    box.node.setAttribute("tabindex", "0");
    if (focus) box.node.focus();
  }

  toggle(box, open = !this.isOpen(box)) {
    if (!box.inside.length) return;
    const before = { x: box.node.getBoundingClientRect().x, y: box.node.getBoundingClientRect().y };
    if (open) this.open.add(box.name);
    else this.open.delete(box.name);
    this.draw();
    this.setCurrent(box);
    const after = box.node.getBoundingClientRect();
    this.pane.scrollBy(after.x - before.x, after.y - before.y);
  }

  choose(box) {
    if (!isChoosable(box)) return box.inside.length ? this.toggle(box) : this.setCurrent(box);
    this.chosen = box.name;
    this.draw();
    this.setCurrent(box);
    if (box.name !== this.data.chosen) this.report(box.name);
  }

  // The nearest box in view that reads from `box` (or that it reads from), by the edges drawn.
  along(box, forward) {
    const ends = this.edges.filter(([a, b]) => holds(box, forward ? a : b) && !holds(box, forward ? b : a));
    const boxes = ends.map(([a, b]) => this.inView(forward ? b : a)).filter((each) => !holds(each, box));
    const order = this.shown.indexOf(box);
    const distance = (each) => Math.abs(this.shown.indexOf(each) - order);
    return boxes.sort((a, b) => distance(a) - distance(b))[0] ?? this.shown[order + (forward ? 1 : -1)];
  }

  key(event) {
    const box = this.current;
    const to = {
      ArrowDown: () => this.along(box, true),
      ArrowUp: () => this.along(box, false),
      Home: () => this.shown[0],
      End: () => this.shown.at(-1),
      ArrowRight: () => (this.isOpen(box) ? box.inside[0] : void this.toggle(box, true)),
      ArrowLeft: () => (this.isOpen(box) ? void this.toggle(box, false) : box.around?.at ? box.around : null),
      Enter: () => void this.choose(box),
      " ": () => void this.choose(box),
    }[event.key];
    if (!to || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    const next = to();
    if (next) {
      this.setCurrent(next);
      next.node.scrollIntoView({ block: "nearest", inline: "nearest" });
    }
  }

  search(text) {
    const wanted = text.trim().toLowerCase();
    const found = wanted ? this.boxes.filter((box) => box.at && box.said.toLowerCase().includes(wanted)) : [];
    this.match = wanted === this.wanted && found.length ? (this.match + 1) % found.length : 0;
    this.wanted = wanted;
    this.find(".found").textContent = wanted ? (found.length ? `${this.match + 1} of ${found.length}` : "none") : "";
    if (!found.length) return;
    this.reveal(found[this.match]);
    this.draw();
    this.show(found[this.match]);
  }

  listen() {
    const resized = () => {
      if (!this.data) return;
      if (this.asColumn) this.draw();
      else this.drawStrip();
      if (this.target) this.show(this.target);
    };
    new ResizeObserver(resized).observe(this.pane);
    const on = (selector, event, act) => this.find(selector).addEventListener(event, act);
    for (const event of ["wheel", "pointerdown", "keydown"]) on(".graph", event, () => { this.target = null; });
    const boxOf = (event) => event.composedPath().find((node) => node.box)?.box;
    on(".tree", "click", (event) => {
      const box = boxOf(event);
      if (!box || this.dragged) return;
      const isHeader = this.isOpen(box) || (box.inside.length && event.target.classList.contains("label"));
      if (box.inside.length && (isHeader || this.chosen === box.name || !isChoosable(box))) this.toggle(box);
      else this.choose(box);
    });
    on(".tree", "dblclick", (event) => boxOf(event) && this.toggle(boxOf(event)));
    on(".tree", "keydown", (event) => this.key(event));
    on(".tree", "focusin", (event) => boxOf(event) && this.setCurrent(boxOf(event), false));
    on(".search", "keydown", (event) => event.key === "Enter" && this.search(event.target.value));
    on(".search", "search", (event) => event.target.value || this.search(""));
    on(".path", "click", () => {
      this.showsPath = true;
      this.litPath = new Set(this.data.path);
      for (const at of this.data.path) this.reveal(this.boxes[at]);
      this.draw();
      this.show(this.boxes[this.data.path[this.data.lit === "nonfinite" ? 0 : this.data.path.length - 1]]);
    });
    on(".all", "click", () => { for (const box of this.boxes) this.open.add(box.name); this.draw(); });
    on(".none", "click", () => { this.open = new Set([this.root.name]); this.draw(); });
    on(".flow", "click", () => { this.asColumn = !this.asColumn; this.words(); this.draw(); this.current && this.show(this.current); });
    const zoomTo = (zoom) => { this.zoom = Math.min(2, Math.max(0.1, zoom)); this.asColumn ? this.draw() : this.scale(); };
    on(".in", "click", () => zoomTo(this.zoom * 1.25));
    on(".out", "click", () => zoomTo(this.zoom / 1.25));
    on(".fit", "click", () => zoomTo(this.asColumn ? 1 : Math.min(1, (this.pane.clientWidth - 16) / this.extent.width, (this.pane.clientHeight - 16) / this.extent.height)));
    on(".pane", "wheel", (event) => {
      if (!event.ctrlKey && !event.metaKey) return;
      event.preventDefault();
      zoomTo(this.zoom * (event.deltaY < 0 ? 1.1 : 1 / 1.1));
    });
    on(".pane", "pointerdown", (event) => {
      if (event.pointerType !== "mouse" || event.button) return;
      const start = [event.clientX, event.clientY, this.pane.scrollLeft, this.pane.scrollTop];
      this.dragged = false;
      const move = (at) => {
        const [x, y] = [at.clientX - start[0], at.clientY - start[1]];
        if (Math.abs(x) + Math.abs(y) > 4) this.dragged = true;
        if (this.dragged) this.pane.scrollTo(start[2] - x, start[3] - y);
      };
      const stop = () => { window.removeEventListener("pointermove", move); window.removeEventListener("pointerup", stop); };
      window.addEventListener("pointermove", move);
      window.addEventListener("pointerup", stop);
    });
    on(".strip", "click", (event) => {
      const strip = event.currentTarget.getBoundingClientRect();
      const leaf = this.leaves[Math.min(this.leaves.length - 1, Math.floor(((event.clientY - strip.top) / strip.height) * this.leaves.length))];
      this.reveal(leaf);
      this.draw();
      this.show(leaf);
    });
  }
}

function above(box) {
  const boxes = [];
  for (let each = box.around; each; each = each.around) boxes.push(each);
  return boxes;
}

function holds(box, inner) {
  for (let each = inner; each; each = each.around) if (each === box) return true;
  return false;
}

// Stacks, inputs and outputs are no layer of their own.
function isChoosable(box) {
  return !["stack", "input", "output"].includes(box.kind);
}

function link(group, a, b) {
  group.links.set(`${a?.at}>${b?.at}`, [a, b]);
}

// Where a line ends at a box: at the port of an open one, else in the middle of its side.
function end(box, port, offset) {
  const ports = box.node.classList.contains("open") ? box.layout.ports : {};
  return { x: box.x + (ports[port] ?? box.width / 2), y: box.y + offset };
}
