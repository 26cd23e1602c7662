// On every page: htmx, and its extension for server-sent events.
import "htmx.org";
import "htmx-ext-sse";
