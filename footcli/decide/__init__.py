"""Measurements and boxes -> findings, by profiles of cut-offs."""
