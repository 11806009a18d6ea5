"""Exemplar sets of a video, on clips whose frames tell their number."""

from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from faceops.images.errors import ImageFileError
from portraitdata.exemplars.sets import ExemplarSet
from portraitdata.exemplars.video_exemplars import VideoExemplars
from portraitdata.exemplars.video_frames import counted, read_frames, stack_frames

COUNT = 13


def clip(count: int = COUNT, height: int = 24, width: int = 40) -> list[Tensor]:
    """Frames whose level is ten times their number; the columns outside the centred square are white."""
    frames = [torch.full((3, height, width), 10 * number, dtype=torch.uint8) for number in range(count)]
    margin = (width - height) // 2
    for frame in frames:
        frame[..., :margin] = frame[..., width - margin :] = 255
    return frames


def write_pictures(folder: Path, frames: list[Tensor]) -> None:
    for number, frame in enumerate(frames):
        Image.fromarray(frame.permute(1, 2, 0).numpy()).save(folder / f"frame{number}.png")


def items(sets: VideoExemplars) -> list[ExemplarSet]:
    return [sets[key] for key in range(len(sets))]


def levels(sets: VideoExemplars) -> list[list[int]]:
    return [(item.images[:, 0, 4, 4] // 10).tolist() for item in items(sets)]


def test_every_frame_has_the_last_reference_before_it() -> None:
    for interval in (2, 4, 5, 20):
        sets = VideoExemplars(clip(), 24, interval)
        wanted = [t for t in range(COUNT) if t % interval != 0]
        assert levels(sets) == [[t, max(key for key in range(0, t + 1, interval))] for t in wanted]
        assert all(item.present.tolist() == [True] for item in items(sets))


def test_further_references_are_earlier_and_absent_before_the_first_frame() -> None:
    sets = VideoExemplars(clip(), 24, 4, references=3)
    by_name = {item.name: item for item in items(sets)}
    assert (by_name["frame 11"].images[:, 0, 4, 4] // 10).tolist() == [11, 8, 4, 0]
    assert by_name["frame 11"].present.all()
    assert by_name["frame 5"].present.tolist() == [True, True, False]
    assert by_name["frame 5"].images[3].max() == 0


def test_blank_references_are_black_and_present() -> None:
    item = VideoExemplars(clip(), 24, 4, references=2, choose="blank")[0]
    assert item.present.all()
    assert item.images[1:].max() == 0
    assert item.images[0].min() == 10


def test_the_same_targets_at_every_interval() -> None:
    few = VideoExemplars(clip(), 24, 8, targets=[5, 6, 9])
    assert levels(few) == [[5, 0], [6, 0], [9, 8]]
    with pytest.raises(ValueError, match=r"from 1 to 12 that 3 does not divide, got 6\."):
        VideoExemplars(clip(), 24, 3, targets=[5, 6])
    with pytest.raises(ValueError, match="got 13"):
        VideoExemplars(clip(), 24, 3, targets=[13])


def test_a_folder_is_read_by_the_numbers_of_its_files(tmp_path: Path) -> None:
    write_pictures(tmp_path, clip())
    (tmp_path / "notes.txt").write_text("no frame")
    assert torch.equal(read_frames(tmp_path, 24), stack_frames(clip(), 24))
    assert counted("a2b10.png") < counted("a10b2.png")
    assert levels(VideoExemplars(tmp_path, 24, 5))[-1] == [12, 10]


def test_a_video_file_is_decoded_in_rgb(tmp_path: Path) -> None:
    file = tmp_path / "clip.avi"
    writer = cv2.VideoWriter(str(file), cv2.VideoWriter.fourcc(*"MJPG"), 25.0, (48, 32))
    for number in range(COUNT):
        writer.write(np.full((32, 48, 3), (20, 100, 15 * number), np.uint8))  # blue, green, red
    writer.release()
    frames = read_frames(file, 16)
    assert frames.shape == (COUNT, 3, 16, 16)
    means = frames.float().mean(dim=(2, 3))
    wanted = torch.tensor([[15.0 * number, 100.0, 20.0] for number in range(COUNT)])
    assert (means - wanted).abs().max() < 6


def test_squares_are_centred_and_resized() -> None:
    frame = torch.zeros(3, 20, 30, dtype=torch.uint8)
    frame[:, 6:14, 11:19] = 200
    assert (stack_frames([frame], 8, crop=8) == 200).all()
    assert stack_frames([frame], 10).float().mean().item() == pytest.approx(200 * 64 / 400, abs=1.0)


def test_errors_are_sentences(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="There is no video"):
        VideoExemplars(tmp_path / "absent.mp4", 24, 5)
    with pytest.raises(ValueError, match=r"has no pictures; a folder"):
        VideoExemplars(tmp_path, 24, 5)
    (tmp_path / "talk.mp4").write_bytes(b"no video")
    with pytest.raises(ValueError, match="no frames that OpenCV can decode"):
        VideoExemplars(tmp_path / "talk.mp4", 24, 5)
    (tmp_path / "1.png").write_bytes(b"no picture")
    with pytest.raises(ImageFileError, match=r"1\.png"):
        VideoExemplars(tmp_path, 24, 5)
    with pytest.raises(ValueError, match="2 at least, got 1"):
        VideoExemplars(clip(), 24, 1)
    with pytest.raises(ValueError, match="got size 0"):
        VideoExemplars(clip(), 0, 5)
    with pytest.raises(ValueError, match=r"number 1 is \(3, 4, 4\) of float32"):
        VideoExemplars([torch.zeros(3, 4, 4, dtype=torch.uint8), torch.zeros(3, 4, 4)], 4, 2)
    with pytest.raises(ValueError, match="at least one frame"):
        VideoExemplars([], 4, 2)
