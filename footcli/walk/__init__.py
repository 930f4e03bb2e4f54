"""A folder on disk -> the cases in it; never opens a file."""
