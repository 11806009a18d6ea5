import inspect
import math

import cv2
import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

from faceops.metrics.contour_bands import BANDS, SECTORS, STRIPS, ZONES, contour_bands, signed_distance
from faceops.metrics.seam_scores import excess, seam_scores
from faceops.metrics.seam_statistics import srgb_to_lab

SIDE = 192


def photograph(seed=0, side=SIDE):
    """Shades, outlines and grain at random: what a seam must be told from. (1, 3, side, side) in eight bits."""
    random = np.random.default_rng(seed)
    image = cv2.resize(random.uniform(0.25, 0.75, (5, 5, 3)), (side, side), interpolation=cv2.INTER_CUBIC)
    for _ in range(12):
        centre, radius = random.integers(0, side, 2).tolist(), int(random.integers(5, side // 6))
        cv2.circle(image, centre, radius, random.uniform(0.2, 0.8, 3).tolist(), -1, cv2.LINE_AA)
    image = cv2.GaussianBlur(image, (0, 0), 0.7) + random.normal(0, 0.012, image.shape)
    return eight_bits(torch.from_numpy(image).permute(2, 0, 1).float().unsqueeze(0))


def eight_bits(image):
    return (image.clamp(0, 1) * 255).round() / 255


def mask_of(kind, side=SIDE):
    hard = np.zeros((side, side), np.float32)
    if kind.startswith("square"):
        hard[side // 4 : -side // 4, side // 4 : -side // 4] = 1
    else:
        cv2.ellipse(hard, (side // 2, side // 2), (side // 5, side // 4), 0, 0, 360, 1, -1)
    soft = cv2.GaussianBlur(hard, (0, 0), 3) if kind.endswith("feathered") else hard
    return torch.from_numpy(soft)[None, None]


def boundary_artifact(images, masks, references=None):
    """Mean over the images that have a seam."""
    return seam_scores(images, masks, references).total.nanmean()


MASKS = ("square", "square feathered", "oval", "oval feathered")


def blurred(photo, strength):
    out = cv2.GaussianBlur(photo[0].permute(1, 2, 0).numpy(), (0, 0), 0.5 * strength)
    return torch.from_numpy(out).permute(2, 0, 1).unsqueeze(0)


def sharpened(photo, strength):
    return photo + 0.5 * strength * (photo - blurred(photo, 2))


def grainy(photo, strength):
    return photo + 0.012 * strength * torch.randn(photo.shape, generator=torch.Generator().manual_seed(9))


def without_grain(photo, strength):
    smooth = cv2.medianBlur((photo[0].permute(1, 2, 0).numpy() * 255).astype(np.uint8), 5)
    smooth = torch.from_numpy(smooth).permute(2, 0, 1).unsqueeze(0) / 255
    return photo + (smooth - photo) * strength / 4


def coloured(photo, strength):
    return photo + strength * 0.02 * torch.tensor([1.0, 0.0, -1.0]).reshape(3, 1, 1)


def brighter(photo, strength):
    return photo + strength * 0.02


def pasted(photo, mask, change, strength):
    return eight_bits(photo + mask * (change(photo, strength) - photo))


@pytest.mark.parametrize("kind", MASKS)
def test_an_untouched_photograph_scores_about_nothing(kind):
    scores = torch.stack([boundary_artifact(photograph(seed), mask_of(kind)) for seed in range(12)])
    assert scores.median() < 0.3
    assert scores.mean() < 0.5


@pytest.mark.parametrize("kind", MASKS)
@pytest.mark.parametrize("change", [blurred, sharpened, grainy, without_grain, coloured, brighter])
def test_grows_with_the_mismatch(kind, change):
    mask = mask_of(kind)
    means = [
        torch.stack([boundary_artifact(pasted(photograph(s), mask, change, x), mask) for s in range(4)]).mean().item()
        for x in (1, 2, 4)
    ]
    untouched = torch.stack([boundary_artifact(photograph(s), mask) for s in range(4)]).mean().item()
    assert means == sorted(means)
    assert means[-1] > untouched + 0.7


@pytest.mark.parametrize("kind", MASKS)
def test_with_the_photograph_as_reference_only_the_paste_counts(kind):
    mask, photo = mask_of(kind), photograph(3)
    assert boundary_artifact(photo, mask, photo) == 0
    scores = [boundary_artifact(pasted(photo, mask, blurred, x), mask, photo).item() for x in (1, 2, 4)]
    assert scores == sorted(scores)
    assert scores[0] > 0.5


@pytest.mark.assets
@pytest.mark.parametrize("name", ["usds_usgov/jordan-kasper.jpg", "usds_usgov/dave-methvin.jpg"])
def test_grows_from_an_untouched_portrait_to_a_bad_paste(assets, name):
    pixels = cv2.imread(str(assets / "images" / "portraits" / name))[..., ::-1]
    pixels = cv2.resize(pixels, (480, 480), interpolation=cv2.INTER_AREA).astype(np.float32) / 255
    photo, mask = torch.from_numpy(pixels).permute(2, 0, 1).unsqueeze(0), torch.zeros(1, 1, 480, 480)
    mask[:, :, 60:330, 100:370] = 1
    assert boundary_artifact(photo, mask) < 0.5
    for change in (blurred, coloured):
        scores = [boundary_artifact(pasted(photo, mask, change, strength), mask).item() for strength in (0.1, 2, 6)]
        assert scores == sorted(scores)
        assert scores[-1] > 1


def test_each_part_sees_its_own_mismatch():
    mask, photo = mask_of("square feathered"), photograph(1)
    blur, shift = (seam_scores(pasted(photo, mask, change, 4), mask, photo) for change in (blurred, coloured))
    assert blur.texture > 4 * max(blur.colour, blur.edge)
    assert shift.colour > 2 * max(shift.texture, shift.edge)
    hard = mask_of("square")
    moved = eight_bits(photo + hard * (photo.roll(5, dims=3) - photo))
    assert seam_scores(moved, hard).edge > 1


def test_a_change_of_the_whole_photograph_is_no_seam():
    mask, photo = mask_of("square"), photograph(2)
    for change in (blurred, coloured, brighter):
        assert boundary_artifact(eight_bits(change(photo, 2)), mask) < 0.3


def test_an_outline_along_the_mask_is_taken_for_a_seam_without_reference_only():
    mask = mask_of("oval")
    photo = eight_bits(photograph(4) + 0.15 * mask)  # a head that is lighter than what is behind it
    assert boundary_artifact(photo, mask) > 3
    assert boundary_artifact(photo, mask, photo) == 0


@settings(derandomize=True, deadline=None, max_examples=8)
@given(seed=st.integers(0, 100), turns=st.integers(1, 3), kind=st.sampled_from(MASKS))
def test_does_not_depend_on_what_is_up(seed, turns, kind):
    mask = mask_of(kind)
    image = pasted(photograph(seed), mask, blurred, 2)
    upright = seam_scores(image, mask).total
    turned = seam_scores(image.rot90(turns, (2, 3)), mask.rot90(turns, (2, 3))).total
    # The sectors meet pixels on their borders otherwise.
    torch.testing.assert_close(turned, upright, rtol=0.1, atol=0.1)


def test_a_batch_is_its_images():
    masks = torch.cat([mask_of(kind) for kind in MASKS])
    images = torch.cat([pasted(photograph(i), masks[i : i + 1], blurred, 2) for i in range(4)])
    together = seam_scores(images, masks).total
    single = torch.cat([seam_scores(images[i : i + 1], masks[i : i + 1]).total for i in range(4)])
    assert torch.equal(together, single)


def test_masks_without_a_contour_are_left_out():
    photo, masks = photograph(), torch.stack([torch.zeros(1, SIDE, SIDE), torch.ones(1, SIDE, SIDE)])
    assert boundary_artifact(photo.expand(2, -1, -1, -1), masks).isnan()
    mask = mask_of("square")
    image = pasted(photo, mask, blurred, 4)
    mixed = boundary_artifact(image.expand(3, -1, -1, -1), torch.cat((masks, mask)))
    assert torch.equal(mixed, boundary_artifact(image, mask))
    assert boundary_artifact(torch.rand(0, 3, 8, 8), torch.rand(0, 1, 8, 8)).isnan()


def test_a_face_cut_by_the_border_has_no_seam_there():
    mask = torch.zeros(1, 1, SIDE, SIDE)
    mask[:, :, : SIDE // 2, : SIDE // 2] = 1
    photo = photograph(5)
    assert boundary_artifact(photo, mask) < 0.5
    assert boundary_artifact(pasted(photo, mask, blurred, 4), mask) > 2


@pytest.mark.parametrize("size", [(1, 1), (1, 40), (3, 3), (9, 9), (40, 7)])
def test_tiny_images_give_a_number_or_none(size):
    mask = torch.zeros(1, 1, *size)
    mask[..., : (size[1] + 1) // 2] = 1
    score = boundary_artifact(torch.rand(1, 3, *size, generator=torch.Generator().manual_seed(0)), mask)
    assert score.isnan() or score >= 0


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float16, 0.05), (torch.float64, 1e-4)])
def test_takes_images_of_any_precision(dtype, tolerance):
    mask = mask_of("square feathered")
    image = pasted(photograph(), mask, blurred, 4)
    expected = boundary_artifact(image, mask)
    got = boundary_artifact(image.to(dtype), mask.to(dtype))
    assert got.dtype == torch.float32
    assert got.item() == pytest.approx(expected.item(), rel=tolerance)
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(boundary_artifact(image, mask), expected)


def test_takes_images_that_want_a_gradient_and_gives_none():
    mask = mask_of("square")
    assert not boundary_artifact(photograph().requires_grad_(), mask).requires_grad


def test_says_what_does_not_fit():
    images, mask = torch.rand(2, 3, 8, 9), torch.rand(1, 1, 8, 9)
    with pytest.raises(
        ValueError, match=r"one mask, and one reference if any, .* images \(2, 3, 8, 9\), \(1, 1, 8, 9\)"
    ):
        inspect.unwrap(seam_scores)(images, mask)


def test_distance_runs_from_the_line_between_the_pixels():
    mask = torch.zeros(9, 12)
    mask[3:6, 4:8] = 1
    distance = signed_distance(mask)
    assert distance[4, 3:9].tolist() == [-0.5, 0.5, 1.5, 1.5, 0.5, -0.5]
    assert distance[0, 5].item() == -2.5
    assert distance[1, 2].item() == pytest.approx(0.5 - math.hypot(2, 2))
    assert contour_bands(torch.zeros(4, 4)) is None


def test_convention_numbers_of_bands_zones_and_strips():
    mask = torch.zeros(200, 200)
    mask[50:150, 50:150] = 1
    contour = contour_bands(mask)
    window = contour.distance.shape
    sides = [torch.full(window, -1) for _ in range(3)]
    for i, labels in enumerate((contour.bands, contour.zones, contour.strips)):
        sides[i] = torch.where(labels >= 0, labels // SECTORS, -1)
    bands, zones, strips = sides
    assert set(bands.unique().tolist()) == {-1, *range(2 * BANDS)}
    near = contour.distance.abs() == 1.5  # the first pixel beyond the gap
    assert set(bands[near & (contour.distance > 0)].tolist()) == {0}
    assert set(bands[near & (contour.distance < 0)].tolist()) == {BANDS}
    assert set(zones[contour.distance.abs() < 1].tolist()) == {ZONES // 2}
    assert set(strips[contour.distance.abs() < 1].tolist()) == {STRIPS // 2}
    assert (zones[contour.distance == 3.5] == ZONES // 2 + 1).all()  # numbers rise towards the inside


def test_colours_are_those_of_scikit_image():
    from skimage.color import rgb2lab

    colours = torch.rand(3, 20, 20, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    colours[:, :5] *= 0.03
    expected = rgb2lab(colours.permute(1, 2, 0).numpy())
    np.testing.assert_allclose(srgb_to_lab(colours).permute(1, 2, 0).numpy(), expected, atol=0.01)


def test_excess_trusts_the_sectors_where_the_photograph_is_even():
    own = torch.zeros(1, 2, 32)
    own[..., :16] = 50 * torch.tensor([1.0, -1.0]).reshape(1, 2, 1)
    seam = torch.full((1, 32), 4.0)
    seam[:, :16] = 50 * (-1.0) ** torch.arange(16)
    assert excess(seam, own, unit=1.0).item() == pytest.approx(4, rel=0.1)
    assert excess(seam, own.fill_(50), unit=1.0).item() == 0
    assert excess(torch.full((1, 32), math.nan), own, unit=1.0).item() == 0


@pytest.mark.gpu
def test_is_the_same_on_a_gpu():
    mask = mask_of("square feathered")
    image = pasted(photograph(), mask, blurred, 4)
    found = boundary_artifact(image.cuda(), mask.cuda(), photograph().cuda())
    torch.testing.assert_close(found.cpu(), boundary_artifact(image, mask, photograph()), rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("softness", [1, 9])
def test_distances_are_those_of_the_whole_image(softness):
    mask = torch.zeros(1, 1, 400, 600)
    mask[..., 60:130, 500:600] = 1
    mask = F.avg_pool2d(mask, softness, 1, softness // 2)[0, 0]
    contour, whole = contour_bands(mask), signed_distance(mask)
    assert contour is not None
    assert torch.allclose(contour.distance, whole[contour.rows, contour.columns], atol=1e-3)
    labelled = (contour.bands >= 0) | (contour.zones >= 0) | (contour.strips >= 0)
    farthest = contour.distance[labelled].abs().max()
    inside = torch.zeros_like(mask, dtype=torch.bool)
    inside[contour.rows, contour.columns] = True
    assert inside[whole.abs() <= farthest].all()
    assert inside.float().mean() < 0.9
