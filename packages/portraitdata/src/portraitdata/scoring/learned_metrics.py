"""Learned metrics through torchmetrics and pyiqa: built if package and weights are there, else the reason why not."""

import os
import shutil
import sys
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, redirect_stdout
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory

import torch
from torch import Tensor

from faceops.error_sentences import is_out_of_memory
from portraitdata.scoring.learned_metric_table import LearnedMetric
from portraitdata.scoring.metric import Column, ImagePair, Metric, SetMetric, UnavailableMetricError

PYIQA_LICENCE = (
    "pyiqa is under the PolyForm Noncommercial licence 1.0.0: whoever scores with it for a commercial purpose needs "
    "another licence of its authors."
)
INSTALLED_BY = {"pyiqa": "pyiqa 'setuptools<81'"}
"""Extra of this package that brings a library."""


class NonCommercialWarning(UserWarning):
    """A library that must not be used for commercial purposes is about to be."""


class NetworkMetric:
    """A learned metric of one image.

    Args:
        function: From a restored image and its target to the number.
    """

    def __init__(self, row: LearnedMetric, function: Callable[[Tensor, Tensor], Tensor]) -> None:
        self.name = row.name
        self.function = function
        self.columns = (Column(row.name, row.convention, row.higher_is_better),)

    def __call__(self, pair: ImagePair) -> tuple[float]:
        """The number of one pair; ValueError if the network does not take the image, as one that is too small."""
        try:
            with torch.inference_mode(), redirect_stdout(sys.stderr):
                return (float(self.function(pair.restored, pair.target).reshape(())),)
        except (RuntimeError, AssertionError) as error:
            if is_out_of_memory(error):
                raise
            raise ValueError(f"{self.name} cannot measure {pair.name}: {first_line(error)}") from error


class FolderMetric:
    """FID of two lists of files, by a function of two folders.

    Args:
        function: From the folder of restored files and the one of targets to the number.
    """

    def __init__(self, row: LearnedMetric, function: Callable[[str, str], float]) -> None:
        self.column = Column(row.name, row.convention, row.higher_is_better)
        self.function = function

    def __call__(self, restored: Sequence[Path], target: Sequence[Path]) -> float:
        """The number; exactly these files count, whatever else is beside them."""
        with TemporaryDirectory() as place:
            folders = Path(place, "restored"), Path(place, "target")
            for folder, files in zip(folders, (restored, target), strict=True):
                gather(files, folder)
            with redirect_stdout(sys.stderr):
                return float(self.function(str(folders[0]), str(folders[1])))


def gather(files: Sequence[Path], folder: Path) -> None:
    """Make a folder that shows just these files, by number; copies where the system has no links."""
    folder.mkdir()
    for number, file in enumerate(files):
        shown = folder / f"{number:06}{file.suffix.lower()}"
        try:
            shown.symlink_to(file.resolve())
        except OSError:
            shutil.copyfile(file, shown)


def build_learned(row: LearnedMetric, *, download: bool = False, device: str = "cpu") -> Metric | SetMetric:
    """Metric of a row of the table. pyiqa is announced by a `NonCommercialWarning`.

    Args:
        download: Let the library fetch weights that are missing.

    Raises:
        UnavailableMetricError: If package or weights are missing, or the library cannot use them.
    """
    packages = ("torchmetrics", "torchvision") if row.library == "torchmetrics" else ("pyiqa",)
    for package in packages:
        if find_spec(package) is None:
            raise UnavailableMetricError(
                f"{package} is not installed; `pip install {INSTALLED_BY.get(package, package)}` brings it."
            )
    if row.missing and not download:
        raise UnavailableMetricError(missing_sentence(row))
    if row.library == "pyiqa":
        warnings.warn(PYIQA_LICENCE, NonCommercialWarning, stacklevel=2)
    try:
        with loading(download):
            return _torchmetrics(row, device) if row.library == "torchmetrics" else _pyiqa(row, device)
    # Whatever the libraries or their downloads raise: the other metrics are computed.
    except Exception as error:
        raise UnavailableMetricError(f"{row.library} cannot build it: {first_line(error)}") from error


def missing_sentence(row: LearnedMetric) -> str:
    """Name the missing weights, their place and their source.

    Example:
        >>> from portraitdata.scoring.learned_metric_table import LearnedMetric, WeightsFile
        >>> file = WeightsFile("a.pth", "torch", "https://example.org/a.pth")
        >>> missing_sentence(LearnedMetric("a", "pyiqa", "", True, (file,))).split(" are not in ")[0]
        'Its weights a.pth'
    """
    told = [
        f"Its weights {file.file} are not in {file.path.parent}; put them there from {file.url}."
        for file in row.missing
    ]
    return " ".join(told) + " With --download they are fetched."


def first_line(error: BaseException) -> str:
    r"""First line of what an error says, or its kind if it says nothing.

    Example:
        >>> first_line(KeyError()), first_line(ValueError("a\nb"))
        ('KeyError', 'a')
    """
    return next(iter(str(error).splitlines()), "") or type(error).__name__


@contextmanager
def loading(download: bool) -> Iterator[None]:
    """Keep a library's warnings to ourselves, its messages off stdout and, without `download`, Hugging Face offline.

    The other libraries ask a server only for files that are missing, which is known before.
    """
    before = os.environ.get("HF_HUB_OFFLINE")
    if not download:
        os.environ["HF_HUB_OFFLINE"] = "1"
    try:
        with warnings.catch_warnings(), redirect_stdout(sys.stderr):
            warnings.simplefilter("ignore")
            yield
    finally:
        if not download:
            if before is None:
                del os.environ["HF_HUB_OFFLINE"]
            else:
                os.environ["HF_HUB_OFFLINE"] = before


def _torchmetrics(row: LearnedMetric, device: str) -> NetworkMetric:
    image = import_module("torchmetrics.image")
    if row.name == "dists":
        metric = import_module("torchmetrics.image.dists").DeepImageStructureAndTextureSimilarity().to(device)
    else:
        backbone = "vgg" if row.name == "lpips-vgg" else "alex"
        metric = image.LearnedPerceptualImagePatchSimilarity(net_type=backbone, normalize=True).to(device)

    def measure(restored: Tensor, target: Tensor) -> Tensor:
        metric.reset()
        return metric(restored, target)

    return NetworkMetric(row, measure)


def _pyiqa(row: LearnedMetric, device: str) -> NetworkMetric | FolderMetric:
    metric = import_module("pyiqa").create_metric(row.name, device=torch.device(device))
    if row.of_the_set:
        return FolderMetric(row, lambda restored, target: metric(restored, target, num_workers=0, verbose=False))
    if row.compares:
        return NetworkMetric(row, metric)
    return NetworkMetric(row, lambda restored, _: metric(restored))
