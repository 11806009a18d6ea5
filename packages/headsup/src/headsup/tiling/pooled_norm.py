"""Group norm of a picture that is never there as a whole (Wu and He, 2018)."""

import torch
from jaxtyping import Float
from torch import Tensor, nn


class PooledNorm:
    """Group norm whose statistics are pooled over pieces of a picture.

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
