"""Alignment of 32 faces in photographs of 1024 pixels to 512: face by face, by copies, by kornia, and ours."""

from collections.abc import Callable
from functools import partial
from importlib.util import find_spec

import torch
import torch.nn.functional as F
from torch import Tensor

from benchmarks.reporting.table import Cell, Suite, Table
from benchmarks.speed.machine_limits import machine_limits
from benchmarks.speed.timing import cpu_seconds, kept_bytes
from faceops.geometry.alignment import alignment_matrix, crop_faces
from faceops.geometry.landmarks import FFHQ_512
from faceops.geometry.warping import normalised

IMAGES = 8
FACES_EACH = 4
SIDE = 1024
SIZE = 512
REPEATS = 3

Align = Callable[[Tensor, Tensor, Tensor], Tensor]


def face_by_face(images: Tensor, matrix: Tensor, index: Tensor) -> Tensor:
    """The common way: a loop over faces, each sampled from its image."""
    theta = normalised(matrix, (SIDE, SIDE), (SIZE, SIZE)).float()
    crops = []
    for i, image in enumerate(index.tolist()):
        grid = F.affine_grid(theta[i : i + 1], [1, 3, SIZE, SIZE], align_corners=False)
        crops.append(F.grid_sample(images[image : image + 1], grid, align_corners=False))
    return torch.cat(crops)


def by_copies(images: Tensor, matrix: Tensor, index: Tensor) -> Tensor:
    """The other common way: a copy of the image for each face, all sampled at once."""
    theta = normalised(matrix, (SIDE, SIDE), (SIZE, SIZE)).float()
    grid = F.affine_grid(theta, [len(index), 3, SIZE, SIZE], align_corners=False)
    return F.grid_sample(images[index], grid, align_corners=False)


def by_kornia(images: Tensor, matrix: Tensor, index: Tensor) -> Tensor:
    """kornia, which wants a copy of the image for each face, too."""
    from kornia.geometry.transform import warp_affine

    return warp_affine(images[index], matrix, (SIZE, SIZE))


def by_faceops(images: Tensor, matrix: Tensor, index: Tensor) -> Tensor:
    """Ours."""
    return crop_faces(images, matrix, index, SIZE).crops


def measure(suite: Suite) -> list[Table]:
    """CPU time of a pass forward and of both, memory between them, and the distance of the crops from ours."""
    generator = torch.Generator().manual_seed(0)
    images = torch.rand(IMAGES, 3, SIDE, SIDE, generator=generator).requires_grad_()
    index = torch.arange(IMAGES * FACES_EACH) % IMAGES
    matrix = alignment_matrix(scattered_landmarks(len(index), generator), SIZE)
    ways: dict[str, Align] = {"face by face": face_by_face, "by copies": by_copies}
    if find_spec("kornia"):
        ways["kornia"] = by_kornia
    ways["faceops"] = by_faceops

    def forward(way: Align) -> Tensor:
        with torch.no_grad():
            return way(images, matrix, index)

    def both(way: Align) -> Tensor:
        return torch.autograd.grad(way(images, matrix, index).square().sum(), images)[0]

    forward_passes = cpu_seconds([partial(forward, way) for way in ways.values()], REPEATS)
    both_passes = cpu_seconds([partial(both, way) for way in ways.values()], REPEATS)
    ours = forward(by_faceops)
    rows: list[tuple[Cell, ...]] = [
        (
            name,
            1e3 * once,
            1e3 * twice,
            kept_bytes(partial(way, images, matrix, index)) / 2**20,
            255 * (forward(way) - ours).abs().max().item(),
        )
        for (name, way), once, twice in zip(ways.items(), forward_passes, both_passes, strict=True)
    ]
    limits = machine_limits()
    there, back = 2 * ours.nbytes, ours.nbytes + images.nbytes
    rows.append(("limit", 1e3 * limits.seconds(0, there), 1e3 * limits.seconds(0, there + back), "", ""))
    columns = ("way", "forward ms", "both ms", "kept MiB", "farthest, of 255")
    title = f"Alignment of {len(index)} faces in {IMAGES} images of {SIDE} pixels to {SIZE}"
    note = (
        "Counted are the bytes of the crops, read and written, and for both passes those of the crops' gradient, read, "
        f"and the images', written. {limits.remark()}"
    )
    return [Table("face_alignment", title, columns, tuple(rows), ("forward ms", "both ms"), "CPU time, ms", note)]


def scattered_landmarks(count: int, generator: torch.Generator) -> Tensor:
    """Faces with eyes about 100 pixels apart, anywhere and turned."""
    angle = torch.rand(count, generator=generator) - 0.5
    scale = 0.7 + 0.2 * torch.rand(count, generator=generator)
    turn = torch.stack((angle.cos(), -angle.sin(), angle.sin(), angle.cos()), dim=-1).unflatten(-1, (2, 2))
    centre = 300 + 424 * torch.rand(count, 1, 2, generator=generator)
    return (FFHQ_512.tensor().float() - 256) @ (scale.reshape(-1, 1, 1) * turn).mT + centre
