"""Boxes of the parts of a face aligned to FFHQ: left, top, right and bottom, in sides of the aligned face."""

Box = tuple[float, float, float, float]

LEFT_EYE: Box = (0.26, 0.39, 0.50, 0.55)
RIGHT_EYE: Box = (0.50, 0.39, 0.74, 0.55)
EYES: Box = (*LEFT_EYE[:2], *RIGHT_EYE[2:])
"""Both, and what is between them."""

MOUTH: Box = (0.33, 0.63, 0.67, 0.84)
"""With what is around it, which moves along."""

LIPS: Box = (0.36, 0.66, 0.64, 0.80)
"""The lips alone."""
