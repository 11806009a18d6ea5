"""Exemplar sets from a video call: a frame, and earlier frames of the same video as its references."""

from collections.abc import Sequence
from pathlib import Path
from typing import Literal, get_args

import torch
from jaxtyping import UInt8
from torch import Tensor
from torch.utils.data import Dataset

from portraitdata.exemplars.sets import ExemplarSet
from portraitdata.exemplars.video_frames import read_frames, stack_frames

FrameChoice = Literal["earlier", "blank"]
"""References: earlier frames, or black images."""


class VideoExemplars(Dataset[ExemplarSet]):
    """Frames of a video, each with the last sharp frames before it (HIME, Section 5.3, Table 5).

    The paper picks "an HR image as Ref every j frame" of its recorded calls and says no more. Here frames 0, j, 2j,
    ... are the references, as a call would send them; they are no targets. Frame t has frame floor(t / j) j and,
    where more than one is wanted, frames j, 2j, ... before that one: the gap is one to j - 1 frames, j / 2 on average.
    References before the first frame are absent.

    Args:
        frames: Video file, folder with a picture for every frame (see `read_frames`), or frames in memory, (3, h, w)
            of uint8. All frames are kept in memory as squares of `size`.
        size: Side of the images, in pixels.
        interval: j, frames from one reference to the next.
        references: References n in a set.
        crop: Side of the centred square cut from a frame, in pixels; None for the largest one.
        choose: References are ``earlier`` frames, or ``blank``: black images that count as present.
        targets: Numbers of the frames to have as targets, None for all that are no reference. For a comparison of
            intervals give the same ones to each.

    Raises:
        FileNotFoundError: If there is no video.
        ImageFileError: If a picture of the folder cannot be read.
        ValueError: If an argument is out of range, or the video has no frames or cannot be decoded.

    Example:
        >>> clip = [torch.full((3, 8, 8), number, dtype=torch.uint8) for number in range(7)]
        >>> sets = VideoExemplars(clip, size=8, interval=3, references=2)
        >>> [item.images[:, 0, 0, 0].tolist() for item in sets]
        [[1, 0, 0], [2, 0, 0], [4, 3, 0], [5, 3, 0]]
        >>> sets[0].present.tolist(), sets[2].present.tolist()
        ([True, False], [True, True])
    """

    def __init__(
        self,
        frames: Path | Sequence[Tensor],
        size: int,
        interval: int,
        references: int = 1,
        crop: int | None = None,
        choose: FrameChoice = "earlier",
        targets: Sequence[int] | None = None,
    ) -> None:
        if size < 1 or (crop is not None and crop < 1) or references < 0:
            raise ValueError(
                f"Sizes and references are counted, got size {size}, crop {crop}, {references} references."
            )
        if interval < 2:
            raise ValueError(
                f"Between two references there has to be a frame: the interval is 2 at least, got {interval}."
            )
        if choose not in get_args(FrameChoice):
            raise ValueError(f"References are {' or '.join(get_args(FrameChoice))}, got {choose!r}.")
        self.video: UInt8[Tensor, "f 3 s s"] = (
            read_frames(frames, size, crop) if isinstance(frames, Path) else stack_frames(frames, size, crop)
        )
        count = len(self.video)
        self.targets = [t for t in range(count) if t % interval] if targets is None else list(targets)
        unfit = [t for t in self.targets if not 0 <= t < count or t % interval == 0]
        if unfit or not self.targets:
            raise ValueError(
                f"Of a video of {count} frames, targets are those from 1 to {count - 1} that {interval} does not "
                f"divide, got {unfit[0] if unfit else 'none'}."
            )
        self.interval, self.references, self.choose = interval, references, choose

    def __len__(self) -> int:
        return len(self.targets)

    def __getitem__(self, key: int) -> ExemplarSet:
        target = self.targets[key]
        images = torch.zeros(1 + self.references, *self.video.shape[1:], dtype=torch.uint8)
        images[0] = self.video[target]
        present = torch.ones(self.references, dtype=torch.bool)
        if self.choose == "earlier":
            last = target // self.interval * self.interval
            earlier = last - self.interval * torch.arange(self.references)
            present = earlier >= 0
            images[1:][present] = self.video[earlier[present]]
        return ExemplarSet(images, present, f"frame {target}")
