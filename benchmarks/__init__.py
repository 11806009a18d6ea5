"""Measurements of quality, speed and memory; ``make benchmark`` runs them, `reporting` shows them.

A room holds what it measures: `hime` and `headsup` the tables of the papers, `faces` detection, recognition and seams,
`speed` time and memory, `curves` how the shipped weights were trained. `peers` is what others do, to compare with.
"""
