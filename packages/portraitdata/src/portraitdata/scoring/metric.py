"""Interface of metrics, which give one or more numbers for a restored image and its target."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor


class UnavailableMetricError(RuntimeError):
    """A metric that cannot be computed here; the text says what is missing and what to do."""


class NoFaceInImageError(ValueError):
    """No face where one was wanted.

    Example:
        >>> str(NoFaceInImageError("a", "target"))
        'No face was found in the target a.'
    """

    def __init__(self, name: str, role: Literal["target", "restored", "reference"]) -> None:
        super().__init__(f"No face was found in the {role}{' image' if role == 'restored' else ''} {name}.")
        self.name, self.role = name, role


@dataclass(frozen=True)
class Column:
    """A number of a metric, as tables have it."""

    name: str
    """As in the JSON."""
    convention: str
    """Convention in a few words; printed beside the number."""
    higher_is_better: bool
    digits: int = 4
    """After the point, where people read it."""

    @property
    def heading(self) -> str:
        """Name and convention, as a heading of a CSV.

        Example:
            >>> Column("psnr", "RGB, crop 0", True, 2).heading
            'psnr (RGB, crop 0)'
        """
        return f"{self.name} ({self.convention})"

    def shown(self, value: float | None) -> str:
        """A number as people read it.

        Example:
            >>> Column("psnr", "RGB, crop 0", True, 2).shown(28.125), Column("id", "", True).shown(None)
            ('28.12', '-')
        """
        return "-" if value is None else f"{value:.{self.digits}f}"


@dataclass(frozen=True, eq=False)
class ImagePair:
    """A restored image, its target, and what goes with them."""

    name: str
    restored: Float[Tensor, "1 3 h w"]
    """RGB in [0, 1]."""
    target: Float[Tensor, "1 3 h w"]
    reference: Float[Tensor, "1 3 rh rw"] | None = None
    """Another photograph of the person, of any size."""
    mask: Float[Tensor, "1 1 h w"] | None = None
    """Mask that a face was pasted with, in [0, 1]."""


@runtime_checkable
class Metric(Protocol):
    """Gives numbers for one pair of images."""

    @property
    def columns(self) -> Sequence[Column]:
        """Columns of the numbers, in their order."""

    def __call__(self, pair: ImagePair) -> Sequence[float | None]:
        """One number for every column; None where there is nothing to measure, which no mean counts.

        Raises:
            NoFaceInImageError: If nothing can be measured as there is no face.
            ValueError: If the images cannot be measured.
        """


@runtime_checkable
class SetMetric(Protocol):
    """Gives one number for a whole set of pairs, as FID."""

    @property
    def column(self) -> Column:
        """Column of the number."""

    def __call__(self, restored: Sequence[Path], target: Sequence[Path]) -> float:
        """The number, of two lists of files that belong together."""


@dataclass(frozen=True)
class PairMetric:
    """A metric of any function of one pair.

    Example:
        >>> height = PairMetric(Column("height", "pixels", True), lambda pair: float(pair.target.shape[-2]))
        >>> height(ImagePair("a", torch.zeros(1, 3, 4, 6), torch.zeros(1, 3, 4, 6)))
        (4.0,)
    """

    column: Column
    function: Callable[[ImagePair], float | None]
    """None where there is nothing to measure."""

    @property
    def columns(self) -> tuple[Column]:
        """The one column."""
        return (self.column,)

    def __call__(self, pair: ImagePair) -> tuple[float | None]:
        """The number of one pair; raises what the function does."""
        return (self.function(pair),)


@dataclass(frozen=True)
class TensorMetric:
    """A metric of any function of two batches of images; what you need to add your own.

    Example:
        >>> error = TensorMetric(
        ...     Column("mae", "RGB", higher_is_better=False), lambda x, y: (x - y).abs().flatten(1).mean(dim=1)
        ... )
        >>> black, white = torch.zeros(1, 3, 4, 4), torch.ones(1, 3, 4, 4)
        >>> error(ImagePair("a", black, white))
        (1.0,)
    """

    column: Column
    function: Callable[[Tensor, Tensor], Tensor]
    """From restored images and targets (b, 3, h, w), RGB in [0, 1], to one number for each (b)."""

    @property
    def columns(self) -> tuple[Column]:
        """The one column."""
        return (self.column,)

    def __call__(self, pair: ImagePair) -> tuple[float]:
        """The number of one pair."""
        with torch.inference_mode():
            return (float(self.function(pair.restored, pair.target).reshape(())),)
