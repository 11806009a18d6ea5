"""Headers that are read before anything else."""

import pytest
import torch

from faceops.images.errors import EmptyImageError, MissingImageError, NotAnImageError, TooLargeImageError
from faceops.images.files import Picture, save_picture
from faceops.images.memory_budget import memory_budget
from faceops.images.opening import check_any_opens, check_opens


@pytest.fixture
def files(tmp_path):
    """An image, an empty file, a text and nothing."""
    names = "image.png", "empty.png", "text.png", "missing.png"
    image, empty, text, missing = (tmp_path / name for name in names)
    save_picture(Picture(torch.zeros(3, 10, 20)), image)
    empty.touch()
    text.write_text("This is a text.")
    return image, empty, text, missing


def test_what_is_no_image_is_refused_for_its_own_reason(files):
    image, *others = files
    check_opens(image)
    for file, kind in zip(others, (EmptyImageError, NotAnImageError, MissingImageError), strict=True):
        for check in (check_opens, lambda single: check_any_opens([single])):
            with pytest.raises(kind, match=file.name):
                check(file)


def test_one_image_among_others_is_enough(files):
    image, *others = files
    check_any_opens([*others, image])
    with pytest.raises(ValueError, match=r"None of the 3 pictures can be read:\n.*empty\.png.*\n.*text\.png.*\n.*miss"):
        check_any_opens(others)
    check_any_opens([])


def test_the_memory_for_an_image_is_told_by_its_header(files):
    image, *_ = files
    with memory_budget(1e-6, bytes_per_pixel=5):
        check_opens(image)
    with memory_budget(1e-6, bytes_per_pixel=6), pytest.raises(TooLargeImageError, match="20 x 10"):
        check_opens(image)
