"""Analysis of one case, step by step, and of many cases."""
