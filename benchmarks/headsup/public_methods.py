"""Public restorers whose weights lie on this machine, as rows: alone, or blended where they know aligned faces only."""

from pathlib import Path

import torch
from torch import Tensor

from benchmarks.headsup.methods import COMPACT, Method, by_blending, options
from benchmarks.headsup.named_paths import named_paths
from benchmarks.headsup.samples import Sample
from benchmarks.peers.srvgg import SCALE, load_srvgg
from benchmarks.photographs import photographs
from faceops.images.files import Picture
from headsup.restoring.public_restorers.public_restorer import Maker, PublicRestorer
from headsup.restoring.public_restorers.spandrel_networks import load_spandrel

RESTORERS = "PORTRAIT_RESTORERS"
"""Environment variable: NAME=FILE of restorers that spandrel knows, several with the path separator between them."""

CPU = torch.device("cpu")


def public_methods() -> dict[str, Method]:
    """A row of each file that `RESTORERS` names; restorers of faces are blended with Real-ESRGAN's compact network.

    Raises:
        ValueError: If the variable names no files, or a file holds no restorer that spandrel knows.
        OSError: If a file is missing.
        MissingPackageError: If spandrel is not installed.
    """
    found: dict[str, Method] = {}
    for name, path in named_paths(RESTORERS, "FILE").items():
        restorer = load_spandrel(checked(path), CPU)
        if restorer.maker.face_side is None:
            found[name] = by_public_restorer(restorer)
        else:
            found[f"blending, Real-ESRGAN compact + {name}"] = by_blending(
                compact(), restorer, restorer.maker.face_side
            )
    return found


def checked(path: Path) -> Path:
    """The path of a file that is there.

    Raises:
        FileNotFoundError: If it is not.
    """
    if not path.is_file():
        raise FileNotFoundError(f"{RESTORERS} names {path}, but there is no such file.")
    return path


def by_public_restorer(restorer: PublicRestorer) -> Method:
    """A restorer of others, as `headsup blend` uses it for the whole."""

    def method(sample: Sample) -> Tensor:
        return restorer(Picture(sample.low), options(sample)).picture.pixels

    return method


def compact() -> PublicRestorer:
    """Real-ESRGAN's compact network with its public weights.

    Raises:
        NoPhotographsError: If they are not there.
    """
    return PublicRestorer(load_srvgg(photographs() / COMPACT), Maker("Real-ESRGAN compact", SCALE), CPU)
