"""The mask of a face that has a reference."""

import torch

from faceops.geometry.faces import Faces
from faceops.geometry.landmarks import FFHQ_512
from faceops.images.files import Picture
from headsup.restoring.options import RestoreOptions
from headsup.restoring.photo_restorer import Condition, PhotoRestorer, ReferenceFaces
from portraitdata.restoration.face_masks import at_latent_resolution, box_masks


def test_convention_restoring_and_training_mask_the_same_face_alike() -> None:
    """At x4. The right and the lower edge end half a square of the latent, so that a pixel more or less is seen."""
    box = torch.tensor([[12.2, 12.4, 59.2, 51.4]])
    points = FFHQ_512.scaled(48).tensor().float() + 10
    face = Faces(torch.tensor([0]), box, points[None], torch.ones(1))
    restorer = PhotoRestorer.load("tiny")
    conditions: list[Condition] = []
    unwrapped = restorer._denoise

    def noted(z_l: torch.Tensor, condition: Condition, *rest: object) -> torch.Tensor:
        conditions.append(condition)
        return unwrapped(z_l, condition, *rest)  # type: ignore[arg-type]

    restorer._denoise = noted  # type: ignore[method-assign]
    small = face.rescaled(1 / 4)
    reference = torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    low = Picture(torch.rand(3, 16, 20, generator=torch.Generator().manual_seed(1)))
    restorer(low, RestoreOptions(scale=4.0), ReferenceFaces(small.boxes, small.landmarks, reference))

    training = at_latent_resolution(box_masks(box, torch.tensor([True]), 64, 80), restorer.factor)
    assert torch.equal(conditions[0].mask, training)
    assert training[0, 0, 3].tolist() == [0, 0, 1, 1, 1, 1, 1, 1, 0, 0]
