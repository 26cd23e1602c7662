// One stream a page. Parts of HTML replace those with the same id; a hidden page closes its stream.
import { toast } from "./dialogs";
import { swap } from "./morph";

const quietAfter = 10_000;
const pollEvery = 15_000;
let source: EventSource | null = null;
let lostSince = 0;
let polling = 0;

export function startLive(): void {
  if (!document.body.dataset["topics"]) return;
  document.addEventListener("visibilitychange", () => (document.hidden ? close() : open()));
  document.addEventListener("htmx:afterSettle", settled);
  addEventListener("pagehide", close);
  addEventListener("pageshow", (event) => event.persisted && open());
  setInterval(watch, 2000);
  if (!document.hidden) open();
}

function open(): void {
  close();
  source = new EventSource(`/events?topics=${encodeURIComponent(topics())}`);
  source.addEventListener("open", () => {
    lostSince = 0;
  });
  source.addEventListener("error", () => {
    lostSince ||= Date.now();
    if (source?.readyState === EventSource.CLOSED) setTimeout(() => document.hidden || open(), 5000);
  });
  source.addEventListener("swap", (event) => swapped(event.data));
  source.addEventListener("lines", (event) => lines(event.data));
  source.addEventListener("ended", (event) => ended(event.data));
}

function close(): void {
  source?.close();
  source = null;
}

function topics(): string {
  const boxes = document.querySelectorAll<HTMLElement>(".log[data-log]");
  const ofLogs = [...boxes].map((box) => box.dataset["log"]).filter(Boolean);
  return [document.body.dataset["topics"], ...new Set(ofLogs)].join("\n");
}

function swapped(html: string): void {
  const before = topics();
  swap(html);
  if (topics() !== before) open(); // another task run's log is shown
}

/** Hand new lines to the island that shows logs. */
function lines(html: string): void {
  document.dispatchEvent(new CustomEvent("headrace:lines", { detail: html }));
}

function ended(title: string): void {
  document.body.dataset["topics"] = "head";
  document.title = `${title} · Headrace`;
  const words = title.replace(/ · .*/, "");
  toast(words, false, /(failed|killed|cancelled)$/.test(words));
}

/** After htmx has put in a part of another page: follow what that page follows. */
function settled(event: Event): void {
  const xhr = (event as CustomEvent<{ xhr?: XMLHttpRequest }>).detail.xhr;
  const page = new DOMParser().parseFromString(xhr?.responseText ?? "", "text/html");
  const wanted = page.body?.dataset["topics"];
  if (wanted) document.body.dataset["topics"] = wanted;
  for (const each of document.querySelectorAll(".gantt tr.on")) {
    each.classList.remove("on");
    each.removeAttribute("aria-current");
  }
  const picked = page.querySelector(".gantt tr.on");
  const row = picked?.id ? document.getElementById(picked.id) : null;
  row?.classList.add("on");
  row?.setAttribute("aria-current", "true");
  if (!document.hidden) open();
}

/** Say when the page is no longer live, and ask for it now and then. */
function watch(): void {
  if (document.hidden || !lostSince || Date.now() - lostSince < quietAfter) return;
  const head = document.getElementById("head");
  const at = new Date(lostSince).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" });
  if (head) head.textContent = `Not live since ${at}`;
  if (Date.now() - polling < pollEvery) return;
  polling = Date.now();
  void poll();
}

async function poll(): Promise<void> {
  try {
    const answer = await fetch(location.href, { headers: { Accept: "text/html" } });
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    const main = page.getElementById("main");
    if (answer.ok && main) swap(main.outerHTML);
  } catch {
    // the server does not answer; the head says so already
  }
}
