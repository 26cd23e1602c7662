"""Programs for people who work on Headrace; not installed."""
