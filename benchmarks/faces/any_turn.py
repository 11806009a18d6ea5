"""The detector any-turn beside YuNet, on people whom it never saw, upright and turned.

Needs the folder that PORTRAIT_ASSETS points to: `images/portraits/`, `images/portraits_free/`,
`images/lfw_min4_max10.tar` and `.csv`, `weights/detect/`. Both search at every size, YuNet also the turned pictures,
and any-turn looks at each face again, upright, and for its exact landmarks; "one look" is its network alone. What is
known of the eyes is what YuNet sees in the upright picture, of portraits at close-ups of the full size: its own
distance from that says little.
"""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

import torch
import torch.nn.functional as F
from torch import Tensor

from benchmarks.faces.lfw_pictures import lfw_pictures
from benchmarks.photographs import photographs
from benchmarks.reporting.documents import ROOT
from benchmarks.reporting.table import Suite, Table
from faceops.detection.detector import Detector
from faceops.detection.detectors.any_turn import AnyTurn
from faceops.detection.selection import build_detector
from faceops.geometry.faces import Faces
from faceops.images.files import load_picture

HELD_OUT = ROOT / "lightning_configs/faceops/held_out.txt"
"""Portraits of people whom the detector never saw."""

LFW_IMAGES = {"quick": 250, "full": 500}
PORTRAIT_SIDE = 320
"""Side in pixels to which portraits are reduced."""


@dataclass
class Tally:
    """What a detector did on some pictures."""

    pictures: int = 0
    found: int = 0
    others: int = 0
    """Faces beside the one that is known to be there."""
    eyes: list[float] = field(default_factory=list)
    """Distance of the eyes from the known ones, in % of their distance."""
    seconds: float = 0.0

    def add(self, detector: Detector, image: Tensor, points: Tensor) -> None:
        """Look at a picture.

        Args:
            points: Known landmarks, of which the first two are the eyes.
        """
        start = time.process_time()
        faces = detector(image)
        self.seconds += time.process_time() - start
        unit = (points[1] - points[0]).norm()
        same = (faces.landmarks[:, : len(points)].mean(dim=1) - points.mean(dim=0)).norm(dim=-1) < unit
        self.pictures += 1
        self.found += bool(same.any())
        self.others += int((~same).sum())
        if same.any():
            face: Faces = faces.select(same).largest()
            off = (face.landmarks[0, :2] - points[:2]).norm(dim=-1).mean() / unit
            self.eyes.append(100 * off.item())

    def cells(self) -> tuple[float, float, float, float, float]:
        """Recall in %, other faces of a hundred pictures, median and 95 % limit of the eyes, time in ms."""
        limit = sorted(self.eyes)[int(0.95 * len(self.eyes))] if self.eyes else float("nan")
        share = 100 / max(1, self.pictures)
        middle = median(self.eyes) if self.eyes else float("nan")
        return self.found * share, self.others * share, middle, limit, 10 * share * self.seconds


def measure(suite: Suite) -> list[Table]:
    """LFW and held-out portraits.

    Raises:
        NoPhotographsError: If PORTRAIT_ASSETS does not lead to the photographs.
    """
    folder = photographs()
    weights = folder / "weights/detect/yunet_n_640_640.onnx"
    detectors: dict[str, Detector] = {
        "any-turn, one look": AnyTurn(),
        "any-turn": build_detector("any-turn"),
        "yunet": build_detector("yunet", weights, refine=False),
    }
    lfw = list(lfw_pictures(folder / "images", LFW_IMAGES[suite]))
    closer = build_detector("yunet", weights, turned=False)
    portraits = list(held_out_portraits(folder / "images", closer))
    return [
        turned_table("faceops_any_turn_lfw", f"any-turn on {len(lfw)} pictures of LFW", detectors, lfw),
        turned_table(
            "faceops_any_turn_portraits",
            f"any-turn on {len(portraits)} held-out portraits",
            detectors,
            portraits,
        ),
    ]


def turned_table(
    name: str, title: str, detectors: dict[str, Detector], pictures: Sequence[tuple[Tensor, Tensor]]
) -> Table:
    """Scores of detectors on pictures as they are and turned by quarters."""
    rows = []
    for quarters in range(4):
        for detector in detectors:
            tally = Tally()
            for image, points in pictures:
                turned = torch.rot90(image, quarters, (2, 3)).contiguous()
                tally.add(detectors[detector], turned, turned_points(points, quarters, *image.shape[2:]))
            rows.append((f"{detector}, {90 * quarters} degrees", *tally.cells()))
    columns = ("detector, turn", "found %", "others of 100", "eyes off %", "95 % within", "CPU ms")
    return Table(name, title, columns, tuple(rows), ("found %",), "%")


def turned_points(points: Tensor, quarters: int, height: int, width: int) -> Tensor:
    """Points of an image in the image turned by quarters to the left.

    Example:
        >>> turned_points(torch.tensor([[1.0, 0.0]]), 1, 10, 20).tolist()
        [[0.0, 18.0]]
    """
    x, y = points.unbind(dim=-1)
    if quarters == 1:
        x, y = y, width - 1 - x
    elif quarters == 2:
        x, y = width - 1 - x, height - 1 - y
    elif quarters == 3:
        x, y = height - 1 - y, x
    return torch.stack((x, y), dim=-1)


def held_out_portraits(folder: Path, closer: Detector) -> Iterator[tuple[Tensor, Tensor]]:
    """Reduced portraits, and the landmarks (5, 2) that a detector with close-ups sees at full size."""
    for name in HELD_OUT.read_text().split():
        image = load_picture(folder / name).pixels.unsqueeze(0)
        faces = closer(image).largest()
        scale = PORTRAIT_SIDE / max(image.shape[2:])
        height, width = (round(side * scale) for side in image.shape[2:])
        small = F.interpolate(image, size=(height, width), mode="bilinear", antialias=True)
        yield small, faces.rescaled(width / image.shape[3], height / image.shape[2]).landmarks[0]
