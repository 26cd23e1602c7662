// The tasks of a flow as a graph: left to right, downward on a phone. The list that the server sent
// is its text form: it stays in the page, hidden, and is what is drawn.
import { Graph, layout } from "@dagrejs/dagre";

type Edge = [source: string, target: string, label: string, off: boolean];
type Place = { x: number; y: number; width: number; height: number };

const space = "http://www.w3.org/2000/svg";
const box = { width: 168, height: 46 };
const joint = { width: 6, height: 6 };
const letters = 19;
const readable = 1.4; // times the room there is: so far a picture is made smaller by itself
const narrow = matchMedia("(max-width: 700px)");

export function startTopology(): void {
  draw();
  const page = document.getElementById("topology");
  if (page) new MutationObserver(draw).observe(page, { subtree: true, childList: true, attributes: true, attributeFilter: ["data-topology", "class"], characterData: true });
  narrow.addEventListener("change", draw);
  const fit = document.querySelector<HTMLButtonElement>("[data-fit]");
  fit?.addEventListener("click", () => {
    const fitted = document.querySelector(".topo")?.classList.toggle("fit");
    fit.textContent = fitted ? "Full size" : "Fit";
  });
}

let drawn = "";

function draw(): void {
  const list = document.querySelector<HTMLElement>("[data-topology]");
  if (!list) return;
  const now = `${list.dataset["topology"]}${list.innerHTML}${narrow.matches}`;
  if (now === drawn && list.parentElement?.querySelector(".topo")) return;
  drawn = now;
  const before = document.querySelector("svg.topo");
  const picture = pictureOf(list);
  list.hidden = true;
  list.after(picture);
  const over = picture.width.baseVal.value / (list.parentElement?.clientWidth ?? 1);
  const fits = before ? before.classList.contains("fit") : over < readable;
  picture.classList.toggle("fit", fits);
  before?.remove();
  const button = document.querySelector<HTMLElement>("[data-fit]");
  if (button) button.hidden = over <= 1;
  if (button) button.textContent = fits ? "Full size" : "Fit";
}

function pictureOf(list: HTMLElement): SVGSVGElement {
  const { edges, joints } = JSON.parse(list.dataset["topology"] ?? "{}") as { edges: Edge[]; joints: string[] };
  const graph = laidOut(list, edges, joints);
  const { width = 0, height = 0 } = graph.graph() as { width?: number; height?: number };
  const picture = make("svg", { class: "topo", width, height, viewBox: `0 0 ${width} ${height}`, role: "group" }) as SVGSVGElement;
  picture.setAttribute("aria-label", list.dataset["said"] ?? "");
  for (const group of list.querySelectorAll<HTMLElement>("[data-group]")) picture.append(...groupOf(group, graph));
  for (const edge of edges) picture.append(...edgeOf(edge, graph));
  for (const key of joints) {
    const { x, y } = graph.node(key) as Place;
    picture.append(make("circle", { class: "joint", cx: x, cy: y, r: 2.5 }));
  }
  for (const node of list.querySelectorAll<HTMLElement>("[data-node]")) picture.append(nodeOf(node, graph));
  return picture;
}

function laidOut(list: HTMLElement, edges: Edge[], joints: string[]): Graph {
  const graph = new Graph({ compound: true });
  graph.setGraph({ rankdir: narrow.matches ? "TB" : "LR", ranksep: 52, nodesep: 14, marginx: 8, marginy: 22 });
  graph.setDefaultEdgeLabel(() => ({}));
  for (const group of list.querySelectorAll<HTMLElement>("[data-group]")) graph.setNode(key(group), {});
  for (const node of list.querySelectorAll<HTMLElement>("[data-node]")) graph.setNode(key(node), { ...box });
  for (const each of joints) graph.setNode(each, { ...joint });
  for (const each of list.querySelectorAll<HTMLElement>("[data-node], [data-group]")) {
    const around = each.parentElement?.closest<HTMLElement>("[data-group]");
    if (around) graph.setParent(key(each), key(around));
  }
  for (const each of joints) {
    const around = each.startsWith("joint:") ? "" : each.slice(0, each.indexOf(":"));
    if (around && graph.hasNode(around)) graph.setParent(each, around);
  }
  for (const [source, target, label] of edges) {
    graph.setEdge(source, target, label ? { width: label.length * 6, height: 14, labelpos: "c" } : {});
  }
  layout(graph);
  return graph;
}

