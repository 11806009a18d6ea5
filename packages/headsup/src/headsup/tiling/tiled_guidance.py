"""Guided decoding of pictures of any size within a stated memory, without any difference in the result.

The branch has no normalisation: on a piece of the picture with its `reach` around it, it gives what it gives on the
whole. So its features are computed where a piece of the decoder wants them, and not kept.
"""

from collections.abc import Sequence
from functools import partial

import torch
from diffusers import AutoencoderKL
from jaxtyping import Float
from torch import Tensor

from faceops.progress.tracker import part
from headsup.model.autoencoder import latent_factor, patch_side
from headsup.model.guidance import FACTOR, Finish, Guidance, Guide, Guided, Join, guided_decode
from headsup.tiling.chain import Segment, Span, State, decoder_chain, decoder_start
from headsup.tiling.memory import branch_values, check_memory, decode_bytes, element_size, fixed_share
from headsup.tiling.route import best_route
from headsup.tiling.tiled_autoencoder import run_route, tiles_of

PIECE = 256
"""Side of the pieces in which the last convolutions run, in pixels."""


class GuideInPieces:
    """Features of a picture and of what is placed on it, computed piece by piece."""

    def __init__(
        self, guidance: Guidance, picture: Float[Tensor, "1 3 h w"], placed: Float[Tensor, "1 4 h w"] | None = None
    ) -> None:
        self.guidance, self.picture, self.placed = guidance, picture, placed
        self._spans: tuple[Span, Span] = ((0, 0), (0, 0))
        self._guide: Guide | None = None

    def of(self, rows: Span, columns: Span) -> tuple[Guide, tuple[int, int]]:
        """Features of a part of the picture, or of more, and the pixel they begin with.

        The last piece is kept, as the decoder asks for smaller and smaller parts of it.
        """
        inside = (
            kept[0] <= span[0] and span[1] <= kept[1] for kept, span in zip(self._spans, (rows, columns), strict=True)
        )
        if self._guide is None or not all(inside):
            self._spans = tuple(  # type: ignore[assignment]
                outwards(span, length) for span, length in zip((rows, columns), self.picture.shape[2:], strict=True)
            )
            self._guide = self._computed(*self._spans)
        return self._guide, (self._spans[0][0], self._spans[1][0])

    def _computed(self, rows: Span, columns: Span) -> Guide:
        reach = self.guidance.branch.reach
        wide = [
            widened(span, reach, length) for span, length in zip((rows, columns), self.picture.shape[2:], strict=True)
        ]
        piece = (..., slice(*wide[0]), slice(*wide[1]))
        guide = self.guidance(self.picture[piece], None if self.placed is None else self.placed[piece])
        skip = rows[0] - wide[0][0], columns[0] - wide[1][0]
        size = rows[1] - rows[0], columns[1] - columns[0]
        features = tuple(cut(each, skip, size, pixels) for each, pixels in zip(guide.features, (8, 4, 2), strict=True))
        return Guide(features, cut(guide.picture, skip, size, 1))  # type: ignore[arg-type]

    def joins(self) -> list[Segment]:
        """Segments of a decoder that add these features to its own."""
        return [self._join(level) for level in range(3)]

    def _join(self, level: int) -> Segment:
        join, pixels = self.guidance.joins[level], FACTOR >> level
        assert isinstance(join, Join)

        def run(x: State, _: object) -> State:
            height, width = x.features.shape[2:]
            top, left = (pixels * start for start in x.origin)
            guide, begin = self.of((top, top + pixels * height), (left, left + pixels * width))
            features = cut(
                guide.features[level], (top - begin[0], left - begin[1]), (pixels * height, pixels * width), pixels
            )
            return State(join(x.features, features))

        branch, channels = self.guidance.branch, join.add.out_channels
        return Segment(
            run, None, (channels, channels), beside=lambda count: branch_values(branch, count * pixels * pixels)
        )


def outwards(span: Span, length: int) -> Span:
    """The span, widened to whole pixels of the coarsest features."""
    return span[0] // FACTOR * FACTOR, min(-(-span[1] // FACTOR) * FACTOR, length)


