"""A made-up agency: its story, and a maker for each kind of record, past and present."""
