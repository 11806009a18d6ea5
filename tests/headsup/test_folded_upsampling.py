"""A doubling folded into its convolution gives what diffusers' own gives, gradients and whole restorations included."""

import copy
import sys
from collections.abc import Callable

import pytest
import torch
from diffusers.models.upsampling import Upsample2D
from torch import Tensor, nn

from faceops.images.files import Picture
from headsup.restoring.options import RestoreOptions
from headsup.restoring.photo_restorer import PhotoRestorer
from headsup.tiling.folded_upsampling import FoldedUpsampling, convolve_doubled, fold_upsampling, is_foldable
from headsup.tiling.memory import FIXED, GB, decode_bytes, weight_bytes


@pytest.fixture
def plain() -> Upsample2D:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return Upsample2D(6, use_conv=True, out_channels=5)


def random(*size: int, dtype: torch.dtype = torch.float32) -> Tensor:
    return torch.randn(*size, generator=torch.Generator().manual_seed(1), dtype=torch.float64).to(dtype)


@pytest.mark.parametrize(
    ("dtype", "tolerance"), [(torch.float32, 2e-6), (torch.float64, 1e-14), (torch.bfloat16, 0.03)]
)
@pytest.mark.parametrize("size", [(1, 1), (1, 6), (7, 5), (8, 9)])
@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_it_equals_the_plain_way(
    plain: Upsample2D, dtype: torch.dtype, tolerance: float, size: tuple[int, int], layout: torch.memory_format
) -> None:
    plain = plain.to(dtype).to(memory_format=layout)
    x = random(2, 6, *size, dtype=dtype).contiguous(memory_format=layout)
    with torch.no_grad():
        ours, theirs = convolve_doubled(x, plain.conv.weight, plain.conv.bias), plain(x)
    assert ours.dtype == dtype
    assert ours.is_contiguous(memory_format=layout)
    torch.testing.assert_close(ours, theirs, rtol=0, atol=tolerance)


def test_its_gradients_are_those_of_differences() -> None:
    x, weight, bias = (
        random(*size, dtype=torch.float64).requires_grad_() for size in ((2, 2, 3, 2), (3, 2, 3, 3), (3,))
    )
    assert torch.autograd.gradcheck(convolve_doubled, (x, weight, bias))


@pytest.mark.parametrize(("size", "output_size"), [((70, 61), None), ((70, 61), (140, 122)), ((70, 61), (139, 121))])
def test_the_module_gives_any_size_that_diffusers_asks_for(
    plain: Upsample2D, size: tuple[int, int], output_size: tuple[int, int] | None
) -> None:
    x = random(1, 6, *size)
    with torch.no_grad():
        torch.testing.assert_close(FoldedUpsampling(plain)(x, output_size), plain(x, output_size), rtol=0, atol=2e-6)


class Halved(nn.Module):
    """Stands for an adapter around a convolution."""

    def __init__(self, inner: nn.Conv2d) -> None:
        super().__init__()
        self.inner, self.weight, self.bias = inner, inner.weight, inner.bias

    def forward(self, x: Tensor) -> Tensor:
        return self.inner(x) / 2


def test_what_is_put_around_the_convolution_counts(plain: Upsample2D) -> None:
    x = random(1, 6, 64, 64)
    ours = FoldedUpsampling(plain)
    before = ours(x)
    ours.conv = Halved(plain.conv)
    torch.testing.assert_close(ours(x), before / 2, rtol=0, atol=2e-6)


@pytest.mark.parametrize(
    "other",
    [
        lambda: Upsample2D(4, use_conv=False),
        lambda: Upsample2D(4, use_conv_transpose=True),
        lambda: Upsample2D(4, use_conv=True, kernel_size=5, padding=2),
        lambda: Upsample2D(4, use_conv=True, interpolate=False),
        lambda: Upsample2D(4, use_conv=True, name="Conv2d_0"),
        lambda: nn.Conv2d(4, 4, 3),
    ],
)
def test_other_modules_stay_as_they_are(other: Callable[[], nn.Module]) -> None:
    network = nn.Sequential(other())
    first = network[0]
    assert not is_foldable(first)
    fold_upsampling(network)
    assert network[0] is first


@pytest.mark.parametrize(("weights", "room"), [("tiny", None), ("tiny", 20e6), ("guided", None)])
def test_a_whole_restoration_is_the_same(weights: str, room: float | None) -> None:
    ours = PhotoRestorer.load(weights)
    memory = None
    if room is not None:
        assert decode_bytes(ours.restorer.vae, 1, 384, 320) > FIXED + room, "it runs in tiles"
        memory = (FIXED + room + weight_bytes(ours.restorer)) / GB
    plain = copy.deepcopy(ours)
    for restorer, pixels in ((ours, 0), (plain, sys.maxsize)):
        places = [each for each in restorer.restorer.modules() if isinstance(each, FoldedUpsampling)]
        assert len(places) == 4, "two of the denoiser and two of the decoder"
        for each in places:
            each.LEAST_PIXELS = pixels
    picture, options = Picture(random(3, 96, 80).sigmoid()), RestoreOptions(scale=4.0, memory=memory)
    result, wanted = (each(picture, options).picture.pixels for each in (ours, plain))
    torch.testing.assert_close(result, wanted, rtol=0, atol=1e-4)
    assert not torch.equal(result, wanted), "one folds, the other does not"


def test_names_and_values_of_weights_stay(plain: Upsample2D) -> None:
    network = nn.Sequential(nn.Sequential(plain))
    before = network.state_dict()
    fold_upsampling(network)
    assert isinstance(network.get_submodule("0.0"), FoldedUpsampling)
    after = network.state_dict()
    assert list(after) == list(before)
    assert all(after[name].data_ptr() == before[name].data_ptr() for name in before)
