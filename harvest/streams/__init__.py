"""The resources of the source: what dlt is told of each stream, and what is due of it."""
