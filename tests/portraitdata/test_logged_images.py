"""Images in loggers, each as its own interface has it."""

import inspect
import logging
from typing import Any

import numpy as np
import pytest
import torch
from lightning.pytorch.loggers import CSVLogger, MLFlowLogger, TensorBoardLogger, WandbLogger

from portraitdata.training.logged_images import ImageLogger, say_once, show

PICTURE = torch.tensor([1.0, 0.5, 0.0]).view(3, 1, 1).expand(3, 4, 6)
BYTES = np.broadcast_to(np.array([255, 128, 0], dtype=np.uint8), (4, 6, 3))


class Calls:
    """Keeps the arguments of every call."""

    def __init__(self) -> None:
        self.seen: list[tuple[Any, ...]] = []

    def log_image(self, *args: Any, **kwargs: Any) -> None:
        self.seen.append((*args, kwargs))


class Wandb(Calls, CSVLogger):
    """What Lightning's logger of Weights & Biases does with images, without the service."""


class Mlflow(MLFlowLogger):
    """Lightning's logger of MLflow with a client that keeps what it is told."""

    def __init__(self) -> None:
        self.client = Calls()

    @property
    def experiment(self) -> Calls:
        return self.client

    @property
    def run_id(self) -> str:
        return "run"


def test_the_logger_of_weights_and_biases_gets_bytes_by_the_method_that_lightning_has() -> None:
    assert issubclass(WandbLogger, ImageLogger)
    assert list(inspect.signature(WandbLogger.log_image).parameters)[1:4] == ["key", "images", "step"]
    logger = Wandb()
    show(logger, "val/sets", PICTURE, 7)
    ((key, (image,), step, rest),) = logger.seen
    assert (key, step, rest) == ("val/sets", 7, {})
    np.testing.assert_array_equal(image, BYTES)


def test_mlflow_gets_bytes_for_its_run() -> None:
    logger = Mlflow()
    show(logger, "val/sets", PICTURE, 7)
    ((run, image, rest),) = logger.client.seen
    assert (run, rest) == ("run", {"key": "val/sets", "step": 7})
    np.testing.assert_array_equal(image, BYTES)


def test_tensorboard_writes_an_image(tmp_path) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    logger = TensorBoardLogger(tmp_path, "run")
    show(logger, "val/sets", PICTURE, 7)
    logger.finalize("success")
    events = EventAccumulator(logger.log_dir)
    events.Reload()
    (image,) = events.Images("val/sets")
    assert (image.step, image.width, image.height) == (7, 6, 4)


def test_a_logger_without_images_is_named_once(tmp_path, caplog: pytest.LogCaptureFixture) -> None:
    say_once.cache_clear()
    with caplog.at_level(logging.INFO):
        for step in range(3):
            show(CSVLogger(tmp_path), "val/sets", PICTURE, step)
    assert sum("CSVLogger cannot show the images of val/sets" in text for text in caplog.messages) == 1
