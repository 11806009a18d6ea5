"""Third stage: images are decoded, hashed, checked for size again, and judged."""

from hashlib import sha256
from importlib import import_module
from typing import Protocol, runtime_checkable

import cv2
import numpy as np
import torch
from jaxtyping import UInt8
from torch import Tensor

from faceops.images.decoding import decode_raster
from faceops.images.files import srgb_bytes
from portraitdata.builder.candidates import Batch
from portraitdata.builder.config import BuildConfig, Scorer, StageName
from portraitdata.builder.image_bytes import ImageBytes
from portraitdata.builder.marking import Drop, Takedown, drop_where, kept_rows
from portraitdata.builder.stages.index_stage import fits, wrong_size
from portraitdata.builder.stages.perceptual_hash import perceptual_hash


@runtime_checkable
class Judge(Protocol):
    """Gives an image (1, 3, h, w), RGB in [0, 1], one number, higher for better."""

    def __call__(self, image: Tensor) -> Tensor | float:
        """Judge an image."""


class Quality:
    """Decodes images once for everything that only pixels tell, except faces.

    Raises:
        ValueError: If a judge's class is not there.
        ImportError: If a judge needs a package that is not installed.
    """

    name: StageName = "quality"
    at_once: int | None = 16

    def __init__(self, config: BuildConfig) -> None:
        self._rule, self._settings = config.size, config.quality
        self._takedown, self._bytes = Takedown(config), ImageBytes(config)
        self._judges = [(scorer, build_judge(scorer)) for scorer in config.quality.scorers]

    def __call__(self, batch: Batch) -> Batch:
        """Fill in hashes, size, sharpness and scores; mark what is damaged, of another size, or not good enough."""
        rows = kept_rows(batch)
        drop_where(batch, self.name, self._bytes, lambda row: self._why(batch, row))
        for row in rows:  # last, as the hash of the content is known only now
            self._takedown.apply(batch, row, self.name)
        return batch

    def _why(self, batch: Batch, row: int) -> Drop | None:
        data = self._bytes.read(batch, row)
        batch["sha256"][row] = sha256(data).hexdigest()
        raster = decode_raster(data, batch["path"][row])
        height, width = raster.samples.shape[:2]
        batch["width"][row], batch["height"][row] = width, height
        if not fits(width, height, self._rule):
            return wrong_size(width, height)
        pixels = srgb_bytes(raster, 0, 0, height, width)
        grey = reduced_grey(pixels, self._settings.sharpness_side)
        batch["phash"][row] = perceptual_hash(grey)
        batch["sharpness"][row] = sharpness(grey)
        if batch["sharpness"][row] < self._settings.sharpness_at_least:
            return Drop("not sharp", f"sharpness {batch['sharpness'][row]:.1f}")
        return self._judged(batch, row, pixels) if self._judges else None

    def _judged(self, batch: Batch, row: int, pixels: UInt8[np.ndarray, "3 h w"]) -> Drop | None:
        image = torch.from_numpy(pixels).unsqueeze(0).float() / 255
        for scorer, judge in self._judges:
            with torch.inference_mode():
                score = float(judge(image))
            batch[scorer.column][row] = score
            if scorer.at_least is not None and not score >= scorer.at_least:
                return Drop(f"low {scorer.column}", f"{scorer.column} {score:.3g}")
        return None


def build_judge(scorer: Scorer) -> Judge:
    """The judge that a scorer names; ValueError if there is no such class."""
    module, _, name = scorer.judge.rpartition(".")
    try:
        kind = getattr(import_module(module), name)
    except (ModuleNotFoundError, AttributeError, ValueError) as error:
        raise ValueError(
            f"There is no judge of images {scorer.judge}; name a class by its modules and dots."
        ) from error
    return kind(**scorer.arguments)


def reduced_grey(pixels: UInt8[np.ndarray, "3 h w"], side: int) -> UInt8[np.ndarray, "k l"]:
    """Luma, reduced by means of areas to a longer side of at most `side` pixels."""
    grey = cv2.cvtColor(np.ascontiguousarray(pixels.transpose(1, 2, 0)), cv2.COLOR_RGB2GRAY)
    height, width = grey.shape
    scale = min(1.0, side / max(height, width))
    size = max(1, round(width * scale)), max(1, round(height * scale))
    return grey if scale == 1 else cv2.resize(grey, size, interpolation=cv2.INTER_AREA)


def sharpness(grey: UInt8[np.ndarray, "h w"]) -> float:
    """Variance of the Laplacian, the focus measure of Pech-Pacheco et al. (2000); in squares of 255ths.

    Example:
        >>> board = np.indices((8, 8)).sum(axis=0).astype(np.uint8) % 2 * 255
        >>> sharpness(board) > 1e5, sharpness(np.full((8, 8), 128, np.uint8))
        (True, 0.0)
    """
    return float(np.float32(cv2.Laplacian(grey, cv2.CV_64F).var()))
