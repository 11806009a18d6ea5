"""Portraits that the shipped restorer was not trained on, indexed as for its training, from PORTRAIT_ASSETS.

`held_out/*.txt` are the photographs that `portraitdata portrait-index` put aside for testing before the training
(docs/train-headsup.md). They alone are copied and indexed here; a training index that is on the machine must put aside
the same.
"""

import tarfile
from collections.abc import Callable, Sequence
from contextlib import redirect_stdout
from dataclasses import replace
from io import StringIO
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image, ImageOps

from benchmarks.photographs import photographs
from benchmarks.reporting.table import LeftOutError
from faceops.atomic_files import replacing
from portraitdata.commands.index_options import PortraitIndexOptions
from portraitdata.commands.portrait_index import run_portrait_index
from portraitdata.restoration.index.portrait_index import PortraitIndex

HELD_OUT = Path(__file__).parent / "held_out"
"""Lists of names."""

FOLDER = Path("outputs/benchmarks/portraits")
"""Where copies, indexes and pictures lie."""

TRAINING = Path("outputs/indexes")
"""Where docs/train-headsup.md has the indexes of the training."""

SIDE, QUALITY = 512, 97
"""Shorter side of the copies in pixels, and their JPEG quality: those of the training."""

MIN_EYES = 30.0
"""Least distance of the eyes in pixels, as in the training."""


def held_out_portraits() -> PortraitIndex:
    """Sixteen portraits of 512 pixels: seven people of the London set, twice each, and two of the staff portraits.

    Raises:
        NoPhotographsError: If they are to be made and PORTRAIT_ASSETS leads nowhere.
        LeftOutError: If they were trained on.
    """
    return _indexed("portraits", copy_portraits, duplicates=0.99)


def held_out_lfw() -> PortraitIndex:
    """373 photographs of Labeled Faces in the Wild, 250 pixels.

    Raises:
        NoPhotographsError: If they are to be made and PORTRAIT_ASSETS leads nowhere.
        LeftOutError: If they were trained on.
    """
    return _indexed("lfw", copy_lfw)


def held_out(name: str) -> tuple[str, ...]:
    """Names of the photographs of a list, within its folder."""
    return tuple((HELD_OUT / f"{name}.txt").read_text(encoding="utf-8").split())


def _indexed(name: str, bring: Callable[[Path, Sequence[str], Path], None], duplicates: float = 0.95) -> PortraitIndex:
    """The index of a list, made if it is not there."""
    names, folder = held_out(name), FOLDER / name
    if not (folder / "index/images.parquet").is_file():
        assets = photographs()
        bring(assets / "images", names, folder / "photographs")
        weights = assets / "weights"
        options = PortraitIndexOptions(
            folder / "photographs",
            output=folder / "split",
            duplicates=duplicates,
            min_eyes=MIN_EYES,
            test_share=0.0,
            detector="yunet",
            detector_weights=str(weights / "detect/yunet_n_640_640.onnx"),
            identity_weights=str(weights / "identity/mobilefacenet_foamliu.pt"),
        )
        with redirect_stdout(StringIO()):
            run_portrait_index(options)
        for_testing(PortraitIndex.read(folder / "split")).write(folder / "index")
    index = PortraitIndex.read(folder / "index")
    check_unseen(index.images["path"].to_pylist(), names, TRAINING / name)
    return index


def for_testing(index: PortraitIndex) -> PortraitIndex:
    """An index all of which is for testing."""
    column = index.images.column_names.index("split")
    return replace(index, images=index.images.set_column(column, "split", pa.array(["test"] * len(index))))


def check_unseen(paths: Sequence[str], names: Sequence[str], training: Path) -> None:
    """Refuse to test on anything but the list, or on what was trained on.

    Args:
        paths: Photographs to test on.
        names: The list.
        training: Index of the training; it need not be there.

    Raises:
        LeftOutError: If the photographs are not those of the list, or the training did not put aside just these.
    """
    tested = set(paths)
    if tested != set(names):
        raise LeftOutError(f"tests on {len(tested)} photographs which are not the {len(names)} held out; remove them")
    if (training / "images.parquet").is_file():
        table = pq.read_table(training / "images.parquet", columns=["path", "split"]).to_pylist()
        aside = {row["path"] for row in table if row["split"] == "test"}
        if aside != tested:
            raise LeftOutError(
                f"may not test on what was trained on: of {len(tested)} photographs, {training} has "
                f"{len(tested & aside)} in its test split, which has {len(aside)}"
            )


def copy_portraits(images: Path, names: Sequence[str], target: Path) -> None:
    """Reduce portraits to a shorter side of `SIDE` pixels.

    Args:
        images: Folder with `portraits`.
        names: Which, ending in .jpg as their copies do.
        target: Folder of the copies.
    """
    for name in names:
        with Image.open(images / "portraits" / name) as opened:
            image = ImageOps.exif_transpose(opened).convert("RGB")
        factor = min(1.0, SIDE / min(image.size))
        image = image.resize((round(image.width * factor), round(image.height * factor)), Image.Resampling.LANCZOS)
        (target / name).parent.mkdir(parents=True, exist_ok=True)
        with replacing(target / name) as temporary:
            image.save(temporary, format="JPEG", quality=QUALITY)


def copy_lfw(images: Path, names: Sequence[str], target: Path) -> None:
    """Take photographs out of the archive of Labeled Faces in the Wild.

    Args:
        images: Folder with the archive.
        names: Which, as the archive names them.
        target: Folder of the copies.
    """
    with tarfile.open(images / "lfw_min4_max10.tar") as archive:
        archive.extractall(target, [archive.getmember(name) for name in names], filter="data")
