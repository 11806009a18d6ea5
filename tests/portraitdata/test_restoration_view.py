"""Geometry of views: what is drawn into a photograph is found again where the view says."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from faceops.geometry.faces import Faces
from faceops.geometry.similarity import apply
from faceops.images.files import Picture, save_picture
from portraitdata.exemplars.photograph_crops import Square
from portraitdata.restoration.face_masks import at_latent_resolution, box_masks
from portraitdata.restoration.index.portrait_index import PortraitIndex
from portraitdata.restoration.index.synthetic_index import write_synthetic_portrait_index
from portraitdata.restoration.photograph_windows import PhotographWindows
from portraitdata.restoration.view import View, any_window, face_window

UNIT = st.floats(0, 1)


def face(landmarks: list[list[float]], box: tuple[float, float, float, float] = (0, 0, 9, 9)) -> Faces:
    return Faces(torch.tensor([0]), torch.tensor([box]).float(), torch.tensor([landmarks]).float(), torch.ones(1))


@st.composite
def views(draw: st.DrawFn) -> View:
    size = draw(st.integers(8, 64))
    window = Square(draw(st.integers(0, 50)), draw(st.integers(0, 50)), draw(st.integers(8, 100)))
    return View(window, size, draw(st.booleans()))


POINTS = st.lists(st.lists(st.floats(-20, 180), min_size=2, max_size=2), min_size=5, max_size=5)


@settings(deadline=None)
@given(views(), POINTS)
def test_points_keep_their_place_in_the_window(view, points):
    """Shares of the window's side, measured from its outer edges, do not change; mirrored they count from the right."""
    seen = view.faces(face(points)).landmarks[0].double()
    corner = torch.tensor([view.window.left, view.window.top])
    wanted = (torch.tensor(points).double() - corner + 0.5) / view.window.side
    if view.flipped:
        wanted = wanted[[1, 0, 2, 4, 3]]  # left and right eye, left and right corner of the mouth
        wanted[:, 0] = 1 - wanted[:, 0]
    torch.testing.assert_close((seen + 0.5) / view.size, wanted, rtol=0, atol=1e-4)


@settings(deadline=None)
@given(views(), POINTS, st.floats(0.2, 4), st.floats(-3, 3), UNIT)
def test_faces_of_a_view_are_aligned_as_those_of_the_photograph(view, points, scale, angle, shift):
    """By the same matrix: every point comes to the same place of the aligned face, mirrored with the view."""
    cosine, sine = scale * np.cos(angle), scale * np.sin(angle)
    stored = torch.tensor([[[cosine, -sine, 100 * shift], [sine, cosine, -50 * shift]]], dtype=torch.float64)
    seen = view.faces(face(points)).landmarks.double()
    found = apply(view.matrices(stored, 64), seen)
    wanted = apply(stored, torch.tensor([points], dtype=torch.float64))
    if view.flipped:
        wanted = wanted[:, [1, 0, 2, 4, 3]]
        wanted[..., 0] = 63 - wanted[..., 0]
    torch.testing.assert_close(found, wanted, rtol=0, atol=2e-2)


@settings(deadline=None)
@given(views(), POINTS)
def test_mirroring_twice_changes_nothing(view, points):
    plain, flipped = view._replace(flipped=False), view._replace(flipped=True)
    whole = View(Square(0, 0, view.size), view.size, True)
    again = whole.faces(flipped.faces(face(points, (1, 2, 30, 40))))
    torch.testing.assert_close(again.landmarks, plain.faces(face(points)).landmarks, rtol=0, atol=1e-3)
    torch.testing.assert_close(again.boxes, plain.faces(face(points, (1, 2, 30, 40))).boxes, rtol=0, atol=1e-3)


