"""Sizes that are asked for."""

import pytest

from headsup.restoring.options import RestoreOptions, parse_size


def test_sizes() -> None:
    assert RestoreOptions(scale=2.5).target(11, 20) == (28, 50)
    assert RestoreOptions(size=parse_size("30X20")).target(11, 20) == (20, 30)
    with pytest.raises(ValueError, match="such as 1600x1200; got '10'"):
        parse_size("10")
    with pytest.raises(ValueError, match="at least 1 x 1"):
        RestoreOptions(size=(0, 5))
    with pytest.raises(ValueError, match="from 0 to 1023 pixels, got 1024"):
        RestoreOptions(overlap=1024)
    with pytest.raises(ValueError, match="at least 1 pixel, got 0"):
        RestoreOptions(tile=0)
