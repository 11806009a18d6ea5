"""What a restorer does at the moment, told by its layers."""

from typing import Any

from headsup.model.one_step import OneStepRestorer
from headsup.serving.photo_job import PhotoJob


class StageHooks:
    """Tells the job in work what its restorer does, and stops it at the next layer once it is cancelled.

    Args:
        restorer: Restorer whose layers are watched from now on.
    """

    def __init__(self, restorer: OneStepRestorer) -> None:
        self._job: PhotoJob | None = None
        self._parts = 0
        for module in restorer.modules():
            module.register_forward_pre_hook(self._check)
        # with little memory the autoencoder runs in tiles, and only its layers are called
        restorer.vae.encoder.conv_in.register_forward_pre_hook(lambda *_: self._enter("Encoding"))
        restorer.unet.register_forward_pre_hook(self._denoising)
        restorer.vae.decoder.conv_in.register_forward_pre_hook(lambda *_: self._enter("Decoding"))

    def watch(self, job: PhotoJob) -> None:
        """The job that is in work from now on."""
        self._job, self._parts = job, 0

    def _check(self, *_: Any) -> None:  # noqa: ANN401 - as torch calls hooks
        if self._job is not None:
            self._job.check()

    def _denoising(self, *_: Any) -> None:  # noqa: ANN401 - as torch calls hooks
        self._parts += 1
        self._enter("Restoring" if self._parts == 1 else f"Restoring, part {self._parts}")

    def _enter(self, stage: str) -> None:
        if self._job is not None:
            self._job.enter(stage)
