"""Exemplar sets: photographs of one person, from index to data module."""