@settings(deadline=None)
@given(views(), POINTS)
def test_boxes_stay_boxes_and_eyes_their_distance(view, points):
    before = face(points, (10, 20, 40, 70))
    after = view.faces(before)
    width, height = (after.boxes[0, 2:] - after.boxes[0, :2]).tolist()
    assert (width, height) == (pytest.approx(30 * view.scale, abs=1e-3), pytest.approx(50 * view.scale, abs=1e-3))
    torch.testing.assert_close(after.eye_distance(), before.eye_distance() * view.scale, rtol=1e-4, atol=1e-3)


@pytest.mark.parametrize("flipped", [False, True])
@pytest.mark.parametrize("size", [50, 100, 160])
def test_pixels_go_where_landmarks_go(tmp_path, size, flipped):
    """A ramp in x and in y: what the view shows at a landmark is the landmark's place in the photograph."""
    y, x = torch.meshgrid(torch.arange(200.0), torch.arange(240.0), indexing="ij")
    save_picture(Picture(torch.stack([x, y, x + y]) / 255), tmp_path / "ramp.png")
    index = one_photograph(tmp_path, "ramp.png", 240, 200)
    view = View(Square(40, 70, 100), size, flipped)
    pixels = torch.from_numpy(PhotographWindows(index).view(0, view)).float()
    points = [[90.0, 60.0], [140.0, 65.0], [115.0, 90.0], [95.0, 120.0], [135.0, 118.0]]
    landmarks = view.faces(face(points)).landmarks[0]
    grid = (landmarks + 0.5) / size * 2 - 1
    shown = torch.nn.functional.grid_sample(pixels[None, :2], grid[None, None], align_corners=False)[0, :, 0].T
    wanted = torch.tensor(points)
    if flipped:
        assert landmarks[0, 0] < landmarks[1, 0]  # the left eye is on the left again
        wanted = wanted[[1, 0, 2, 4, 3]]
    torch.testing.assert_close(shown, wanted, rtol=0, atol=0.75)  # the photograph is rounded to whole levels


def one_photograph(folder, name: str, width: int, height: int) -> PortraitIndex:
    import pyarrow as pa

    size = (folder / name).stat().st_size
    row = {"uid": "x", "path": name, "archive": None, "offset": 0, "size": size, "width": width, "height": height}
    return PortraitIndex(folder, pa.Table.from_pylist([row | {"split": "train"}]))


@settings(max_examples=300, deadline=None)
@given(
    st.integers(8, 300),
    st.integers(8, 300),
    UNIT,
    UNIT,
    UNIT,
    st.floats(-40, 300),
    st.floats(-40, 300),
    st.floats(1, 200),
)
def test_windows_contain_the_face_or_lie_in_it(height, width, share, down, right, left, top, length):
    side = max(1, round(min(height, width) * share))
    box = (left, top, left + length, top + length)
    window = face_window(height, width, side, box, (down, right))
    assert 0 <= window.top <= height - side
    assert 0 <= window.left <= width - side
    for start, first, last, limit in (
        (window.left, left, left + length, width),
        (window.top, top, top + length, height),
    ):
        first, last = max(first, 0), min(last, limit - 1)
        if last < first:
            continue  # the face is outside
        if last - first + 1 <= side - 1:  # within a pixel: windows start at whole pixels
            assert start <= first + 1
            assert start + side - 1 >= last - 1
        elif last - first + 1 >= side + 1:
            assert first - 1 <= start
            assert start + side - 1 <= last + 1


def test_windows_are_spread_over_all_that_are_possible():
    draws = np.random.default_rng(0).random((4000, 2))
    around = {face_window(40, 60, 20, (30.0, 10.0, 39.0, 19.0), tuple(at)).left for at in draws.tolist()}
    assert around == set(range(20, 31))
    anywhere = [any_window(24, 22, 20, tuple(at)) for at in draws.tolist()]
    assert {window.top for window in anywhere} == set(range(5))
    assert np.bincount([window.left for window in anywhere]).tolist() == pytest.approx([4000 / 3] * 3, rel=0.1)
    assert any_window(24, 22, 20, (1.0, 1.0)) == Square(4, 2, 20)