function key(element: HTMLElement): string {
  return element.dataset["node"] ?? `${element.dataset["group"]}`;
}

function groupOf(group: HTMLElement, graph: Graph): SVGElement[] {
  const { x, y, width, height } = graph.node(key(group)) as Place;
  const top = y - height / 2 - 14;
  const left = x - width / 2;
  const name = make("text", { class: "sub", x: left + 10, y: top + 16 });
  name.textContent = cut(group.querySelector("b")?.textContent ?? "", Math.floor(width / 6));
  return [make("rect", { class: "group", x: left, y: top, width, height: height + 14, rx: 9 }), name];
}

function edgeOf([source, target, label, off]: Edge, graph: Graph): SVGElement[] {
  const found = graph.edge(source, target) as unknown as { points: { x: number; y: number }[]; x?: number; y?: number };
  const end = side(graph.node(target) as Place, -1);
  const points = [side(graph.node(source) as Place, 1), ...found.points.slice(1, -1), end];
  const parts = [make("path", { class: off ? "edge off" : "edge", d: curve(points) })];
  if (!graph.node(target) || (graph.node(target) as Place).width > joint.width) parts.push(tip(end));
  if (label && found.x !== undefined && found.y !== undefined) {
    const said = make("text", { class: "sub said", x: found.x, y: found.y + 4, "text-anchor": "middle" });
    said.textContent = label;
    parts.push(said);
  }
  return parts;
}

/** The middle of the side of a box where edges leave (1) or enter (-1). */
function side({ x, y, width, height }: Place, way: 1 | -1): { x: number; y: number } {
  return narrow.matches ? { x, y: y + (way * height) / 2 } : { x: x + (way * width) / 2, y };
}

function tip({ x, y }: { x: number; y: number }): SVGElement {
  const d = narrow.matches ? `M${x} ${y}l-4-8h8z` : `M${x} ${y}l-8-4v8z`;
  return make("path", { class: "tip", d });
}

/** A line that leaves and enters each point along the way of the graph. */
function curve(points: { x: number; y: number }[]): string {
  const [first, ...rest] = points;
  let { x, y } = first!;
  let d = `M${x} ${y}`;
  for (const next of rest) {
    const middle = { x: (x + next.x) / 2, y: (y + next.y) / 2 };
    d += narrow.matches
      ? `C${x} ${middle.y} ${next.x} ${middle.y} ${next.x} ${next.y}`
      : `C${middle.x} ${y} ${middle.x} ${next.y} ${next.x} ${next.y}`;
    ({ x, y } = next);
  }
  return d;
}

function nodeOf(node: HTMLElement, graph: Graph): SVGElement {
  const { x, y } = graph.node(key(node)) as Place;
  const left = x - box.width / 2;
  const top = y - box.height / 2;
  const link = node.querySelector("a");
  const symbol = node.querySelector("use")?.getAttribute("href");
  const sub = node.querySelector("span")?.textContent ?? "";
  const anchor = make("a", { href: link?.getAttribute("href") ?? "#", "aria-label": `${link?.textContent} ${sub}` });
  const group = make("g", { class: node.className });
  group.append(make("rect", { class: "box", x: left, y: top, width: box.width, height: box.height, rx: 7 }));
  if (symbol) {
    const shape = make("svg", { class: "st", x: left + 13, y: top + 15, width: 16, height: 16 });
    shape.append(make("use", { href: symbol }));
    group.append(shape);
  }
  const from = left + (symbol ? 38 : 14);
  for (const [text, css, height, most] of [[link?.textContent, "", 20, letters], [sub, "sub", 35, letters + 4]] as const) {
    const line = make("text", { class: css, x: from, y: top + height });
    line.textContent = cut(text ?? "", symbol ? most : most + 3);
    group.append(line);
  }
  const title = make("title", {});
  title.textContent = `${link?.textContent}: ${sub}`;
  anchor.append(title, group);
  return anchor;
}

function cut(text: string, most: number): string {
  return text.length > most ? `${text.slice(0, most - 1)}…` : text;
}

function make(name: string, attributes: Record<string, string | number>): SVGElement {
  const element = document.createElementNS(space, name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, `${value}`);
  return element;
}
