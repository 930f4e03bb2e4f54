"""The mean foot: each bone as a shape from a table of measured sizes."""
