"""Tiles of an autoencoder give what it gives in one piece, within a stated memory."""

import subprocess
import sys
import weakref
from collections.abc import Callable
from functools import cache
from itertools import pairwise

import pytest
import torch
from diffusers import AutoencoderKL, UNet2DConditionModel
from peft import LoraConfig
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from headsup.model import autoencoder
from headsup.model.adapters import encoder_targets
from headsup.model.autoencoder import network_input, patch_side
from headsup.model.backbone import Architecture, description
from headsup.model.guidance import Guidance
from headsup.tiling.chain import Segment, decoder_chain, decoder_start, encoder_chain, encoder_end
from headsup.tiling.memory import FIXED, decode_bytes, denoise_bytes, encode_bytes, fit_latent_tiles, weight_bytes
from headsup.tiling.route import Leg, best_route, least_memory, leg_of
from headsup.tiling.tiled_autoencoder import PooledNorm, decode, encode, run_route
from headsup.tiling.tiled_guidance import decode_guided

TOLERANCE = 5e-5
"""Of latents and of pictures with a range of two; rounding alone gives 2e-5."""


@cache
def random_vae(architecture: Architecture, lora: bool = False) -> AutoencoderKL:
    """Random weights, group norms not the identity: an error in them then shows."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        vae = AutoencoderKL.from_config(description(architecture, "vae")).eval().requires_grad_(False)
        for norm in (module for module in vae.modules() if isinstance(module, nn.GroupNorm)):
            norm.weight.normal_(1, 0.3)
            norm.bias.normal_(0, 0.3)
        if lora:
            vae.add_adapter(LoraConfig(r=4, lora_alpha=8, init_lora_weights=False, target_modules=encoder_targets(vae)))
    return vae


def every_segment(chain: list[Segment], tile: int) -> list[Leg]:
    return [Leg(i, i + 1, tile, 0, 0.0) for i in range(len(chain))]


def in_blocks(chain: list[Segment], tile: int) -> list[Leg]:
    """Legs of five segments: group norms within, maps in the middle of residual blocks between."""
    cuts = [*range(0, len(chain), 5), len(chain)]
    return [Leg(a, b, tile, 0, 0.0) for a, b in pairwise(cuts)]


@pytest.mark.parametrize(
    ("architecture", "height", "width", "tile", "route"),
    [
        ("tiny", 88, 56, 16, every_segment),
        ("tiny", 88, 56, 9, in_blocks),
        ("tiny", 8, 8, 3, in_blocks),
        ("sd21", 48, 32, 16, every_segment),
        ("sd21", 48, 32, 16, in_blocks),
    ],
)
@torch.no_grad()
def test_tiles_equal_one_piece(
    architecture: Architecture, height: int, width: int, tile: int, route: Callable[[list[Segment], int], list[Leg]]
) -> None:
    vae = random_vae(architecture)
    images = torch.rand(1, 3, height, width, generator=torch.Generator().manual_seed(1))
    x = network_input(vae, images)
    chain = encoder_chain(vae)
    moments = encoder_end(vae, run_route(chain, route(chain, tile), x))
    torch.testing.assert_close(moments, vae.encode(x).latent_dist.parameters, atol=TOLERANCE, rtol=0)

    z = torch.randn(1, vae.config.latent_channels, height // 8, width // 8, generator=torch.Generator().manual_seed(2))
    chain = decoder_chain(vae)
    picture = run_route(chain, route(chain, tile), decoder_start(vae, z))
    torch.testing.assert_close(picture, vae.decode(z).sample, atol=TOLERANCE, rtol=0)


@torch.no_grad()
def test_adapters_of_the_encoder_count() -> None:
    vae, plain = random_vae("tiny", lora=True), random_vae("tiny")
    x = network_input(vae, torch.rand(1, 3, 64, 48, generator=torch.Generator().manual_seed(1)))
    chain = encoder_chain(vae)
    moments = encoder_end(vae, run_route(chain, in_blocks(chain, 12), x))
    torch.testing.assert_close(moments, vae.encode(x).latent_dist.parameters, atol=TOLERANCE, rtol=TOLERANCE)
    assert (moments - plain.encode(x).latent_dist.parameters).abs().max() > 0.1


@torch.no_grad()
def test_own_statistics_of_every_tile_are_far_off() -> None:
    """What diffusers does in tiles, as the size of the error that is avoided."""
    vae = random_vae("tiny")
    z = torch.randn(1, vae.config.latent_channels, 24, 24, generator=torch.Generator().manual_seed(3))
    z[..., 12:, :] *= 0.2  # a picture whose parts differ
    whole = vae.decode(z).sample
    chain = decoder_chain(vae)
    exact = run_route(chain, in_blocks(chain, 48), decoder_start(vae, z))
    vae.enable_tiling()
    vae.tile_latent_min_size, vae.tile_sample_min_size = 16, 16 * 2 ** (len(vae.config.block_out_channels) - 1)
    blended = vae.decode(z).sample
    vae.disable_tiling()
    error, peer = (exact - whole).abs().mean(), (blended - whole).abs().mean()
    assert error < 1e-5
    assert peer > 1e-2


@pytest.mark.parametrize("offset", [0.0, 1000.0])
def test_pooled_norm_is_group_norm(offset: float) -> None:
    torch.manual_seed(0)
    norm = nn.GroupNorm(4, 8, eps=1e-6).requires_grad_(False)
    norm.weight.normal_()
    norm.bias.normal_()
    x = torch.randn(2, 8, 13, 9) * torch.rand(8, 1, 1) + offset
    pooled = PooledNorm(norm)
    for piece in (x[..., :4, :], x[..., 4:, :2], x[..., 4:, 2:3], x[..., 4:, 3:]):
        pooled.add(piece)
    own, result, half = norm(x), pooled(x), pooled(x.bfloat16())
    exact = norm.double()(x.double())
    assert (result - exact).abs().max() <= 4 * (own - exact).abs().max(), "as accurate as torch's own in float32"
    assert half.dtype == torch.bfloat16


class LiveBytes(TorchDispatchMode):
    """Most bytes of tensors that were alive together, among those made inside."""

    def __init__(self) -> None:
        super().__init__()
        self.now = self.most = 0
        self.views: dict[int, int] = {}

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        result = function(*args, **(kwargs or {}))
        for tensor in result if isinstance(result, tuple | list) else [result]:
            if isinstance(tensor, Tensor):
                self._seen(tensor)
        return result

    def _seen(self, tensor: Tensor) -> None:
        storage = tensor.untyped_storage()
        key, size = storage.data_ptr(), storage.nbytes()
        if key not in self.views:
            self.views[key] = 0
            self.now += size
            self.most = max(self.most, self.now)
        self.views[key] += 1
        weakref.finalize(tensor, self._gone, key, size)

    def _gone(self, key: int, size: int) -> None:
        self.views[key] -= 1
        if not self.views[key]:
            del self.views[key]
            self.now -= size


def test_within_the_memory_and_equal() -> None:
    vae = random_vae("tiny")
    side = 384
    image = torch.rand(1, 3, side, side, generator=torch.Generator().manual_seed(1))
    # the smallest that has a route of some legs, and much less than one piece takes
    memory = FIXED + 22e6
    assert decode_bytes(vae, 1, side, side) > memory
    assert encode_bytes(vae, 1, side, side) > memory
    with LiveBytes() as live:
        latents = encode(vae, image, memory)
    assert live.most < 22e6
    torch.testing.assert_close(latents, autoencoder.encode(vae, image), atol=TOLERANCE, rtol=0)
    with LiveBytes() as live:
        picture = decode(vae, latents, memory)
    assert live.most < 22e6
    with torch.no_grad(), LiveBytes() as whole:
        expected = autoencoder.decode(vae, latents)
    assert whole.most > 1.2 * live.most
    torch.testing.assert_close(picture, expected, atol=TOLERANCE, rtol=0)


@pytest.mark.parametrize("details", [pytest.param(False, marks=pytest.mark.slow), True])
def test_guided_within_the_memory_and_equal(details: bool) -> None:
    vae = random_vae("tiny")
    torch.manual_seed(0)
    guidance = Guidance(vae, 16, details=details).requires_grad_(False)
    for parameter in guidance.parameters():
        parameter.normal_(std=0.03)
    side = 640
    picture = torch.rand(1, 3, side, side)
    placed = torch.rand(1, 4, side, side) if details else None
    latents = autoencoder.encode(vae, picture).detach()
    allowed = 90e6
    assert decode_bytes(vae, 1, side, side, branch=guidance.branch) > FIXED + allowed
    with LiveBytes() as live:
        tiles = decode_guided(vae, guidance, latents, picture, FIXED + allowed, placed)
    assert live.most < allowed
    with LiveBytes() as whole:
        expected = decode_guided(vae, guidance, latents, picture, None, placed)
    assert whole.most > 1.2 * live.most
    assert whole.most < decode_bytes(vae, 1, side, side, branch=guidance.branch)
    for found, wanted in zip(tiles, expected, strict=True):
        torch.testing.assert_close(found, wanted, atol=TOLERANCE, rtol=0)


def test_enough_memory_is_one_piece_bit_for_bit() -> None:
    vae = random_vae("tiny")
    images = torch.rand(2, 3, 24, 16)
    latents = encode(vae, images, memory=1e9)
    assert not latents.requires_grad
    assert torch.equal(latents, autoencoder.encode(vae, images))
    assert torch.equal(decode(vae, latents), autoencoder.decode(vae, latents))


@cache
def meta_vae(architecture: Architecture) -> AutoencoderKL:
    with torch.device("meta"):
        return AutoencoderKL.from_config(description(architecture, "vae"))


def test_multiplications_are_those_of_the_network() -> None:
    chain = decoder_chain(meta_vae("sd21"))
    once = sum(leg_of(chain, i, i + 1, (64, 64), 4, 512).macs for i in range(len(chain)))
    # decoder of Stable Diffusion at 512 x 512: 1257 GMAC, of which its beginning and the shortcuts are not counted here
    assert 1.0e12 < once < 1.257e12


def test_routes_keep_to_the_memory_and_get_cheaper_with_more() -> None:
    chain = decoder_chain(meta_vae("tiny"))
    once = sum(leg_of(chain, i, i + 1, (256, 256), 4, 4096).macs for i in range(len(chain)))
    prices = []
    for memory in (0.35e9, 0.5e9, 2e9):
        route = best_route(chain, 256, 256, 4, memory)
        assert route[0].first == 0
        assert route[-1].last == len(chain)
        assert all(a.last == b.first for a, b in pairwise(route))
        assert max(leg.memory for leg in route) <= memory
        prices.append(sum(leg.macs for leg in route) / once)
    assert prices[0] > prices[1] > prices[2]
    assert prices[2] < 1.05, "with room for the maps every convolution runs once"


def test_too_little_memory_is_a_sentence_with_the_least() -> None:
    vae = meta_vae("tiny")
    chain = encoder_chain(vae)
    side = 2048 // patch_side(vae)
    least = least_memory(chain, side, side, 4)
    assert best_route(chain, side, side, 4, float(least))
    with pytest.raises(ValueError, match=r"takes 0\.\d\d GB beyond the weights .* 0.10 GB are allowed"):
        best_route(chain, side, side, 4, 0.1e9)


def test_sides_must_be_multiples() -> None:
    with pytest.raises(ValueError, match="multiples of 8"):
        encode(random_vae("tiny"), torch.rand(1, 3, 20, 16), memory=1e9)


def test_latent_tiles_that_fit() -> None:
    with torch.device("meta"):
        unet = UNet2DConditionModel.from_config(description("sd21", "unet"))
    assert weight_bytes(unet) == 4 * sum(p.numel() for p in unet.parameters())
    for memory in (0.5e9, 1e9, 4e9):
        tile, overlap, batch = fit_latent_tiles(unet, 512, 300, memory)
        assert denoise_bytes(unet, batch, tile, tile) <= memory
        assert 0 < overlap < tile
    assert (tile, overlap) == (96, 32)
    assert batch > 1
    assert fit_latent_tiles(unet, 40, 64, 4e9)[2] == 1, "one tile holds all"
    with pytest.raises(ValueError, match="Allow more memory"):
        fit_latent_tiles(unet, 512, 512, 0.1e9)


GROWTH = """
import re, sys
from pathlib import Path
import torch
from diffusers import AutoencoderKL, UNet2DConditionModel
from headsup.model.backbone import description
from headsup.tiling import memory, tiled_autoencoder as tiled

