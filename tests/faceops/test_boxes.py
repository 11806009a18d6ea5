"""Arithmetic of boxes that are not square, by hand."""

import pytest
import torch

from faceops.geometry.boxes import (
    areas,
    intersection_over_union,
    longer_sides,
    overlaps,
    rescaled_boxes,
    shares_inside,
)

WIDE, TALL, APART = (1.0, 2.0, 11.0, 6.0), (5.0, 0.0, 9.0, 7.0), (20.0, 30.0, 21.0, 33.0)
BOXES, OTHERS = torch.tensor([WIDE, TALL]), torch.tensor([TALL, WIDE, APART])


def test_sides_and_areas() -> None:
    assert areas(OTHERS).tolist() == [28, 40, 3]
    assert longer_sides(OTHERS).tolist() == [7, 10, 3]


def test_overlaps_in_both_directions_are_needed() -> None:
    """Boxes that lie apart both across and down have two negative sides, whose product is none."""
    assert overlaps(BOXES, OTHERS).tolist() == [[16, 40, 0], [28, 16, 0]]


def test_shares_are_of_the_first_boxes() -> None:
    assert shares_inside(BOXES, OTHERS).tolist() == [[pytest.approx(0.4), 1, 0], [1, pytest.approx(16 / 28), 0]]
    assert shares_inside(torch.tensor([[3.0, 3.0, 3.0, 3.0]]), BOXES).tolist() == [[0, 0]]


def test_common_area_counts_once_in_a_union() -> None:
    found = intersection_over_union(BOXES, OTHERS)
    torch.testing.assert_close(found, torch.tensor([[16 / 52, 1, 0], [1, 16 / 52, 0]]))


def test_convention_boxes_keep_to_the_corners_of_their_image() -> None:
    assert rescaled_boxes(BOXES, 2.0, 0.5).tolist() == [[2.5, 0.75, 22.5, 2.75], [10.5, -0.25, 18.5, 3.25]]
