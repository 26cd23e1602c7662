"""Git sync: what a commit says becomes revisions, runs and files."""
