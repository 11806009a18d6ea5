"""Encoding and decoding of pictures of any size within a stated memory, without any difference in the result.

Two statements are needed. All of an autoencoder but a part at the lowest resolution is convolutions and group norms; a
tile with as many pixels around it as the convolutions reach gives what the whole picture gives, if the group norms
use the statistics of the whole picture. And those can be pooled over tiles before they are used. So the results equal
those of one piece to rounding. Tiled decoding elsewhere (diffusers' `enable_tiling`) normalises every tile by itself
and blends the differences.

The price is time. As long as the memory holds two or three maps of full resolution, every convolution runs once. With
less, parts of the network run again for every group norm in them, see `headsup.tiling.route`. For the decoder of Stable
Diffusion at 4096 x 4096 pixels in half precision, counted at 107 GB in one piece, the multiplications are counted
to be 1.1 times as many in 16 GB, 1.8 times in 8 GB and 4.3 times in 4 GB; attention comes on top, once.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import product

import torch
from diffusers import AutoencoderKL
from jaxtyping import Float
from torch import Tensor, nn

from faceops.progress.tracker import parts
from headsup.model import autoencoder
from headsup.model.autoencoder import images_of, latent_factor, network_input, patch_side
from headsup.tiling.chain import Segment, Span, State, decoder_chain, decoder_start, encoder_chain, encoder_end
from headsup.tiling.memory import check_memory, decode_bytes, element_size, encode_bytes, fixed_share, sizes
from headsup.tiling.route import Leg, best_route, spans, stops


class PooledNorm:
    """Group norm (Wu and He, 2018) whose statistics are pooled over pieces of a picture.

    Counts, means and sums of squared deviations of two sets are merged as by Chan et al. (1979), which stays accurate
    in float32 where a sum of squares would not.
    """

    def __init__(self, norm: nn.GroupNorm) -> None:
        self.norm = norm
        self.count = 0
        self.mean = self.deviation = torch.zeros(())

    def add(self, features: Float[Tensor, "b c h w"]) -> None:
        """Take a piece into the statistics. Pieces must not overlap."""
        pieces = features.float().unflatten(1, (self.norm.num_groups, -1)).flatten(2)
        variance, mean = torch.var_mean(pieces, dim=-1, correction=0)
        count = pieces.shape[-1]
        self.mean, self.deviation = self.mean.to(mean.device), self.deviation.to(mean.device)
        difference, share = mean - self.mean, count / (self.count + count)
        self.mean = self.mean + difference * share
        self.deviation = self.deviation + variance * count + difference.square() * (self.count * share)
        self.count += count

    def __call__(self, features: Float[Tensor, "b c h w"]) -> Float[Tensor, "b c h w"]:
        """Normalise a piece; in float32, rounded once."""
        each = features.shape[1] // self.norm.num_groups
        inverse = (self.deviation / self.count + self.norm.eps).rsqrt().repeat_interleave(each, dim=1)
        scale = inverse * self.norm.weight.float()
        shift = self.norm.bias.float() - self.mean.repeat_interleave(each, dim=1) * scale
        return torch.addcmul(shift[..., None, None], features.float(), scale[..., None, None]).to(features.dtype)


@torch.no_grad()
def encode(
    vae: AutoencoderKL, images: Float[Tensor, "b 3 h w"], memory: float | None = None
) -> Float[Tensor, "b c lh lw"]:
    """Encode as `headsup.model.autoencoder.encode`, within a stated memory. No gradients.

    Args:
        vae: Autoencoder; it runs where its weights are, in their type. LoRA adapters of the encoder count.
        memory: Bytes that it may take beyond the weights and the images; None means as many as one piece takes. With
            tiles, the images of a batch run one after the other.

    Returns:
        Latents as the denoiser wants them, float32, where the weights are.

    Raises:
        ValueError: If a side is not a multiple of the latent pixel, or the memory is too small for any tiles.
    """
    images = images.to(vae.device)
    height, width = images.shape[2:]
    if height % latent_factor(vae) or width % latent_factor(vae):
        raise ValueError(f"Sides must be multiples of {latent_factor(vae)} pixels, got {width} x {height}.")
    if memory is None or encode_bytes(vae, len(images), height, width) <= memory:
        return autoencoder.encode(vae, images)
    chain, element = encoder_chain(vae), element_size(vae)
    check_memory(fixed_share(vae, 1, height, width, element), memory)
    route = best_route(chain, height // patch_side(vae), width // patch_side(vae), element, memory)
    moments = [encoder_end(vae, run_route(chain, route, network_input(vae, each))) for each in images.split(1)]
    return torch.cat(moments).chunk(2, dim=1)[0].float() * vae.config.scaling_factor


@torch.no_grad()
def decode(
    vae: AutoencoderKL, latents: Float[Tensor, "b c lh lw"], memory: float | None = None
) -> Float[Tensor, "b 3 h w"]:
    """Decode as `headsup.model.autoencoder.decode`, within a stated memory. No gradients.

    Args:
        vae: Autoencoder; it runs where its weights are, in their type.
        latents: Latents, scaled as `encode` gives them.
        memory: Bytes that it may take beyond the weights and the latents; None means as many as one piece takes.
            With tiles, the latents of a batch run one after the other.

    Returns:
        RGB in [0, 1] but for overshoots, float32, where the weights are.

    Raises:
        ValueError: If the memory is too small for any tiles.
    """
    height, width = (side * latent_factor(vae) for side in latents.shape[2:])
    latents = latents.to(vae.device)
    if memory is None or decode_bytes(vae, len(latents), height, width) <= memory:
        return autoencoder.decode(vae, latents)
    chain, element = decoder_chain(vae), element_size(vae)
    check_memory(fixed_share(vae, 1, height, width, element), memory)
    route = best_route(chain, latents.shape[2], latents.shape[3], element, memory)
    z = (latents / vae.config.scaling_factor).to(vae.dtype)
    return torch.cat([images_of(vae, run_route(chain, route, decoder_start(vae, each))) for each in z.split(1)])


def run_route(
    chain: Sequence[Segment], route: Sequence[Leg], features: Float[Tensor, "b c h w"]
) -> Float[Tensor, "b c2 h2 w2"]:
    """Run a chain of segments on legs of a route; the result does not depend on the route, but for rounding."""
    maps = sizes(chain, *features.shape[-2:])
    norms: dict[int, PooledNorm] = {}
    if chain[0].norm is not None:
        norms[0] = PooledNorm(chain[0].norm)
        norms[0].add(features)
    state = State(features)
    del features
    for leg in parts(route, weights=[leg.macs for leg in route]):
        state = _run_leg(chain, leg, state, maps, norms)
    return state.features


def _run_leg(
    chain: Sequence[Segment], leg: Leg, start: State, maps: Sequence[tuple[int, int]], norms: dict[int, PooledNorm]
) -> State:
    """Pool the statistics of every group norm in a leg and of the one behind it; give the map at its end."""
    end: State | None = None
    for stop in parts(list(stops(chain, leg.first, leg.last))):
        norm = chain[stop].norm if stop < len(chain) else None
        if norm is not None:
            norms[stop] = PooledNorm(norm)
        for rows, columns in parts(list(tiles_of(maps[stop], leg.tile)), "tile"):
            piece = _run_piece(chain, (leg.first, stop), start, (rows, columns), maps, norms)
            if norm is not None:
                norms[stop].add(piece.features)
            if stop == leg.last:
                end = end or piece.empty(*maps[stop])
                end.crop(rows, columns).copy_(piece)
    assert end is not None, "a map has at least one tile"
    return end


def _run_piece(
    chain: Sequence[Segment],
    part: Span,
    start: State,
    end: tuple[Span, Span],
    maps: Sequence[tuple[int, int]],
    norms: dict[int, PooledNorm],
) -> State:
    """Run a part of the chain on what a tile of its result depends on."""
    segments = chain[slice(*part)]
    rows, columns = (
        spans(segments, [size[axis] for size in maps[part[0] : part[1] + 1]], end[axis]) for axis in (0, 1)
    )
    state = start.crop(rows[0], columns[0])
    for index, segment in enumerate(segments):
        state = replace(state, origin=(rows[index][0], columns[index][0]))
        state = segment.run(state, norms.get(part[0] + index, torch.nn.Identity()))
        # what a convolution made at the rim, with zeros for neighbours that exist, is cut off at once
        top, left = segment.scaled(rows[index][0]), segment.scaled(columns[index][0])
        (first, last), (begin, stop) = rows[index + 1], columns[index + 1]
        state = state.crop((first - top, last - top), (begin - left, stop - left))
    return state


def tiles_of(size: tuple[int, int], tile: int) -> Iterator[tuple[Span, Span]]:
    """Rows and columns of tiles that cover a map, each pixel once."""
    rows, columns = ([(i, min(i + tile, length)) for i in range(0, length, tile)] for length in size)
    yield from product(rows, columns)
