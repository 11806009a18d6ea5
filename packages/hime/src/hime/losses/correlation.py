"""Correlation map and correlation loss (HIME, Section 4, Eq. 8-9).

Two facts make the loss cheap. Displacements come in pairs, cor(i, j, p) = cor(-i, -j, p - (i, j)), so half of the
window gives the whole sum. And with every row and every image followed by as many zeros as the window reaches, the
batch is one line of pixels on which a displacement is one shift: every operation runs over contiguous memory, a
cache-sized stretch at a time, and no copy of the neighbourhoods (``unfold``) is ever made.
"""

import torch
import torch.nn.functional as F
from einops import rearrange
from jaxtyping import Float
from torch import Tensor
from torch.autograd.function import FunctionCtx

CACHED_PIXELS = 16384
"""Pixels of a stretch of the line: its planes, 1.5 MB for colour images, fit into a core's second-level cache."""

DEVICE_PIXELS = 2**22
"""Pixels of a stretch on an accelerator, where few large operations are better; a stretch takes 100 MB."""


def correlation_map(
    images: Float[Tensor, "b c h w"], window: int, dilation: int = 1
) -> Float[Tensor, "b {window}*{window} h w"]:
    """M_cor: correlation of every pixel with its neighbours, ``<I(p), I(p - (i, j))> / k^2`` (Eq. 8).

    The mean over the pixels is subtracted first, from every image and channel its own; neighbours outside the image
    are zero after that. The paper prints the range of i and j as ``floor(-(k + 1) / 2, (k + 1) / 2)``, which has
    more than the k values that its k * k map needs; here they run from ``-(k - 1) / 2`` to ``(k - 1) / 2``.
    Computed in float32 at least, outside autocast, and differentiable in the common way.

    Convention: displacements are listed row by row, i (down) before j (right), from the negative to the positive:
    channel ``(i + r) * k + (j + r)`` with ``r = (k - 1) / 2`` holds the correlation with the pixel that is
    ``dilation * i`` higher and ``dilation * j`` further left. The channel in the middle is the squared pixel.

    Args:
        images: Images, in [0, 1].
        window: k, side of the window in samples; odd.
        dilation: d, distance of the samples in pixels; the window spans ``k d - d + 1`` pixels.

    Raises:
        ValueError: If the window is even or smaller than one, or the dilation smaller than one.

    Example:
        >>> bright_then_dark = torch.tensor([[[[1.0, 1.0, 0.0, 0.0]]]])
        >>> correlation_map(bright_then_dark, window=1)[0, 0].tolist()
        [[0.25, 0.25, 0.25, 0.25]]
        >>> correlation_map(bright_then_dark, window=3)[0, 3].mul(36).round().tolist()
        [[1.0, -1.0, 1.0, 0.0]]
    """
    check_window(window, dilation)
    height, width = images.shape[-2:]
    reach = dilation * (window // 2)
    steps = range(0, 2 * reach + 1, dilation)
    with torch.autocast(images.device.type, enabled=False):
        centred = centre(images.to(torch.promote_types(images.dtype, torch.float32)))
        padded = F.pad(centred, (reach,) * 4)
        # Displacement (i, j) reads p - (i, j), so the first one reads furthest down and right.
        neighbours = ((2 * reach - i, 2 * reach - j) for i in steps for j in steps)
        maps = [(centred * padded[..., y : y + height, x : x + width]).sum(dim=1) for y, x in neighbours]
        return torch.stack(maps, dim=1) / window**2


def correlation_loss(
    sr: Float[Tensor, "b c h w"], hr: Float[Tensor, "b c h w"], window: int = 5, dilation: int = 1
) -> Float[Tensor, ""]:
    """L_cor, the L1 distance of the `correlation_map` of two batches of images (Eq. 9).

    Summed over the k * k displacements, averaged over images and pixels: with Eq. 8's 1 / k^2 that keeps the loss and
    its gradient near those of the reconstruction loss for every window. The paper gives neither the reduction nor a
    weight. As means are subtracted and products taken, the loss sees neither the mean colour nor the sign of an
    image: it is no loss to train with alone.

    Computed in float32 at least, outside autocast. The gradient, to both images, is found along with the loss, and
    is all that is kept for the backward pass; it has no second derivative.

    Args:
        sr: Super-resolved images, in [0, 1].
        hr: True images, in [0, 1].
        window: k, side of the window in samples; odd. With 1 it is the L1 distance of the squared (centred) pixels.
        dilation: d, distance of the samples in pixels.

    Raises:
        ValueError: If the shapes differ, the window is even or smaller than one, or the dilation smaller than one.

    Example:
        >>> hr = torch.tensor([[[[0.0, 1.0]]]])
        >>> correlation_loss(hr / 2, hr, window=1).item()
        0.1875
    """
    check_window(window, dilation)
    if sr.shape != hr.shape:
        raise ValueError(
            f"The correlation loss compares images of one shape, got {tuple(sr.shape)} and {tuple(hr.shape)}."
        )
    dtype = torch.promote_types(torch.promote_types(sr.dtype, hr.dtype), torch.float32)
    if not torch.is_grad_enabled():  # a Function is told of requires_grad only, and would sweep for the gradient
        sr, hr = sr.detach(), hr.detach()
    with torch.autocast(sr.device.type, enabled=False):
        loss: Tensor = CorrelationDistance.apply(sr.to(dtype), hr.to(dtype), window, dilation)
    return loss


class CorrelationDistance(torch.autograd.Function):
    """Value of `correlation_loss` and, in the same sweep, its gradient."""

    @staticmethod
    def forward(
        ctx: FunctionCtx, sr: Float[Tensor, "b c h w"], hr: Float[Tensor, "b c h w"], window: int, dilation: int
    ) -> Float[Tensor, ""]:
        """Sum the distance over half of the window."""
        b, _, h, w = sr.shape
        reach = dilation * (window // 2)
        width = w + reach
        line = pixel_line(sr, hr, reach)
        shifts = [i * width + j for i in range(0, reach + 1, dilation) for j in range(-reach, reach + 1, dilation)]
        needs_sr, needs_hr = ctx.needs_input_grad[:2]  # type: ignore[attr-defined]
        wanted = slice(0 if needs_sr else 1, 2 if needs_hr else 1)
        total, gradient = distance_along_line(line, [shift for shift in shifts if shift >= 0], wanted)
        per_pixel = 2 / (window**2 * b * h * w)
        images = rearrange(gradient, "c m (b y x) -> m b c y x", b=b, x=width)[..., :h, :w].contiguous()
        # The mean was subtracted from each image, so it is from the gradient.
        images.sub_(images.mean(dim=(-2, -1), keepdim=True))
        images.mul_(images.new_tensor([per_pixel, -per_pixel])[wanted].reshape(-1, 1, 1, 1, 1))
        ctx.save_for_backward(*images)
        return total * per_pixel

    @staticmethod
    def backward(
        ctx: FunctionCtx, scale: Float[Tensor, ""]
    ) -> tuple[Float[Tensor, "b c h w"] | None, Float[Tensor, "b c h w"] | None, None, None]:
        """Scale the gradient of the sweep; RuntimeError if a second derivative is asked for."""
        if torch.is_grad_enabled():
            raise RuntimeError(
                "The correlation loss has a first derivative only, and this backward pass was asked to be "
                "differentiable (create_graph=True). Build the loss from `correlation_map` to differentiate twice."
            )
        gradients = iter(ctx.saved_tensors)  # type: ignore[attr-defined]
        needs_sr, needs_hr = ctx.needs_input_grad[:2]  # type: ignore[attr-defined]
        return next(gradients) * scale if needs_sr else None, next(gradients) * scale if needs_hr else None, None, None


def pixel_line(sr: Float[Tensor, "b c h w"], hr: Float[Tensor, "b c h w"], reach: int) -> Float[Tensor, "c 2 n"]:
    """Centre all images and line up their rows, `reach` zeros after a row and `reach` empty rows after an image.

    The pixel that is i lower and j to the right is then ``i * (w + reach) + j`` places further on, and zero if it
    would be outside the image, for all ``0 <= i <= reach`` and ``-reach <= j <= reach``.
    """
    b, c, h, w = sr.shape
    line = sr.new_zeros(c, 2, b, h + reach, w + reach)
    for plane, images in ((line[:, 0, :, :h, :w], sr), (line[:, 1, :, :h, :w], hr)):
        torch.sub(images.transpose(0, 1), images.mean(dim=(-2, -1), keepdim=True).transpose(0, 1), out=plane)
    return line.flatten(2)


def distance_along_line(
    line: Float[Tensor, "c 2 n"], shifts: list[int], wanted: slice
) -> tuple[Float[Tensor, ""], Float[Tensor, "c m n"]]:
    """Sum over shifts and pixels of ``|<a(p), a(p + shift)> - <b(p), b(p + shift)>|``, shift 0 counting half.

    Args:
        line: The two lines a and b.
        shifts: Distances along the line, not negative, the largest of them last.
        wanted: Which of the two lines need a gradient.

    Returns:
        The sum and its gradient with respect to the wanted lines, that of b with the other sign.
    """
    source = line[:, wanted]
    gradient = torch.zeros_like(source, memory_format=torch.contiguous_format)
    length = line.shape[-1] - shifts[-1]  # up to the last pixel: only zeros come after it
    stretch = min(length, CACHED_PIXELS if line.device.type == "cpu" else DEVICE_PIXELS)
    buffer = line.new_empty(*line.shape[:2], stretch)
    sums = []
    for start in range(0, length, stretch):
        size = min(stretch, length - start)
        here = slice(start, start + size)
        pixels, source_here, gradient_here, products = (
            line[..., here],
            source[..., here],
            gradient[..., here],
            buffer[..., :size],
        )
        for shift in shifts:
            there = slice(start + shift, start + shift + size)
            torch.mul(pixels, line[..., there], out=products)
            # Subtracted before they are summed, the products of equal lines cancel exactly, not up to rounding.
            difference = products[:, 0].sub_(products[:, 1]).sum(dim=0)
            sign = difference.sign()
            if shift == 0:  # the centre is its own mirror image
                sign *= 0.5
            sums.append(torch.dot(difference, sign))
            if gradient.numel():
                gradient_here.addcmul_(source[..., there], sign)
                gradient[..., there].addcmul_(source_here, sign)
    return torch.stack(sums).sum(), gradient


def centre(images: Float[Tensor, "b c h w"]) -> Float[Tensor, "b c h w"]:
    """Subtract from every channel of every image its mean over the pixels."""
    return images - images.mean(dim=(-2, -1), keepdim=True)


def check_window(window: int, dilation: int) -> None:
    """Say what a correlation window may be.

    Raises:
        ValueError: If the window is even or smaller than one, or the dilation smaller than one.
    """
    if window < 1 or window % 2 == 0:
        raise ValueError(f"A correlation window needs an odd number of samples on a side, got {window}.")
    if dilation < 1:
        raise ValueError(
            f"The samples of a correlation window are at least 1 pixel apart, got a dilation of {dilation}."
        )
