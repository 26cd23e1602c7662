// The log: it follows only while its end is in view; errors and hits are stepped through.

const kept = 5000;
const seen = new WeakMap<Element, Set<string>>();

export function startLog(): void {
  document.addEventListener("change", (event) => {
    if (!(event.target instanceof HTMLInputElement)) return;
    const box = event.target.closest(".panel")?.querySelector<HTMLElement>(".log");
    if (event.target.matches("[data-wrap]")) box?.classList.toggle("nowrap", !event.target.checked);
    if (event.target.matches("[data-follow]") && event.target.checked) box?.scrollTo(0, box.scrollHeight);
  });
  for (const box of logs()) {
    const error = box.querySelector<HTMLElement>(".ln.err");
    if (box.dataset["log"]) toEnd(box);
    else if (error && box.scrollHeight > box.clientHeight + 4) box.scrollTop = error.offsetTop - box.offsetTop - 60;
  }
}

export function logs(): HTMLElement[] {
  return [...document.querySelectorAll<HTMLElement>(".log")];
}

/** Append lines that the server sent, in groups by task run, to the log that shows them. */
export function append(html: string): void {
  const template = document.createElement("template");
  template.innerHTML = html;
  for (const group of [...template.content.children] as HTMLElement[]) {
    for (const box of logs()) add(box, group.cloneNode(true) as HTMLElement);
  }
}

function add(box: HTMLElement, group: HTMLElement): void {
  const topic = box.dataset["log"];
  if (!topic) return;
  const run = topic.split(":")[2] ?? "";
  const key = group.dataset["group"] ?? "";
  if (run !== "*" && run !== key) return;
  const follows = isFollowing(box);
  const target = run === "*" ? groupOf(box, key, group.dataset["name"] ?? "") : box;
  const known = anchors(target);
  for (const line of [...group.children]) {
    if (known.has(line.id)) continue;
    known.add(line.id);
    target.append(line);
  }
  target.querySelectorAll(":scope > p.gap:not(:has(a))").forEach((each) => each.remove());
  while (known.size > kept && target.querySelector(":scope > .ln")) {
    const first = target.querySelector(":scope > .ln");
    known.delete(first?.id ?? "");
    first?.remove();
  }
  if (follows) toEnd(box);
}

function anchors(target: Element): Set<string> {
  let known = seen.get(target);
  if (!known) {
    known = new Set([...target.querySelectorAll(":scope > .ln")].map((line) => line.id));
    seen.set(target, known);
  }
  return known;
}

function groupOf(box: HTMLElement, key: string, name: string): HTMLElement {
  const id = `g-${key || "execution"}`;
  const known = document.getElementById(id);
  if (known) return known;
  box.querySelectorAll("[data-empty]").forEach((each) => each.remove());
  const group = document.createElement("details");
  group.id = id;
  group.open = true;
  const summary = document.createElement("summary");
  summary.innerHTML = '<svg class="ic" aria-hidden="true"><use href="#i-right"/></svg>';
  summary.append(name);
  group.append(summary);
  box.append(group);
  return group;
}

function isFollowing(box: HTMLElement): boolean {
  const wanted = box.closest(".panel")?.querySelector<HTMLInputElement>("[data-follow]");
  if (wanted && !wanted.checked) return false;
  if (box.scrollHeight > box.clientHeight + 4) return box.scrollTop + box.clientHeight > box.scrollHeight - 40;
  return box.getBoundingClientRect().bottom < innerHeight + 60;
}

function toEnd(box: HTMLElement): void {
  if (box.scrollHeight > box.clientHeight + 4) box.scrollTop = box.scrollHeight;
  else if (box.dataset["log"]?.endsWith("*")) box.scrollIntoView({ block: "end" });
}

export function toEdge(edge: "start" | "end"): boolean {
  const box = logs()[0];
  if (!box) return false;
  box.scrollTop = edge === "start" ? 0 : box.scrollHeight;
  box.scrollIntoView({ block: edge });
  return true;
}

/** Step to the next thing of a kind in the log, round the end. */
export function stepThrough(selector: string, step: number): boolean {
  const all = [...document.querySelectorAll<HTMLElement>(`.log ${selector}`)];
  if (!all.length) return false;
  const now = all.findIndex((each) => each.classList.contains("now") || each.classList.contains("on"));
  const next = all[(now + step + all.length) % all.length] ?? all[0];
  for (const each of all) each.classList.remove("now", "on");
  next?.classList.add(selector === "mark" ? "now" : "on");
  const group = next?.closest("details");
  if (group) group.open = true;
  next?.scrollIntoView({ block: "center" });
  return true;
}
