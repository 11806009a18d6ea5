import re
from pathlib import Path

import pytest
import torch

from faceops.images.errors import ImageFileError
from faceops.images.files import Picture, load_picture, save_picture
from portraitdata.restoration.batches import collate, finish
from portraitdata.restoration.paired_images import LAYOUTS, PairedImages


def picture(path: Path, height: int, width: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    save_picture(Picture(torch.rand(3, height, width).mul(255).round().div(255)), path)


def make_set(folder: Path, hq: str = "gt", lq: str = "lq", names: tuple[str, ...] = ("b", "a"), scale: int = 4) -> Path:
    for name in names:
        picture(folder / hq / f"{name}.png", 8 * scale, 6 * scale)
        picture(folder / lq / f"{name}.jpg", 8, 6)
    return folder


@pytest.mark.parametrize("layout", LAYOUTS, ids=lambda layout: layout.name)
def test_layouts_are_recognised(tmp_path, layout):
    pairs = PairedImages(make_set(tmp_path, layout.hq, layout.lq))
    assert (pairs.layout, pairs.names, pairs.scale) == (layout, ["a", "b"], 4)
    assert pairs[0].hq.equal(load_picture(tmp_path / layout.hq / "a.png").pixels.mul(255).round().byte())
    assert pairs[1].lq.equal(load_picture(tmp_path / layout.lq / "b.jpg").pixels.mul(255).round().byte())


def test_sizes_may_be_equal(tmp_path):
    assert PairedImages(make_set(tmp_path, scale=1)).scale == 1


def test_folders_may_be_named(tmp_path):
    pairs = PairedImages(make_set(tmp_path, "truth", "input"), hq="truth", lq="input")
    assert len(pairs) == 2
    with pytest.raises(ValueError, match="named together or not at all, got 'truth' and None"):
        PairedImages(tmp_path, hq="truth")


def test_some_have_a_reference(tmp_path):
    make_set(tmp_path, "hq", "lq")
    picture(tmp_path / "reference" / "b.png", 512, 512)
    pairs = PairedImages(tmp_path)
    batch = finish(collate([pairs[0], pairs[1]]))
    assert batch.present.tolist() == [False, True]
    assert batch.reference[1].equal(load_picture(tmp_path / "reference" / "b.png").pixels)
    assert (len(batch.faces), batch.referenced.tolist(), batch.mask.any().item()) == (0, [-1, -1], False)
    assert batch.lq.shape == (2, 3, 8, 6)


def test_a_reference_must_be_aligned(tmp_path):
    make_set(tmp_path, "hq", "lq")
    picture(tmp_path / "reference" / "a.png", 100, 80)
    with pytest.raises(ValueError, match=r"a\.png has 80 x 100 pixels; a reference is a face of 512 x 512 aligned"):
        PairedImages(tmp_path)[0]


def test_what_is_no_test_set(tmp_path):
    with pytest.raises(FileNotFoundError, match="There is no folder"):
        PairedImages(tmp_path / "absent")
    (tmp_path / "images").mkdir()
    with pytest.raises(
        ValueError, match="no test set that is recognised: it has the folders images, wanted were gt and lq"
    ):
        PairedImages(tmp_path)
    for name in ("gt", "hq", "lq"):
        (tmp_path / name).mkdir()
    with pytest.raises(ValueError, match="folders of several layouts, gt/lq and hq/lq; name the two"):
        PairedImages(tmp_path)
    with pytest.raises(ValueError, match=re.escape(f"There are no pictures in {tmp_path / 'gt'}.")):
        PairedImages(tmp_path, hq="gt", lq="lq")
    with pytest.raises(FileNotFoundError, match=r"There is no folder .*reference"):
        PairedImages(make_set(tmp_path), hq="gt", lq="lq", reference="reference")


def test_partners_must_be_there(tmp_path):
    picture(make_set(tmp_path) / "gt" / "c.png", 32, 24)
    with pytest.raises(ValueError, match=r"lq has no partner for 1 of 3 pictures of .*gt: c\."):
        PairedImages(tmp_path)
    (tmp_path / "gt" / "c.png").rename(tmp_path / "lq" / "d.png")
    with pytest.raises(ValueError, match=r"gt has no partner for 1 of 3 pictures of .*lq: d\."):
        PairedImages(tmp_path)
    (tmp_path / "lq" / "d.png").rename(tmp_path / "lq" / "a.png")
    with pytest.raises(ValueError, match="which have one name; keep one of them"):
        PairedImages(tmp_path)


def test_sizes_must_fit(tmp_path):
    make_set(tmp_path, names=("a",))
    picture(tmp_path / "gt" / "b.png", 16, 12)
    picture(tmp_path / "lq" / "b.png", 8, 6)
    with pytest.raises(
        ValueError,
        match="The pair b does not fit: 12 x 16 pixels in gt, 6 x 8 in lq; the truth must be 4 times as large",
    ):
        PairedImages(tmp_path)
    with pytest.raises(ValueError, match=r"The pair a does not fit: .* must be 2 times as large"):
        PairedImages(tmp_path, scale=2)


def test_damaged_pictures_are_named(tmp_path):
    (make_set(tmp_path) / "gt" / "a.png").write_bytes(b"")
    with pytest.raises(ImageFileError, match=r"a\.png is empty"):
        PairedImages(tmp_path)
