"""PSNR of the face's box, RGB."""

from benchmarks.measures.laplacian_band import pixel_box
from portraitdata.scoring.face_geometry import FaceFinder
from portraitdata.scoring.metric import Column, ImagePair
from portraitdata.scoring.psnr import psnr


class FacePsnr:
    """PSNR within the box of the truth's face, in dB.

    Args:
        finder: Where the face is; of the truth.
    """

    columns = (Column("psnr_face", "RGB, face box", higher_is_better=True, digits=2),)

    def __init__(self, finder: FaceFinder) -> None:
        self.finder = finder

    def __call__(self, pair: ImagePair) -> tuple[float]:
        """The number of one pair.

        Raises:
            NoFaceInImageError: If the truth shows no face.
        """
        left, top, right, bottom = pixel_box(self.finder.target(pair).boxes[0], *pair.target.shape[-2:])
        part = (..., slice(top, bottom), slice(left, right))
        return (psnr(pair.restored[part], pair.target[part], "rgb").item(),)
