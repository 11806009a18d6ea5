"""Degradation of a batch on any device, one operation a file."""
