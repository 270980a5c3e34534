"""Rules without input and output: in milliseconds, by tables."""
