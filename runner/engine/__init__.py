"""The pure engine: what follows from an event. See `advance`, `events`, `commands`, `flowables`."""
