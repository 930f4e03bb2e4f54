"""Synthetic subjects: a parametric foot with disease as geometry -> case folders with truth."""