def cut(
    x: Float[Tensor, "b c h w"], start: tuple[int, int], size: tuple[int, int], pixels: int
) -> Float[Tensor, "b c th tw"]:
    """A part of a map, given in pixels of the picture, of which one of the map is so many."""
    top, left = (value // pixels for value in start)
    return x[..., top : top + size[0] // pixels, left : left + size[1] // pixels]


@torch.no_grad()
def decode_guided(
    vae: AutoencoderKL,
    guidance: Guidance,
    latents: Float[Tensor, "b c lh lw"],
    picture: Float[Tensor, "b 3 h w"],
    memory: float | None = None,
    placed: Float[Tensor, "b 4 h w"] | None = None,
) -> Guided:
    """Restored and faithful pictures of scaled latents and enlarged inputs. No gradients.

    Args:
        latents: Latents, scaled as `headsup.model.autoencoder.encode` gives them.
        memory: Bytes that it may take beyond the weights, the latents and the pictures; None for one piece.
        placed: References on the pictures, see `headsup.model.one_step.OneStepRestorer.place`.

    Raises:
        ValueError: If the memory is too small for any tiles.
    """
    height, width = (side * latent_factor(vae) for side in latents.shape[2:])
    latents, picture = latents.to(vae.device), picture.to(vae.device)
    if memory is None or decode_bytes(vae, len(latents), height, width, branch=guidance.branch) <= memory:
        return guided_decode(vae, guidance, latents, guidance(picture, placed), picture)
    element = element_size(vae)
    check_memory(fixed_share(vae, 1, height, width, element), memory)
    z = (latents / vae.config.scaling_factor).to(vae.dtype)
    on_each = [None] * len(z) if placed is None else list(placed.split(1))
    results = [
        _in_tiles(vae, guidance, z[i : i + 1], GuideInPieces(guidance, *part), memory, element)
        for i, part in enumerate(zip(picture.split(1), on_each, strict=True))
    ]
    return Guided(torch.cat([r.restored for r in results]), torch.cat([r.faithful for r in results]))


def _in_tiles(
    vae: AutoencoderKL, guidance: Guidance, z: Tensor, guide: GuideInPieces, memory: float, element: int
) -> Guided:
    picture, side = guide.picture, patch_side(vae)
    chain: Sequence[Segment] = decoder_chain(vae, guide.joins(), partial(guidance.outputs, vae))
    kept = 2 * branch_values(guidance.branch, 0) * element  # of the last piece, while the next is computed
    route = best_route(chain, z.shape[2], z.shape[3], element, memory - kept)
    with part(0.0, 0.9):
        outputs = run_route(chain, route, decoder_start(vae, z))
    restored, faithful = torch.empty_like(picture), torch.empty_like(picture)
    for rows, columns in tiles_of((picture.shape[2], picture.shape[3]), PIECE):
        wide = [
            widened(span, Finish.REACH, length) for span, length in zip((rows, columns), picture.shape[2:], strict=True)
        ]
        size = wide[0][1] - wide[0][0], wide[1][1] - wide[1][0]
        found, begin = guide.of(wide[0], wide[1])
        own = cut(found.picture, (wide[0][0] - begin[0], wide[1][0] - begin[1]), size, 1)
        own_outputs = cut(outputs, (wide[0][0], wide[1][0]), size, side)
        pictures = guidance.compose(vae, own_outputs, own, picture[..., slice(*wide[0]), slice(*wide[1])])
        skip, inner = (rows[0] - wide[0][0], columns[0] - wide[1][0]), (rows[1] - rows[0], columns[1] - columns[0])
        for whole, piece in zip((restored, faithful), pictures, strict=True):
            whole[..., slice(*rows), slice(*columns)] = cut(piece, skip, inner, 1)
    return Guided(restored, faithful)


def widened(span: Span, reach: int, length: int) -> Span:
    """The span and so many pixels around it, as far as there are any."""
    return max(span[0] - reach, 0), min(span[1] + reach, length)
