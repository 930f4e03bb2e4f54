"""The data set's file formats: annotations, clinical information, file names."""
