// Durations tick once a second, relative times every half minute. The server's clock counts.

const said = Date.parse(document.body.dataset["now"] ?? "");
const skew = Number.isNaN(said) ? 0 : said - Date.now();
const thin = "\u202f";

export function startTicking(): void {
  setInterval(durations, 1000);
  setInterval(relative, 30_000);
}

/** Tell the server the viewer's zone, so that the next page shows its times. */
export function rememberZone(): void {
  const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
  const wanted = `tz=${encodeURIComponent(zone)}`;
  if (zone && !document.cookie.split("; ").includes(wanted)) {
    document.cookie = `${wanted}; path=/; max-age=31536000; samesite=lax`;
  }
}

function durations(): void {
  const now = Date.now() + skew;
  for (const each of document.querySelectorAll<HTMLElement>("[data-since]")) {
    const seconds = Math.floor((now - Date.parse(each.dataset["since"] ?? "")) / 1000);
    if (seconds >= 1 && each.firstChild) {
      const rest = each.textContent?.match(/ on .*$/)?.[0] ?? "";
      each.firstChild.nodeValue = clock(seconds) + rest;
    }
  }
}

function clock(total: number): string {
  const [hours, minutes, seconds] = [Math.floor(total / 3600), Math.floor(total / 60) % 60, total % 60];
  const tail = `${String(seconds).padStart(2, "0")}`;
  return hours ? `${hours}:${String(minutes).padStart(2, "0")}:${tail}` : `${minutes}:${tail}`;
}

function relative(): void {
  const now = Date.now() + skew;
  for (const each of document.querySelectorAll<HTMLTimeElement>("time[data-ago]")) {
    const seconds = Math.round((now - Date.parse(each.dateTime)) / 1000);
    if (Math.abs(seconds) > 14 * 86_400) continue;
    const text = span(Math.abs(seconds));
    const ahead = seconds < 0 && text !== "now";
    each.textContent = ahead ? `in ${text}` : text === "now" ? text : text + (each.dataset["ago"] ?? "");
  }
}

function span(seconds: number): string {
  if (seconds < 5) return "now";
  if (seconds < 90) return `${seconds}${thin}s`;
  if (seconds < 5400) return `${Math.floor(seconds / 60)}${thin}min`;
  if (seconds < 129_600) return `${Math.floor(seconds / 3600)}${thin}h`;
  return `${Math.round(seconds / 86_400)}${thin}d`;
}
