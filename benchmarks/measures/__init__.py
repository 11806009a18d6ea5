"""Measures of restored pictures that the packages have not: sharpness, naturalness, where mouth and eyes are."""
