"""The convolutional part of an autoencoder as a chain of segments, cut before every group norm.

A group norm is the only place where a pixel of a convolutional network learns of pixels far away, and all it learns is
two numbers for every group. Once they are known, the segments behind it can run on any piece of the picture and give
exactly what they would give on the whole. An encoder is such a chain (`encoder_chain`) and then a part at the lowest
resolution with attention (`encoder_end`); a decoder has them the other way round.

Modules are called, never their weights: with LoRA a convolution is a module that holds others.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from diffusers import AutoencoderKL
from diffusers.models.downsampling import Downsample2D
from diffusers.models.resnet import ResnetBlock2D
from diffusers.models.unets.unet_2d_blocks import DownEncoderBlock2D, UpDecoderBlock2D
from diffusers.models.upsampling import Upsample2D
from jaxtyping import Float
from torch import Tensor, nn

Span = tuple[int, int]
"""First row or column and the one behind the last."""

Normalise = Callable[[Tensor], Tensor]


@dataclass(frozen=True, eq=False)
class State:
    """State between two segments: features, and inside a residual block the shortcut to be added to its result."""

    features: Float[Tensor, "b c h w"]
    skip: Float[Tensor, "b s h w"] | None = None
    origin: tuple[int, int] = (0, 0)
    """Row and column of the whole map that the features begin with; known where a segment begins."""

    def crop(self, rows: Span, columns: Span) -> "State":
        """A part of it; a view."""
        part = (slice(None), slice(None), slice(*rows), slice(*columns))
        return State(self.features[part], None if self.skip is None else self.skip[part])

    def empty(self, height: int, width: int) -> "State":
        """Room for a state of another size."""
        features, skip = self.features, self.skip
        return State(
            features.new_empty(*features.shape[:2], height, width),
            None if skip is None else skip.new_empty(*skip.shape[:2], height, width),
        )

    def copy_(self, other: "State") -> None:
        """Take the values of another state of this size."""
        self.features.copy_(other.features)
        if self.skip is not None and other.skip is not None:
            self.skip.copy_(other.skip)


@dataclass(frozen=True, eq=False)
class Segment:
    """A part of the chain with one 3 x 3 convolution."""

    run: Callable[[State, Normalise], State]
    """Maps a state to the next; the second argument normalises features as `norm` would."""
    norm: nn.GroupNorm | None
    """Group norm at its beginning."""
    channels: tuple[int, int]
    """Channels of the features before and after."""
    skips: tuple[int, int] = (0, 0)
    """Channels of the skip before and after."""
    resample: int = 0
    """Binary logarithm of the magnification: 1, 0 or -1."""
    beside: Callable[[int], int] | None = None
    """Values alive beside the features, for the pixels of the output; None for no more than any convolution has."""

    def needed(self, span: Span, length: int) -> Span:
        """Pixels of the input, `length` in all, on which a span of the output depends."""
        first, last = span
        if self.resample > 0:
            first, last = (first - 1) // 2, last // 2 + 1
        elif self.resample < 0:
            # the stride of two begins at an even pixel, and zeros are added at the end alone
            first, last = 2 * first, 2 * last + 1
        else:
            first, last = first - 1, last + 1
        return max(first, 0), min(last, length)

    def scaled(self, length: int) -> int:
        """Pixels of the output for those of the input."""
        return length * 2**self.resample if self.resample >= 0 else length // 2

    @property
    def macs(self) -> int:
        """Multiplications for a pixel of the output, without a shortcut."""
        return 9 * self.channels[0] * self.channels[1]


def encoder_chain(vae: AutoencoderKL) -> list[Segment]:
    """Encoder of a picture in [-1, 1] up to the lowest resolution."""
    encoder = vae.encoder
    first = vae.config.block_out_channels[0]
    chain = [Segment(lambda x, _: State(encoder.conv_in(x.features)), None, (vae.config.in_channels, first))]
    for block in encoder.down_blocks:
        chain.extend(_block(block, block.downsamplers or (), -1))
    return chain


def encoder_end(vae: AutoencoderKL, features: Float[Tensor, "b c h w"]) -> Float[Tensor, "b c2 h w"]:
    """Encoder from the lowest resolution on: moments of the latent."""
    encoder = vae.encoder
    features = encoder.conv_act(encoder.conv_norm_out(encoder.mid_block(features)))
    moments = encoder.conv_out(features)
    return moments if vae.quant_conv is None else vae.quant_conv(moments)


def decoder_start(vae: AutoencoderKL, z: Float[Tensor, "b c h w"]) -> Float[Tensor, "b c2 h w"]:
    """Decoder up to the features of the lowest resolution."""
    if vae.post_quant_conv is not None:
        z = vae.post_quant_conv(z)
    return vae.decoder.mid_block(vae.decoder.conv_in(z))


def decoder_chain(
    vae: AutoencoderKL, joins: Sequence[Segment] = (), outputs: Callable[[Tensor], Tensor] | None = None
) -> list[Segment]:
    """Decoder from the lowest resolution to a picture in [-1, 1].

    Args:
        joins: What is added before the first block of the way up and behind each of the following.
        outputs: What the last features become, twice as many channels as the decoder's own; None for these.
    """
    decoder = vae.decoder
    chain: list[Segment] = list(joins[:1])
    for place, block in enumerate(decoder.up_blocks, start=1):
        chain.extend(_block(block, block.upsamplers or (), 1))
        chain.extend(joins[place : place + 1])

    def out(x: State, normalise: Normalise) -> State:
        return State((outputs or decoder.conv_out)(decoder.conv_act(normalise(x.features))))

    last, channels = vae.config.block_out_channels[0], vae.config.out_channels * (1 if outputs is None else 2)
    return [*chain, Segment(out, decoder.conv_norm_out, (last, channels))]


def _block(
    block: DownEncoderBlock2D | UpDecoderBlock2D, resamplers: Iterable[Downsample2D | Upsample2D], direction: int
) -> Iterator[Segment]:
    for resnet in block.resnets:
        yield from _residual(resnet)
    for resampler in resamplers:
        yield _resampling(resampler, direction)


def _residual(resnet: ResnetBlock2D) -> Iterator[Segment]:
    """Two halves of a residual block; the shortcut is taken in the first, where its input is at hand."""

    def first(x: State, normalise: Normalise) -> State:
        skip = x.features if resnet.conv_shortcut is None else resnet.conv_shortcut(x.features)
        return State(resnet.conv1(resnet.nonlinearity(normalise(x.features))), skip)

    def second(x: State, normalise: Normalise) -> State:
        features = resnet.conv2(resnet.dropout(resnet.nonlinearity(normalise(x.features))))
        return State((x.skip + features) / resnet.output_scale_factor)

    before, after = resnet.in_channels, resnet.out_channels
    yield Segment(first, resnet.norm1, (before, after), (0, after))
    yield Segment(second, resnet.norm2, (after, after), (after, 0))


def _resampling(resampler: Downsample2D | Upsample2D, direction: int) -> Segment:
    channels = (resampler.channels, resampler.out_channels)
    return Segment(lambda x, _: State(resampler(x.features)), None, channels, resample=direction)
