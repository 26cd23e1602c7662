// On every page: htmx, menus and dialogs, ticking durations, live changes, keys.
import "htmx.org/dist/htmx.min.js";
import { startDialogs } from "./parts/dialogs";
import { startLive } from "./parts/live";
import { rememberZone, startTicking } from "./parts/time";

rememberZone();
startDialogs();
startTicking();
startLive();

// Keys come after everything else; those pressed before wait for them.
type Keys = { pressed: (event: KeyboardEvent) => void };
const here = new URL(import.meta.url);
const address = new URL(`./keys.js${here.search}`, here).href;
const keys: Promise<Keys> = new Promise((resolve) => setTimeout(() => resolve(import(address)), 0));
document.addEventListener("keydown", (event) => void keys.then(({ pressed }) => pressed(event)));
