"""Landmarks and masks -> measurements."""
