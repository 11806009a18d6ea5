"""Weights files: reading, export, merging, model cards and the shipped weights beside them."""
