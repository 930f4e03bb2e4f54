"""Training of the networks on drawn subjects.

The only room that imports torch; only the command line imports it.
"""
