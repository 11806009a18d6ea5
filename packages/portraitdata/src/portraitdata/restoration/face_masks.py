"""The binary mask that says where the referenced face is (M of HeadsUp, Section 2.4)."""

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor


def box_masks(
    boxes: Float[Tensor, "b 4"], present: Bool[Tensor, " b"], height: int, width: int
) -> Bool[Tensor, "b 1 {height} {width}"]:
    """Pixels whose centres lie in the box of each image; none where no box is present.

    Args:
        boxes: Left, top, right and bottom edge in pixels, pixel centres at integers; the edges belong to the box, which
            may reach beyond the image.
        present: Which images have a box; what stands in the other rows does not matter.

    Example:
        >>> box_masks(torch.tensor([[1.0, 0.2, 2.0, 9.0]]), torch.tensor([True]), 3, 4)[0, 0].int().tolist()
        [[0, 0, 0, 0], [0, 1, 1, 0], [0, 1, 1, 0]]
    """
    left, top, right, bottom = boxes[:, :, None, None].unbind(1)
    rows = torch.arange(height, device=boxes.device)[:, None]
    columns = torch.arange(width, device=boxes.device)[None, :]
    inside = (rows >= top) & (rows <= bottom) & (columns >= left) & (columns <= right)
    return (inside & present[:, None, None]).unsqueeze(1)


def at_latent_resolution(masks: Bool[Tensor, "b 1 h w"], factor: int = 8) -> Float[Tensor, "b 1 lh lw"]:
    """M^resize of HeadsUp, Section 2.4: a latent pixel is one if the face covers at least half of its square.

    The paper says "resized" only. Binary, as the mask itself is said to be; a face smaller than a latent pixel that
    covers half of none would vanish, so the one it covers most is kept.

    Args:
        masks: At the resolution of the HQ image.
        factor: Pixels of a side for each latent pixel; 8 for Stable Diffusion.

    Raises:
        ValueError: If the masks are no multiple of the factor.

    Example:
        >>> masks = torch.zeros(1, 1, 16, 16, dtype=torch.bool)
        >>> masks[..., :8, 3:] = True
        >>> at_latent_resolution(masks).tolist()
        [[[[1.0, 1.0], [0.0, 0.0]]]]
    """
    height, width = masks.shape[-2:]
    if height % factor or width % factor:
        raise ValueError(f"Masks of {height} x {width} pixels are no multiple of the {factor} pixels of a latent one.")
    share = F.avg_pool2d(masks.float(), factor)
    most = share.amax(dim=(2, 3), keepdim=True)
    return ((share >= 0.5) | ((most < 0.5) & (most > 0) & (share == most))).float()
