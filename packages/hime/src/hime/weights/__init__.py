"""Weights files: reading, export, model cards and the shipped weights beside them."""
