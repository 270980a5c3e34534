"""The resources of the source, and what is due to be read of each."""
