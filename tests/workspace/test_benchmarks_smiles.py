"""Mouths told apart, on drawn ones."""

import pytest
import torch

from benchmarks.faces.smiles import Mouth, held_out_people, row, told


def mouth(width: float, reduced: dict[str, float]) -> Mouth:
    """A mouth that is `width` wider when it smiles."""

    def corners(wider: float) -> torch.Tensor:
        return torch.tensor([[-0.5 - wider / 2, 1.0], [0.5 + wider / 2, 1.0]])

    full = {"neutral": corners(0.0), "smiling": corners(width)}
    return Mouth(full, {(name, 100): corners(wider) for name, wider in reduced.items()})


def test_a_reduced_smile_is_told_by_the_nearer_photograph() -> None:
    assert told(mouth(0.4, {"neutral": 0.1, "smiling": 0.3})) == 2
    assert told(mouth(0.4, {"neutral": 0.3, "smiling": 0.3})) == 1
    assert told(mouth(0.0, {"neutral": 0.0, "smiling": 0.0})) == 0  # a mouth that never moves tells nothing


def test_moves_are_measured_along_another_detectors() -> None:
    own, other = mouth(0.4, {"neutral": 0.0, "smiling": 0.4}), mouth(0.2, {"neutral": 0.0, "smiling": 0.2})
    name, right, moves, off = row("own", [own], [other])
    assert (name, right) == ("own", 2)
    assert moves == pytest.approx(2.0)
    assert off == pytest.approx(100 * 0.1 / 2)  # neutral alike, each corner of the smile a tenth further


def test_people_are_held_out_with_both_expressions() -> None:
    people = held_out_people()
    assert "008" in people
    assert all(len(person) == 3 for person in people)
