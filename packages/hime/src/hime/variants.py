"""The named sizes of HIME, and what the paper's Table 1 says about them."""

from typing import Literal, NamedTuple

from hime.network import HIME

Variant = Literal["small", "large", "lean"]


class TableRow(NamedTuple):
    """Size of a network in HIME, Table 1."""

    parameters: float
    """Parameters in millions."""
    macs: float
    """Multiply-accumulates in thousand millions, read as those with three references."""


TABLE_1: dict[tuple[Variant, int, int], TableRow] = {
    ("small", 32, 4): TableRow(0.87, 1.86),
    ("small", 64, 4): TableRow(0.87, 7.48),
    ("small", 16, 8): TableRow(0.90, 0.49),
    ("large", 32, 4): TableRow(9.23, 6.06),
    ("large", 64, 4): TableRow(9.23, 24.24),
    ("large", 16, 8): TableRow(9.26, 4.49),
}
"""Rows of Table 1 by variant, side of the input in pixels and magnification."""


def build_variant(variant: Variant, scale: int = 8) -> HIME:
    """Untrained network of a named size.

    Args:
        variant: ``small`` and ``large`` are the paper's; ``lean`` is the small one with an offset estimator a tenth
            the size, for tests and slow machines.

    Raises:
        ValueError: If the scale is smaller than two.

    Example:
        >>> sum(parameter.numel() for parameter in build_variant("small", 4).parameters())
        837387
    """
    if variant == "small":
        return HIME(scale)
    if variant == "large":
        return HIME(scale, alignment="flow_dcn")
    return HIME(scale, offset_channels=32, offset_layers=2)
