import re
from pathlib import Path

import pytest
import torch

from faceops.geometry.alignment import alignment_matrix
from faceops.geometry.faces import Faces
from faceops.geometry.landmarks import FFHQ_512
from faceops.images.errors import ImageFileError
from faceops.images.files import Picture, load_picture, save_picture
from portraitdata.restoration.batches import collate, finish
from portraitdata.restoration.paired_images import PairedImages
from portraitdata.restoration.paired_layouts import LAYOUTS


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
    hq, lq = (place.replace("*", "first") for place in (layout.hq, layout.lq))
    for name in "ba":
        picture(tmp_path / hq / f"{name}{layout.hq_ending}.png", 32, 24)
        picture(tmp_path / lq / f"{name}{layout.lq_ending}.jpg", 8, 6)
    pairs = PairedImages(tmp_path)
    assert (pairs.layout, pairs.names, pairs.scale) == (layout, ["a", "b"], 4)
    truth, given = tmp_path / hq / f"a{layout.hq_ending}.png", tmp_path / lq / f"b{layout.lq_ending}.jpg"
    assert pairs[0].hq.equal(load_picture(truth).pixels.mul(255).round().byte())
    assert pairs[1].lq.equal(load_picture(given).pixels.mul(255).round().byte())


def test_realsr_has_two_cameras_and_other_folders(tmp_path):
    for place in ("Canon/Test/4/Canon_001", "Nikon/Test/4/Nikon_001", "Canon/Train/4/Canon_002"):
        picture(tmp_path / f"{place}_HR.png", 32, 24)
        picture(tmp_path / f"{place}_LR4.png", 8, 6)
    picture(tmp_path / "Canon/Test/2/Canon_003_HR.png", 32, 24)
    assert PairedImages(tmp_path).names == ["Canon_001", "Nikon_001"]
    (tmp_path / "Nikon/Test/4/Nikon_001_LR4.png").rename(tmp_path / "Nikon/Test/4/Canon_001_LR4.png")
    with pytest.raises(
        ValueError, match=r"Canon_001_LR4\.png and .*Canon_001_LR4\.png are of one pair, Canon_001; keep"
    ):
        PairedImages(tmp_path)
    (tmp_path / "Nikon/Test/4/Canon_001_LR4.png").unlink()
    with pytest.raises(ValueError, match=r"4 has no partner for 1 of 2 pictures of .*4: Nikon_001\."):
        PairedImages(tmp_path)


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


class Seeing:
    """A detector that finds a small and a large face in a picture that is not black."""

    def __init__(self) -> None:
        self.sizes: list[tuple[int, ...]] = []

    def __call__(self, images):
        self.sizes.append(tuple(images.shape))
        if not images.any():
            return Faces.none()
        points = torch.stack([FFHQ_512.scaled(side).tensor().float() + 2 for side in (8, 16)])
        points[1, 2] += 3  # a nose that does not fit
        boxes = torch.tensor([[2.0, 2.0, 9.0, 9.0], [2.0, 2.0, 17.0, 17.0]])
        return Faces(torch.zeros(2, dtype=torch.int64), boxes, points, torch.ones(2))


def test_a_reference_is_for_the_largest_face_of_the_truth(tmp_path):
    make_set(tmp_path, "hq", "lq")
    picture(tmp_path / "reference" / "b.png", 512, 512)
    detector = Seeing()
    pairs = PairedImages(tmp_path, detector=detector)
    assert pairs.has_references
    batch = finish(collate([pairs[0], pairs[1]]))
    assert detector.sizes == [(1, 3, 32, 24)]  # the truth of the picture that has one, and no other
    assert batch.referenced.tolist() == [-1, 1]
    assert batch.faces.image_index.tolist() == [1, 1]
    assert batch.mask[1, 0].nonzero().aminmax(dim=0).max.tolist() == [17, 17]
    assert not batch.mask[0].any()
    expected = alignment_matrix(batch.faces.landmarks.double(), estimator="lmeds").float()
    torch.testing.assert_close(batch.matrices, expected)


def test_a_reference_of_nobody_is_not_used_and_said_to_be(tmp_path):
    make_set(tmp_path, "hq", "lq", names=("a",))
    picture(tmp_path / "reference" / "a.png", 512, 512)
    save_picture(Picture(torch.zeros(3, 32, 24)), tmp_path / "hq" / "a.png")
    with pytest.warns(UserWarning, match=r"No face is found in .*a\.png, so its reference is for nobody"):
        item = PairedImages(tmp_path, detector=Seeing())[0]
    assert (item.referenced, len(item.faces)) == (-1, 0)


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
