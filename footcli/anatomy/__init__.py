"""The parametric mean foot: each bone is a shape built from a table of measured sizes."""
