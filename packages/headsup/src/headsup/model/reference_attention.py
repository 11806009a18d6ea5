"""References that are looked at rather than laid down: any number of them, of another pose or expression.

HeadsUp joins the latent of a reference to that of the input place by place, so a network learns to copy what lies at a
place. Here each place of the input looks for what it needs in all references (Gong et al., InstantRestore, 2024, do so
in the denoiser's self-attention): a query from the input's latent, keys and values from the references', and a key that
stands for nothing. Queries and keys also know where in the aligned face they are, so that an eye finds an eye before
anything is learnt. What was found joins the input where the laid-down latent would, so the denoiser is the same.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

FREQUENCIES = (1.0, 2.0, 4.0, 8.0)
"""Of the sines and cosines that tell a place, in half periods over the side of the aligned face."""

NEARNESS = 8.0
"""How strongly places look at their own place at first: about a dozen of 32 x 32 places of a reference count."""


@dataclass(frozen=True, eq=False)
class References:
    """Reference faces of a batch of pictures: any number of faces for each of any number of people."""

    faces: Float[Tensor, "n 3 s s"]
    """Aligned to FFHQ, RGB in [0, 1]."""
    person: Int[Tensor, " n"]
    """Whose face each is: a row of what follows."""
    image_index: Int[Tensor, " p"]
    """Picture in which each person is."""
    matrix: Float[Tensor, "p 2 3"]
    """From the picture, in its pixels, to the aligned face of side s. It may lie on the CPU whatever the device: its
    inverse is computed in float64, which some devices have not."""
    mask: Float[Tensor, "p 1 lh lw"]
    """Box of the face in the picture, at latent resolution."""

    def __len__(self) -> int:
        return len(self.faces)

    def first_of_each(self) -> Int[Tensor, " q"]:
        """The first face of every person who has one."""
        first = torch.full((len(self.image_index),), len(self.faces), device=self.person.device)
        first.scatter_reduce_(0, self.person, torch.arange(len(self.faces), device=self.person.device), "amin")
        return first[first < len(self.faces)]


def no_references(z_l: Float[Tensor, "b c lh lw"]) -> References:
    """References of nobody, for inputs of which these are the latents."""
    none = torch.zeros(0, dtype=torch.long, device=z_l.device)
    mask = z_l.new_zeros(0, 1, *z_l.shape[2:])
    return References(z_l.new_zeros(0, 3, 64, 64), none, none, z_l.new_zeros(0, 2, 3), mask)


def mask_of(references: References, z_l: Float[Tensor, "b c lh lw"]) -> Float[Tensor, "b 1 lh lw"]:
    """M, where the faces are that have a reference, at latent resolution (HeadsUp, Section 2.4)."""
    mask = z_l.new_zeros(len(z_l), 1, *z_l.shape[2:])
    for own, image in zip(references.mask.to(mask), references.image_index.tolist(), strict=True):
        mask[image] = torch.maximum(mask[image], own)
    return mask


class ReferenceAttention(nn.Module):
    """Attention of the places of a picture to the places of its references.

    Args:
        channels: C, channels of the latents.
        width: Channels of queries, keys and values together.
    """

    def __init__(self, channels: int, width: int = 64, heads: int = 4, found: int = 32) -> None:
        super().__init__()
        self.heads = heads
        places = 4 * len(FREQUENCIES)
        self.look = encoder(channels, width)
        self.show = encoder(channels, width)
        self.query = nn.Linear(width + places, width)
        self.key = nn.Linear(width + places, width)
        self.value = nn.Linear(width, width)
        self.nothing = nn.Parameter(torch.zeros(2, width))
        self.out = nn.Linear(width, found)
        # An eye looks at the eye before anything is learnt. With random weights all places look alike, their mean is
        # found everywhere, and what moves the weights is too little ever to change that.
        nearness = NEARNESS**0.5 * torch.eye(width // heads, places).repeat(heads, 1)
        with torch.no_grad():
            self.query.weight[:, width:] = nearness
            self.key.weight[:, width:] = nearness

    def forward(
        self, z_l: Float[Tensor, "b c lh lw"], z_r: Float[Tensor, "n c rh rw"], references: References, factor: int
    ) -> Float[Tensor, "b f lh lw"]:
        """Attend from every place of the inputs to the references; zero outside of the faces that have some.

        Args:
            references: Whose faces these are and where in the inputs they belong.
            factor: Pixels on the side of a latent pixel.
        """
        found = z_l.new_zeros(len(z_l), self.out.out_features, *z_l.shape[2:])
        if not len(references):
            return found
        keys, values, there = self.tokens(z_r, references)
        side = references.faces.shape[-1]
        places = canonical_places(references.matrix.to(z_l.device, torch.float32), z_l.shape[2:], factor, side)
        looked = self.look(z_l.to(self.out.weight.dtype))[references.image_index]
        queries = self.query(torch.cat([flat(looked), waves(places).to(looked.dtype)], dim=-1))
        parts = F.scaled_dot_product_attention(
            split(queries, self.heads), split(keys, self.heads), split(values, self.heads), there[:, None, None]
        )
        result = self.out(parts.transpose(1, 2).flatten(2))
        maps = result.transpose(1, 2).unflatten(2, z_l.shape[2:]) * references.mask
        return found.index_add(0, references.image_index, maps.to(found.dtype))

    def tokens(
        self, z_r: Float[Tensor, "n c rh rw"], references: References
    ) -> tuple[Float[Tensor, "p t d"], Float[Tensor, "p t d"], Bool[Tensor, "p t"]]:
        """Keys and values of all references of each person and of nothing, and which of them there are."""
        height, width = z_r.shape[2:]
        shown = flat(self.show(z_r.to(self.out.weight.dtype)))
        place = waves(own_places(height, width).to(shown.device)).to(shown).expand(len(shown), -1, -1)
        keys = self.key(torch.cat([shown, place], dim=-1))
        values = self.value(shown)
        people = len(references.image_index)
        order = order_within(references.person)
        most = int(order.max()) + 1
        table = keys.new_zeros(2, people, most, height * width, keys.shape[-1])
        table = table.index_put((torch.zeros_like(order), references.person, order), keys).index_put(
            (torch.ones_like(order), references.person, order), values
        )
        there = torch.zeros(people, most, dtype=torch.bool, device=keys.device)
        there[references.person, order] = True
        nothing = self.nothing.to(keys.dtype)[:, None, None].expand(2, people, 1, -1)
        table = torch.cat([nothing, table.flatten(2, 3)], dim=2)
        first = torch.ones_like(there[:, :1])
        return table[0], table[1], torch.cat([first, there.repeat_interleave(height * width, dim=1)], dim=1)


def encoder(channels: int, width: int) -> nn.Sequential:
    """Two convolutions that make features of a latent."""
    return nn.Sequential(nn.Conv2d(channels, width, 3, padding=1), nn.SiLU(), nn.Conv2d(width, width, 3, padding=1))


def flat(x: Float[Tensor, "n d h w"]) -> Float[Tensor, "n hw d"]:
    """Places as rows."""
    return x.flatten(2).transpose(1, 2)


def split(x: Float[Tensor, "p t d"], heads: int) -> Float[Tensor, "p k t e"]:
    """Channels of each head."""
    return x.unflatten(2, (heads, -1)).transpose(1, 2)


def order_within(person: Int[Tensor, " n"]) -> Int[Tensor, " n"]:
    """Number of earlier faces of the same person, for each.

    Example:
        >>> order_within(torch.tensor([0, 1, 0, 0])).tolist()
        [0, 0, 1, 2]
    """
    same = person[:, None] == person[None]
    return same.tril(-1).sum(dim=1)


def own_places(height: int, width: int) -> Float[Tensor, "hw 2"]:
    """Places of a face's latent pixels in the aligned face, across and down, in sides of it."""
    down, across = torch.meshgrid(
        (torch.arange(height) + 0.5) / height, (torch.arange(width) + 0.5) / width, indexing="ij"
    )
    return torch.stack([across, down], dim=-1).flatten(0, 1)


