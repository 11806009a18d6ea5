"""Restorers of any weights, as rows of a table."""

from collections.abc import Mapping
from typing import NamedTuple

from jaxtyping import Float
from torch import Tensor

from benchmarks.given.given_tests import Task
from benchmarks.given.planned_tests import BLENDING, WITH_REFERENCE, PlannedTests
from benchmarks.headsup.methods import Method, by_blending, by_restorer, enlarged
from benchmarks.headsup.public_methods import by_public_restorer, compact
from benchmarks.headsup.samples import Sample
from benchmarks.photographs import NoPhotographsError
from faceops.detection.detector import Detector
from faceops.device import select_device
from faceops.images.files import Picture
from headsup.restoring.photo_restorer import PhotoRestorer
from headsup.restoring.public_restorers.public_restorer import PublicRestorer
from headsup.restoring.public_restorers.spandrel_networks import load_spandrel
from headsup.weights.shipped import find_weights
from hime.network import HIME
from hime.upscaling.picture_upscaling import upscale
from hime.weights.files import load_network
from portraitdata.images.resampling import bicubic

Loaded = PhotoRestorer | PublicRestorer | HIME


class Rows(NamedTuple):
    """Methods of a table, and what is to be said of those that are missing."""

    methods: Mapping[str, Method]
    remarks: tuple[str, ...]


def load_restorers(tests: PlannedTests) -> dict[str, Loaded]:
    """Restorers by the name of their row.

    Raises:
        ValueError: If a file does not hold what its kind says, or torch sees no such device.
        OSError: If something is missing, as the base model of weights.
    """
    device = select_device(tests.given.device)
    found: dict[str, Loaded] = {}
    for name, weights in tests.given.weights.items():
        if tests.kinds[name] == "headsup":
            found[name] = PhotoRestorer.load(weights, device=device)
        elif tests.kinds[name] == "hime":
            found[name] = load_network(weights, device)
        else:
            found[name] = load_spandrel(find_weights(weights), device)
    return found


def rows_of(
    restorers: Mapping[str, Loaded], task: Task, scale: int, has_references: bool, detector: Detector | None
) -> Rows:
    """Rows of a test set: the enlarged input, and what each restorer makes of it.

    Args:
        restorers: By name.
        task: What the set tests.
        scale: Sides of the truths divided by those of the inputs.
        has_references: Whether references can be used; a row more for those that know what to do with them.
        detector: Finds faces; None if there is none.
    """
    methods: dict[str, Method] = {"input" if scale == 1 else "bicubic": enlarged}
    remarks: list[str] = []
    for name, restorer in restorers.items():
        if isinstance(restorer, HIME):
            methods[name] = by_hime(restorer, None)
            if has_references and detector is not None:
                methods[name + WITH_REFERENCE] = by_hime(restorer, detector)
        elif isinstance(restorer, PhotoRestorer):
            methods[name] = by_restorer(restorer, referenced=False)
            if has_references:
                methods[name + WITH_REFERENCE] = by_restorer(restorer, referenced=True)
        elif restorer.maker.face_side is None or task == "faces":
            methods[name] = by_public_restorer(restorer)
        else:
            remarks += add_blending(methods, name, restorer, task, detector)
        if isinstance(restorer, PublicRestorer) and restorer.maker.note:
            remarks.append(restorer.maker.note)
    return Rows(methods, tuple(remarks))


def add_blending(
    methods: dict[str, Method], name: str, restorer: PublicRestorer, task: Task, detector: Detector | None
) -> list[str]:
    """Add the row of a restorer of faces alone, which are pasted over a general one's picture; else say why not."""
    if task == "general" or detector is None:
        what = "the set has pictures of anything" if task == "general" else "there is no detector to find them"
        return [f"Without {name}: it restores aligned faces alone, and {what}."]
    try:
        general = compact()
    except NoPhotographsError as error:
        return [f"Without {name}: it restores aligned faces alone, and what they would be pasted over {error}."]
    methods[f"{BLENDING}{name}"] = by_blending(general, restorer, restorer.maker.face_side)
    return []


def by_hime(network: HIME, detector: Detector | None) -> Method:
    """HIME's network; an input that would become larger than the truth is reduced before.

    Args:
        network: Network of any scale.
        detector: Finds the faces by which references are aligned to the input; None for no references.
    """

    def method(sample: Sample) -> Float[Tensor, "3 h w"]:
        height, width = sample.truth.shape[1:]
        low = bicubic(sample.low, -(-height // network.scale), -(-width // network.scale)).clamp(0, 1)
        exemplars = [Picture(image) for image in (sample.reference, *sample.further) if image is not None]
        used = exemplars if detector is not None else []
        made = upscale(network, Picture(low), used, detector=detector).picture.pixels
        return made[:, :height, :width].cpu()

    return method
