"""Data sets of Hugging Face's `datasets`, WebDataset archives among them, for Lightning, without an index."""

import warnings
from pathlib import Path
from typing import Any

from portraitdata.degradation.presets import PresetName
from portraitdata.loading.resumption import SeededLoader, process_of, progress_of, training_loader
from portraitdata.restoration.batches import RestorationItem, collate
from portraitdata.restoration.datamodule import RestorationDataModule, Source
from portraitdata.restoration.dataset_rows import RowColumns, RowItems, RowPairs, StreamedPairs


class DatasetRestorationDataModule(RestorationDataModule):
    """Pictures of a data set that `datasets.load_dataset` loads, without faces and references.

    Validation is that of `RestorationDataModule`. Rows have numbers unless they are streamed; then a resumed run goes
    on exactly where it was. A stream begins its pass anew, and a warning says so.

    Args:
        path: Name of a data set, a folder, or a format: parquet, imagefolder, webdataset.
        data_files: Files of a format, for example "shards/*.tar"; null for those of the data set.
        data_dir: Folder of a format; null for none.
        split: Split to train on.
        streaming: Read rows in their order, from wherever they are, instead of preparing the whole data set.
        buffer: Rows of a stream that are shuffled together.
        hq: Column of the high-quality images.
        lq: Column of their low-quality versions; null makes them by the preset.
        prompt: Column of their texts; null for none.
        size: Side of the high-quality images, in pixels.
        scale: Sides of the high-quality image divided by sides of the low-quality one.
        preset: Degradation where no low-quality versions are given, and of validation.
        batch_size: Images in a batch of one process.
        window: Smallest and largest side of the training window, as shares of an image's shorter side.
        flip: Mirror half of the training images.
        validation: Index whose "test" photographs are validated and tested on; null for none.
        paired: Folders of paired test sets, see `PairedImages`.
        validation_images: Validate on this many test photographs, evenly spread; null for all.
        seed: Seed of everything random.
        num_workers: Processes that read images for each loader; 0 reads in the training process.
    """

    def __init__(
        self,
        path: str,
        data_files: str | list[str] | None = None,
        data_dir: str | None = None,
        split: str = "train",
        streaming: bool = False,
        buffer: int = 1000,
        hq: str = "image",
        lq: str | None = None,
        prompt: str | None = None,
        size: int = 1024,
        scale: int = 4,
        preset: PresetName = "realesrgan",
        batch_size: int = 1,
        window: tuple[float, float] = (0.5, 1.0),
        flip: bool = True,
        validation: Path | None = None,
        paired: list[Path] | None = None,
        validation_images: int | None = None,
        seed: int = 0,
        num_workers: int = 0,
    ) -> None:
        super().__init__(
            [Source(Path(path))],
            validation,
            paired,
            size,
            scale,
            preset,
            batch_size,
            references=False,
            validation_images=validation_images,
            seed=seed,
            num_workers=num_workers,
        )
        self.path, self.data_files, self.data_dir, self.split = path, data_files, data_dir, split
        self.streaming, self.buffer, self.columns = streaming, buffer, RowColumns(hq, lq, prompt)
        self.items = RowItems(self.columns, size, scale, preset, window, flip, seed)
        self._rows: Any = None

    def setup(self, stage: str) -> None:
        """Load what the stage needs."""
        if stage == "fit" and self._rows is None:
            self._rows = self._load()

    def indexes_without_text(self) -> list[Path]:
        """None: there is no index."""
        return []

    def train_dataloader(self) -> SeededLoader[RestorationItem]:
        """Pairs, shuffled; in a resumed epoch those that are left of it, of a stream all again."""
        self.setup("fit")
        if not self.streaming:
            pairs = RowPairs(self._rows, self.items)
            return training_loader(pairs, self.batch_size, self.seed, self.trainer, self.num_workers, collate)
        (rank, processes), (epoch, done) = process_of(self.trainer), progress_of(self.trainer)
        if done:
            warnings.warn(
                f"A stream cannot go on where the run was, after {done} batches of pass {epoch}: the pass begins anew. "
                "Set data.init_args.streaming to false to have runs resume exactly.",
                UserWarning,
                stacklevel=2,
            )
        rows = self._rows.shuffle(seed=self.seed, buffer_size=self.buffer)
        if processes > 1:
            from datasets.distributed import split_dataset_by_node

            rows = split_dataset_by_node(rows, rank, processes)
        stream = StreamedPairs(rows, self.items, rank, epoch)
        return PassLoader(stream, self.batch_size, collate_fn=collate, num_workers=self.num_workers, drop_last=True)

    def _load(self) -> Any:  # noqa: ANN401 - a `datasets.Dataset` or `datasets.IterableDataset`
        try:
            import datasets
        except ImportError as error:
            raise ImportError(
                "Data sets of Hugging Face are loaded by their package `datasets`, which is not installed: "
                "`pip install datasets`. Folders, parquet files and tar archives are indexed without it, by "
                "`portraitdata portrait-index`."
            ) from error
        rows = datasets.load_dataset(
            self.path,
            data_files=self.data_files,
            data_dir=self.data_dir,
            split=self.split,
            streaming=self.streaming,
        )
        wanted = [name for name in self.columns if name is not None]
        missing = [name for name in wanted if rows.column_names is not None and name not in rows.column_names]
        if missing:
            raise ValueError(
                f"The data set {self.path} has no column {missing[0]}; it has {', '.join(rows.column_names)}. Name the "
                "columns of the images in data.init_args.hq and data.init_args.lq."
            )
        for name in (self.columns.hq, self.columns.lq):
            if name is not None:
                rows = rows.cast_column(name, datasets.Image(decode=False))
        return rows


class PassLoader(SeededLoader[RestorationItem]):
    """Loader of a stream, each of whose passes has its number, so that the next one has another order."""

    dataset: StreamedPairs

    def __iter__(self) -> Any:  # noqa: ANN401 - as the parent's
        passes = super().__iter__()
        self.dataset.turn += 1
        return passes