def canonical_places(
    matrix: Float[Tensor, "p 2 3"], size: torch.Size, factor: int, side: int
) -> Float[Tensor, "p hw 2"]:
    """Places of a picture's latent pixels in the aligned face, in sides of it; far ones count as just beyond it.

    Never in bfloat16, which has no pixels beyond the 256th.
    """
    down, across = torch.meshgrid(*(torch.arange(length) for length in size), indexing="ij")
    grid = torch.stack([across, down], dim=-1).flatten(0, 1).to(matrix)
    pixels = (grid + 0.5) * factor - 0.5
    with torch.autocast(matrix.device.type, enabled=False):
        aligned = pixels @ matrix[:, :, :2].transpose(1, 2) + matrix[:, None, :, 2]
    return ((aligned + 0.5) / side).clamp(-0.25, 1.25)


def waves(places: Float[Tensor, "*n 2"]) -> Float[Tensor, "*n k"]:
    """Sines and cosines of places."""
    angles = torch.pi * (places[..., None] * places.new_tensor(FREQUENCIES)).flatten(-2)
    return torch.cat([angles.sin(), angles.cos()], dim=-1)


def reduced(faces: Float[Tensor, "n 3 s s"], side: int) -> Float[Tensor, "n 3 r r"]:
    """Faces of at most so many pixels; smaller ones as they are."""
    if faces.shape[-1] <= side:
        return faces
    return F.interpolate(faces, (side, side), mode="bilinear", antialias=True)
