"""Changes of open pages: one stream a page, with parts of HTML that replace those of the same id.

    /events?topics=head%0Aexecutions:NEWEST:QUERY%0Aexecution:ID:VERSION:TAB:TASK%0Alog:ID:RUN

A look at the rows is shared: whoever asks for a topic within a moment of another gets its answer.
"""

from __future__ import annotations

from contextlib import ExitStack

from flask import Response, request, stream_with_context

from web.auth import needs
from web.context import web
from web.pages.following import frames, topics_of
from web.pages.site import bp

READ = "executions:read"


@bp.get("/events")
@needs(READ)
def events() -> Response:
    """Stream what changes on a page."""
    slot = ExitStack()
    slot.enter_context(web().streams.slot())
    topics = topics_of(request.args.get("topics", ""))
    response = Response(
        stream_with_context(frames(topics)),
        content_type="text/event-stream",
        headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"},
    )
    response.call_on_close(slot.close)
    return response
