"""The database: `open_store(url)` gives a `Store` (contract in `base`, tables in `schema`)."""