def status(name):
    return int(re.search(name + r":\\s+(\\d+)", Path("/proc/self/status").read_text())[1]) * 1024

kind, side, allowed = sys.argv[1], int(sys.argv[2]), float(sys.argv[3]) or None
torch.set_num_threads(1)
torch.set_grad_enabled(False)
if kind == "denoise":
    unet = UNet2DConditionModel.from_config(description("tiny", "unet")).eval()
    z, prompt = torch.randn(1, unet.config.in_channels, side, side), torch.randn(1, 77, unet.config.cross_attention_dim)
    estimate, run = memory.denoise_bytes(unet, 1, side, side), lambda: unet(z, torch.tensor([999]), prompt)
else:
    vae = AutoencoderKL.from_config(description("tiny", "vae")).eval()
    image, z = torch.rand(1, 3, side, side), torch.randn(1, vae.config.latent_channels, side // 8, side // 8)
    estimate = getattr(memory, kind + "_bytes")(vae, 1, side, side)
    run = lambda: getattr(tiled, kind)(vae, image if kind == "encode" else z, allowed)
before = status("VmRSS")
Path("/proc/self/clear_refs").write_text("5")
run()
print(status("VmHWM") - before, allowed or estimate)
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@pytest.mark.parametrize(
    ("kind", "side", "allowed"),
    [("encode", 1024, 0), ("decode", 1024, 0), ("encode", 1024, 0.25e9), ("decode", 1024, 0.25e9), ("denoise", 160, 0)],
)
def test_a_process_grows_by_less_than_the_estimate(kind: str, side: int, allowed: float) -> None:
    done = subprocess.run(
        [sys.executable, "-c", GROWTH, kind, str(side), str(allowed)], capture_output=True, check=True
    )
    growth, estimate = (float(number) for number in done.stdout.split())
    assert growth < estimate
    assert growth > 0.25 * estimate, "an estimate that is far too high keeps pictures in tiles that need none"
