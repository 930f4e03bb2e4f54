"""Everything that is read from or written to an output folder."""
