"""Reading and writing of output folders."""
