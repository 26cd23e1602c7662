// On pages with a log.
import { append, startLog } from "./parts/log";

startLog();
document.addEventListener("headrace:lines", (event) => append((event as CustomEvent<string>).detail));
