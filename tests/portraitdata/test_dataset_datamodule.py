"""Training on Hugging Face's `datasets`, by number and as a stream; where it is not installed, on a stand-in for it."""

import io
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace

import numpy as np
import pyarrow.parquet as pq
import pytest
from lightning.pytorch.callbacks import ModelCheckpoint
from PIL import Image

from portraitdata.exemplars.photograph_crops import CorruptPhotograph
from portraitdata.restoration.dataset_datamodule import DatasetRestorationDataModule
from portraitdata.restoration.dataset_rows import RowColumns, RowItems, RowPairs, StreamedPairs
from tests.portraitdata.test_dataset_sources import PICTURES, png, write_parquets, write_webdataset
from tests.portraitdata.test_restoration_datamodule import Recorder, trainer

pytestmark = [
    pytest.mark.filterwarnings("ignore:.*does not have many workers"),
    pytest.mark.filterwarnings("ignore:.*callbacks used to create the checkpoint"),
    pytest.mark.filterwarnings("ignore:.*Checkpoint directory"),
    pytest.mark.filterwarnings("ignore:.*LeafSpec:FutureWarning"),
]


class Table:
    """What of `datasets.Dataset` is used."""

    def __init__(self, rows: list[dict]) -> None:
        self.rows, self.column_names = rows, list(rows[0])

    def cast_column(self, name: str, feature: SimpleNamespace) -> "Table":
        assert name in self.column_names
        assert feature.decode is False
        return self

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, number: int) -> dict:
        return self.rows[number]


class Stream(Table):
    """What of `datasets.IterableDataset` is used: its columns may be unknown, and it has no length."""

    column_names = None

    def __init__(self, rows: list[dict], seed: int | None = None) -> None:
        self.rows, self.seed, self.epoch = rows, seed, 0

    def cast_column(self, name: str, feature: SimpleNamespace) -> "Stream":
        return self

    def shuffle(self, seed: int, buffer_size: int) -> "Stream":
        return Stream(self.rows, seed)

    def set_epoch(self, epoch: int) -> None:
        self.epoch = epoch

    def __iter__(self):
        order = np.random.default_rng((self.seed, self.epoch)).permutation(len(self.rows))
        return (self.rows[number] for number in order)

    __len__ = None


def load_dataset(path: str, data_files=None, data_dir=None, split=None, streaming=False) -> Table:
    assert (path, data_dir, split) == ("parquet", None, "train")
    files = sorted(Path(data_files).parent.glob(Path(data_files).name))
    rows = [row for file in files for row in pq.read_table(file).to_pylist()]
    return Stream(rows) if streaming else Table(rows)


@pytest.fixture(params=["stand-in", "datasets"])
def library(request, monkeypatch, tmp_path) -> str:
    if request.param == "datasets":
        datasets = pytest.importorskip("datasets")
        monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
        datasets.disable_progress_bars()
        return request.param
    module = ModuleType("datasets")
    module.load_dataset, module.Image = load_dataset, SimpleNamespace
    monkeypatch.setitem(sys.modules, "datasets", module)
    return request.param


@pytest.fixture
def files(tmp_path) -> str:
    return str(write_parquets(tmp_path / "source") / "*.parquet")


def data(files: str, **options) -> DatasetRestorationDataModule:
    settings = {"prompt": "caption", "size": 32, "batch_size": 3} | options
    return DatasetRestorationDataModule("parquet", files, **settings)


def run(folder: Path, module: DatasetRestorationDataModule, stop: int = -1, resume: bool = False) -> list[list[tuple]]:
    recorder = Recorder()
    saver = ModelCheckpoint(folder, every_n_train_steps=1, save_last=True, filename="{step}")
    path = folder / "last.ckpt" if resume else None
    trainer(folder, max_steps=stop, callbacks=(saver,)).fit(recorder, module, ckpt_path=path, weights_only=False)
    return recorder.steps


@pytest.mark.parametrize("stop", [2, 6])
def test_rows_with_numbers_resume_exactly(library, files, tmp_path, stop):
    whole = run(tmp_path / "whole", data(files))
    assert len({image[2] for step in whole for image in step}) == 2 * len(PICTURES)  # no LQ twice, of two epochs
    first = run(tmp_path / "parts", data(files), stop=stop)
    assert len(first) == stop
    assert first + run(tmp_path / "parts", data(files), resume=True) == whole


