"""The order of a case, and many cases."""
