"""The denoiser's first and last convolution: further channels in, full precision out (HeadsUp, Appendix B)."""

import torch
from jaxtyping import Float
from torch import Tensor, nn


class ConditionedInput(nn.Module):
    """First convolution for two kinds of input, told apart by their channels.

    C channels, a noisy latent, go through the frozen convolution of the base model: that is what teacher and
    regularizer see. C + F + 1 channels, LQ latent, what comes of the references (their latent in the paper, so F is C)
    and mask, go through the generator's own trained convolution. Its first C channels and its bias begin as the base's,
    the others as zero, so that at first nothing but the LQ latent counts.

    Args:
        found: F; None for C.
    """

    def __init__(self, base: nn.Conv2d, found: int | None = None) -> None:
        super().__init__()
        self.channels = base.in_channels
        self.base = base
        inputs = base.in_channels + (base.in_channels if found is None else found) + 1
        # on no device it draws no random numbers; `skip_init` does the same, but then imports sympy
        self.own = nn.Conv2d(inputs, base.out_channels, 3, padding=1, device="meta")
        weight = torch.zeros(self.own.weight.shape, device=base.weight.device)
        weight[:, : self.channels] = base.weight.detach()
        assert base.bias is not None
        self.own.weight, self.own.bias = nn.Parameter(weight), nn.Parameter(base.bias.detach().float().clone())

    def forward(self, x: Float[Tensor, "b c h w"]) -> Float[Tensor, "b d h w"]:
        """Convolve with whichever convolution has as many channels as the input."""
        if x.shape[1] == self.channels:
            return self.base(x)
        # trained, therefore float32 also where the frozen weights are not
        result: Tensor = self.own(x.to(self.own.weight.dtype))
        return result.to(x.dtype)


class PreciseOutput(nn.Module):
    """Last convolution, in float32 whatever the precision of the rest.

    Its output is divided by alpha, 0.068 at t = 999: bfloat16 there would be an error of 0.024 in the latent.
    """

    def __init__(self, inner: nn.Conv2d) -> None:
        super().__init__()
        self.inner = inner.float()

    def _apply(self, fn, recurse: bool = True) -> "PreciseOutput":  # type: ignore[no-untyped-def]  # noqa: ANN001
        super()._apply(fn, recurse)
        for parameter in self.inner.parameters():
            parameter.data = parameter.data.float()
        return self

    def forward(self, x: Float[Tensor, "b c h w"]) -> Float[Tensor, "b d h w"]:
        """Convolve in float32."""
        with torch.autocast(x.device.type, enabled=False):
            result: Tensor = self.inner(x.float())
        return result
