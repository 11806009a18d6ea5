"""Face identity loss, L_F^id (HeadsUp, Section 2.3, the equation after Eq. 4)."""

from collections.abc import Callable

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from faceops.geometry.alignment import template_matrix
from faceops.geometry.landmarks import FFHQ_512
from faceops.geometry.warping import warp_affine
from faceops.recognition.identity import IdentityNetwork, reference_similarity, similarity
from headsup.losses.faces import mean_over_faces

LEAST_AGREEMENT = 1e-4
"""Below this, ``(phi + 1) / 2`` of the identity loss is taken for this: log 0 is no number to train on."""


def identity_loss(
    predicted_truth: Float[Tensor, " n"],
    predicted_reference: Float[Tensor, " n"] | None = None,
    truth_reference: Float[Tensor, " n"] | None = None,
) -> Float[Tensor, " n"]:
    """The identity loss that HeadsUp builds of Eq. 4, of every face, for reports and for training.

    ``-log((phi(p, t) + 1) / 2) - log((phi(p, r) + 1) / 2) phi(t, r)``. A similarity with an absent reference is zero,
    and so is its term. The paper does not guard its logarithms; here their arguments are at least `LEAST_AGREEMENT`.
    A reference that is less like the truth than a stranger has a negative weight, as the formula says.

    Args:
        predicted_truth: Similarity of the predicted and the true face.
        predicted_reference: Of the predicted face and the reference, 0 where there is none.
        truth_reference: Of the true face and the reference, 0 where there is none.

    Raises:
        ValueError: If only one of the similarities with the reference is given.

    Example:
        >>> one, none = torch.tensor([1.0, 0.0, -1.0]), torch.zeros(3)
        >>> [round(value, 4) + 0.0 for value in identity_loss(one, none, none).tolist()]
        [0.0, 0.6931, 9.2103]
    """
    if (predicted_reference is None) != (truth_reference is None):
        raise ValueError(
            "The reference term needs the similarity of the reference with the predicted and with the true face; got "
            "one of them. Give both, or none."
        )
    loss = -((predicted_truth + 1) / 2).clamp(min=LEAST_AGREEMENT).log()
    if predicted_reference is None or truth_reference is None:
        return loss
    return loss - ((predicted_reference + 1) / 2).clamp(min=LEAST_AGREEMENT).log() * truth_reference


def face_identity(
    restored: Float[Tensor, "n d"],
    truth: Float[Tensor, "n d"],
    reference: Float[Tensor, "n d"] | None = None,
    present: Bool[Tensor, " n"] | None = None,
) -> Float[Tensor, ""]:
    """Mean over faces of -log((phi(r, t) + 1) / 2) - log((phi(r, x_r) + 1) / 2) phi(t, x_r).

    phi is the cosine of embeddings of restored face r, true face t and reference x_r. Without a reference phi is zero
    and the first term is left. The last factor is a weight: gradients flow to the restored faces only. The paper's
    formula is kept where the weight is negative, for a reference that is less like the truth than a stranger: it then
    pushes the restored face away from it. Its logarithms are guarded, see `identity_loss`, so that
    loss and gradient are finite also at phi = -1. Computed in float32 at least.

    Args:
        restored: Embeddings of restored faces, of any length.
        truth: Of the true faces.
        reference: Of the references; None if there is none at all.
        present: Which references are there; None means all.

    Example:
        >>> a, b = torch.tensor([[1.0, 0.0]]), torch.tensor([[0.0, 1.0]])
        >>> round(face_identity(a, b).item(), 4), round(face_identity(a, b, b).item(), 4)
        (0.6931, 1.3863)
    """
    restored = restored.to(torch.promote_types(restored.dtype, torch.float32))
    truth = truth.detach().to(restored.dtype)
    reference = None if reference is None else reference.detach().to(restored.dtype)
    loss = identity_loss(
        similarity(restored, truth),
        reference_similarity(restored, reference, present),
        reference_similarity(truth, reference, present),
    )
    return mean_over_faces(loss)


class FaceIdentity(nn.Module):
    """`face_identity` of aligned faces on a frozen recognition network R.

    The network moves with this module, but it is none of its parts: it is in no checkpoint, no optimizer reaches it,
    and it stays in evaluation mode and in its own precision. It sees every face outside autocast, as the angle between
    two alike faces is lost in the rounding of half precision.

    Args:
        network: Such as `faceops.recognition.identity.build_identity` makes. The paper's is one of CVLFace; it does
            not say which.
    """

    place: Tensor

    def __init__(self, network: IdentityNetwork) -> None:
        super().__init__()
        if isinstance(network, nn.Module):
            network.eval().requires_grad_(False)
        # a tuple hides it from nn.Module
        self._network = (network,)
        self.register_buffer("place", torch.empty(0), persistent=False)

    @property
    def network(self) -> IdentityNetwork:
        """The recognition network."""
        return self._network[0]

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> "FaceIdentity":
        super()._apply(fn, recurse)
        if isinstance(self.network, nn.Module):
            self.network.to(self.place.device)
        return self

    def forward(
        self,
        restored: Float[Tensor, "n 3 s s"],
        truth: Float[Tensor, "n 3 s s"],
        reference: Float[Tensor, "n 3 r r"],
        present: Bool[Tensor, " n"],
    ) -> Float[Tensor, ""]:
        """Compare faces aligned to FFHQ, RGB in [0, 1], see `headsup.losses.faces.face_pairs`.

        Args:
            restored: Of restored images.
            truth: The same faces of the true images.
            reference: Of other photographs; what stands in absent rows does not matter.
            present: Which references are there.
        """
        if not len(restored):
            # not every network takes an empty batch
            return restored.float().sum()
        restored_embeddings = self.embed(restored)
        with torch.no_grad():
            truth_embeddings = self.embed(truth)
            reference_embeddings = torch.zeros_like(truth_embeddings)
            if present.any():
                reference_embeddings[present] = self.embed(reference[present])
        return face_identity(restored_embeddings, truth_embeddings, reference_embeddings, present)

    def embed(self, faces: Float[Tensor, "n 3 s s"]) -> Float[Tensor, "n d"]:
        """Embeddings of faces aligned to FFHQ, cut as the network wants them."""
        template = self.network.input_template
        with torch.autocast(faces.device.type, enabled=False):
            matrix = template_matrix(FFHQ_512.scaled(faces.shape[-1]), template)
            cut = warp_affine(faces.float(), matrix.expand(len(faces), -1, -1), self.network.input_size, antialias=True)
            return self.network(cut)
