// Keys everywhere; /keys lists them. Single letters are off in fields, and where the viewer says so.
import { closeSomething, copy } from "./parts/dialogs";
import { stepThrough, toEdge } from "./parts/log";

const sections: Record<string, string> = { e: "/executions", f: "/flows", s: "/sources" };
let prefix = "";

/** Do what a key stands for. */
export function pressed(event: KeyboardEvent): void {
  if (event.defaultPrevented || event.isComposing) return;
  if ((event.metaKey || event.ctrlKey) && event.key === "k") return taken(event, search);
  if ((event.metaKey || event.ctrlKey) && event.key === "Enter") return taken(event, submit);
  if (event.metaKey || event.ctrlKey || event.altKey) return;
  if (event.key === "Escape") return escaped(event);
  if (inField(event.target)) return;
  if (event.key === "/") return taken(event, search);
  if (event.key === "?") return taken(event, () => click('a[href="/keys"]'));
  if (document.body.dataset["keys"] === "off" || document.querySelector("dialog[open]")) return;
  letter(event);
}

function letter(event: KeyboardEvent): void {
  const before = prefix;
  prefix = "";
  if (before === "g") {
    const section = sections[event.key];
    if (section) return taken(event, () => location.assign(section));
    if (event.key === "g") return taken(event, () => toEdge("start"));
    return;
  }
  const act = letters[event.key];
  if (event.key === "g") prefix = "g";
  else if (act && act() !== false) event.preventDefault();
}

const letters: Record<string, () => boolean | void> = {
  j: () => row(1),
  k: () => row(-1),
  f: () => focus("[data-filter]"),
  y: () => copy(location.href, "Address"),
  c: () => {
    const sha = document.querySelector<HTMLElement>("main a.sha")?.title;
    return sha ? copy(sha, "Commit") : false;
  },
  r: () => click('[data-act="replay"]'),
  K: () => click('[data-act="kill"]'),
  R: () => click('[data-act="run"]'),
  d: () => click('[data-act="diff"]'),
  s: () => click('[data-act="sync"]'),
  p: () => problem(),
  e: () => stepThrough(".ln.err", 1),
  E: () => stepThrough(".ln.err", -1),
  n: () => stepThrough("mark", 1),
  N: () => stepThrough("mark", -1),
  G: () => toEdge("end"),
  ...Object.fromEntries([1, 2, 3, 4, 5].map((n) => [String(n), () => tab(n)])),
};

function taken(event: KeyboardEvent, act: () => void): void {
  event.preventDefault();
  act();
}

function escaped(event: KeyboardEvent): void {
  if (document.querySelector("dialog[open]")) return; // the browser closes it
  if (closeSomething()) return event.preventDefault();
  if (event.target instanceof HTMLInputElement && inField(event.target)) {
    if (event.target.value && event.target.type === "search") event.target.value = "";
    else event.target.blur();
  }
}

function inField(target: EventTarget | null): boolean {
  return target instanceof Element && target.matches("input:not([type=checkbox]):not([type=radio]), select, textarea, [contenteditable]");
}

function search(): void {
  const inLog = document.querySelector<HTMLElement>("[data-search]");
  const field = inLog ?? document.getElementById("jump");
  field?.focus();
}

function submit(): void {
  document.querySelector<HTMLElement>("[data-main]")?.click();
}

function click(selector: string): boolean {
  const found = document.querySelector<HTMLElement>(selector);
  found?.click();
  return found !== null;
}

function focus(selector: string): boolean {
  const found = document.querySelector<HTMLElement>(selector);
  found?.focus();
  return found !== null;
}

function row(step: number): boolean {
  const all = [...document.querySelectorAll<HTMLElement>("[data-row]")].filter((each) => each.offsetParent);
  if (!all.length) return false;
  const focused = all.findIndex((each) => each === document.activeElement);
  const picked = all.findIndex((each) => each.closest("tr.on"));
  const at = focused >= 0 ? focused : picked;
  const next = all[Math.min(Math.max(at + step, 0), all.length - 1)];
  next?.focus();
  next?.scrollIntoView({ block: "nearest" });
  if (next?.closest(".gantt")) next.click();
  return true;
}

function tab(number: number): boolean {
  const found = document.querySelectorAll<HTMLElement>("[data-tab]")[number - 1];
  found?.click();
  return found !== undefined;
}

function problem(): boolean {
  const all = [...document.querySelectorAll<HTMLElement>("[data-problem]")];
  const next = all.find((each) => each.getBoundingClientRect().top > 80) ?? all[0];
  next?.scrollIntoView({ block: "start" });
  next?.querySelector<HTMLElement>("a")?.focus({ preventScroll: true });
  return next !== undefined;
}
