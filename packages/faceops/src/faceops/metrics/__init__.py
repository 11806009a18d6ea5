"""Measures of restored portraits: pure functions that give a number for every face or image."""
