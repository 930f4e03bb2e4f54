"""The data set's own files: annotations, clinical information, names."""
