"""Find the cases in a folder on disk, without opening a file."""
