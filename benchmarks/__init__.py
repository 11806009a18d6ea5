"""Measurements of speed and memory, each against the common way to do the same; run by ``make benchmark``."""
