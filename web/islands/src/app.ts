// On every page: htmx, menus and dialogs, ticking durations, live changes; keys once one is pressed.
import "htmx.org/dist/htmx.min.js";
import { startDialogs } from "./parts/dialogs";
import { startLive } from "./parts/live";
import { rememberZone, startTicking } from "./parts/time";

rememberZone();
startDialogs();
startTicking();
startLive();

const keys = new URL("./keys.js", import.meta.url).href;
document.addEventListener("keydown", (event) => {
  if (["Shift", "Control", "Alt", "Meta", "Tab"].includes(event.key)) return;
  void import(keys).then(({ pressed }: { pressed: (event: KeyboardEvent) => void }) => pressed(event));
});