def test_a_stream_begins_its_pass_anew_and_says_so(library, files, tmp_path):
    whole = run(tmp_path / "whole", data(files, streaming=True))
    assert len(whole) == 8
    assert whole[:4] != whole[4:]
    assert len({image[2] for step in whole for image in step}) == 2 * len(PICTURES)
    run(tmp_path / "parts", data(files, streaming=True), stop=6)
    with pytest.warns(UserWarning, match=r"cannot go on where the run was, after 2 batches of pass 1: the pass begins"):
        again = run(tmp_path / "parts", data(files, streaming=True), resume=True)
    assert again[:4] == whole[4:]


def test_webdataset_by_the_library(tmp_path, monkeypatch):
    """Archives as `datasets` reads them: one column for each suffix, and the key."""
    datasets = pytest.importorskip("datasets")
    shards = str(write_webdataset(tmp_path / "source") / "*.tar")
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    module = DatasetRestorationDataModule("webdataset", shards, streaming=True, hq="png", size=32, batch_size=3)
    names = [name for batch in module.train_dataloader() for name in batch.names]
    assert sorted(names) == [f"{number:04d}" for number in range(len(PICTURES))]


def test_a_column_that_is_not_there(library, files):
    with pytest.raises(ValueError, match=r"parquet has no column photo; it has image, label, caption, tags\. Name the"):
        data(files, hq="photo").setup("fit")


def test_without_the_library(monkeypatch):
    monkeypatch.setitem(sys.modules, "datasets", None)
    with pytest.raises(ImportError, match=r"`pip install datasets`\. Folders, parquet files and tar archives are"):
        data("*.parquet").setup("fit")


def test_given_pairs_stay_together():
    large = np.repeat(np.repeat(np.random.default_rng(0).integers(0, 256, (16, 20, 3), dtype=np.uint8), 4, 0), 4, 1)
    buffers = []
    for pixels in (large, large[::4, ::4]):
        buffers.append(io.BytesIO())
        Image.fromarray(pixels).save(buffers[-1], "PNG")
    row = {name: {"bytes": buffer.getvalue()} for name, buffer in zip(("hq", "lq"), buffers, strict=True)}
    pairs = RowPairs([row], RowItems(RowColumns("hq", "lq"), 32, 4, "realesrgan"))
    items = [pairs[serial, 0] for serial in range(6)]
    assert len({item.lq.numpy().tobytes() for item in items}) > 2
    for item in items:
        assert (item.hq[:, ::4, ::4] == item.lq).all()
        assert item.record is None
    with pytest.raises(ValueError, match=r"0 should have a truth of 32 pixels at least, 2 times as large as its input"):
        RowPairs([row], RowItems(RowColumns("hq", "lq"), 32, 2, "realesrgan"))[0, 0]


def test_what_cannot_be_decoded_gives_way():
    table = [{"image": {"bytes": b"no picture"}}, {"image": {"bytes": png(3)}, "caption": "three"}]
    items = RowItems(RowColumns(prompt="caption"), 32, 4, "realesrgan", window=(1.0, 1.0), flip=False)
    with pytest.warns(CorruptPhotograph, match="Another picture takes the place of a corrupt one"):
        item = RowPairs(table, items)[5, 0]
    assert (item.name, item.prompt, item.lq.shape) == ("1", "three", (3, 8, 8))
    with pytest.warns(CorruptPhotograph):
        (streamed,) = StreamedPairs(Stream(table, 0), items)
    assert (streamed.name in "01", streamed.prompt) == (True, "three")
    with pytest.warns(CorruptPhotograph), pytest.raises(ValueError, match="Not one of the 1 pictures can be decoded"):
        RowPairs(table[:1], items)[0, 0]
    for nothing in (None, {"bytes": None, "path": None}):
        with pytest.warns(CorruptPhotograph, match="Row 0 has no picture in the column image"):
            assert RowPairs([{"image": nothing}, table[1]], items)[5, 0].name == "1"
    with pytest.raises(ValueError, match="Row 0 should have a picture in the column image, as bytes and path; it has"):
        RowPairs([{"photo": 1}], items)[0, 0]