def test_faces_are_visible_with_all_landmarks():
    inside = [[1.0, 1.0], [5.0, 1.0], [3.0, 3.0], [1.0, 6.0], [5.0, 6.0]]
    outside = [*inside[:4], [7.6, 6.0]]
    both = Faces.concatenate([face(inside), face(outside), face([*inside[:4], [7.4, 6.0]])])
    assert View(Square(0, 0, 8), 8, False).visible(both).tolist() == [True, False, True]


def test_masks_are_boxes_of_those_present():
    boxes = torch.tensor([[2.0, 1.0, 4.0, 2.5], [0.0, 0.0, 9.0, 9.0], [-5.0, -5.0, 0.4, 50.0]])
    masks = box_masks(boxes, torch.tensor([True, False, True]), 4, 6)
    assert masks.shape == (3, 1, 4, 6)
    assert masks[0, 0].nonzero().tolist() == [[y, x] for y in (1, 2) for x in (2, 3, 4)]
    assert not masks[1].any()
    assert masks[2, 0].nonzero().tolist() == [[y, 0] for y in range(4)]


def test_latent_masks():
    masks = torch.zeros(3, 1, 16, 24, dtype=torch.bool)
    masks[0, :, :8, :12] = True  # half of the second column
    masks[1, :, 1:3, 9:11] = True  # four pixels of one latent pixel
    latent = at_latent_resolution(masks)
    assert latent[:, 0].tolist() == [[[1, 1, 0], [0, 0, 0]], [[0, 1, 0], [0, 0, 0]], [[0, 0, 0], [0, 0, 0]]]
    with pytest.raises(ValueError, match="Masks of 16 x 20 pixels are no multiple of the 8 pixels"):
        at_latent_resolution(masks[..., :20])


@pytest.mark.parametrize("size", [400, 1000, 1600])  # enlarged, reduced by 2, by 3.2
def test_reference_is_the_aligned_face(tmp_path, size):
    """The crop from a part of the photograph equals the one from all of it."""
    from faceops.geometry.alignment import align
    from faceops.images.files import load_picture

    index = PortraitIndex.read(
        write_synthetic_portrait_index(tmp_path, people=2, portraits=2, size=size, suffix=".jpg")
    )
    crops = PhotographWindows(index)
    for number in range(4 if size == 400 else 1):
        whole = load_picture(tmp_path / index.photograph(number).path).pixels.unsqueeze(0)
        wanted = align(whole, index.geometry(index.faces_of(number))).crops[0] * 255
        ours = torch.from_numpy(crops.aligned_face(number, False)).float()
        assert (ours - wanted).abs().max() < 1.0
        mirrored = torch.from_numpy(crops.aligned_face(number, True))
        assert mirrored.flip(-1).float().equal(ours)


def test_large_faces_are_low_passed(tmp_path):
    """A chequerboard of single pixels, reduced by four, is grey; without a low-pass it would be a pattern."""
    import pyarrow as pa

    board = (torch.arange(2100)[:, None] + torch.arange(2100)[None, :]) % 2
    save_picture(Picture(board.float().expand(3, -1, -1)), tmp_path / "board.png")
    plain = one_photograph(tmp_path, "board.png", 2100, 2100)
    row = {"uid": "x", "number": 0, "box": [0] * 4, "score": 1.0, "landmarks": [0] * 10, "eye_distance": 504.0}
    table = pa.Table.from_pylist([row | {"matrix": [0.25, 0, -3.3, 0, 0.25, -1.1]}])
    crop = PhotographWindows(PortraitIndex(tmp_path, plain.images, table.cast(schema()))).aligned_face(0, False)
    assert np.abs(crop[:, 8:-8, 8:-8].astype(int) - 127).max() <= 2


def schema():
    import pyarrow as pa

    from portraitdata.restoration.index.schemas import FACES

    return pa.schema(
        [FACES.field(name) for name in ("uid", "number", "box", "score", "landmarks", "eye_distance", "matrix")]
    )
