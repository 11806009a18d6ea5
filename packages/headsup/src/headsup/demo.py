"""``headsup demo``: a real portrait, spoilt and restored offline with the shipped weights.

There is one photograph of it, so the reference is simulated from that one (`portraitdata.images.simulated_views`); the
sheet and the printed text say so.
"""

from dataclasses import dataclass
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor

from faceops.geometry.alignment import align
from faceops.geometry.faces import Faces
from faceops.images.files import Picture, save_picture
from faceops.images.jobs import check_folder
from faceops.images.sheet import Panel, draw_sheet
from faceops.progress.tracker import part
from headsup.restoring.options import RestoreOptions
from headsup.restoring.photo_restorer import PhotoRestorer, ReferenceFaces
from portraitdata.degradation.cpu_executor import degrade
from portraitdata.degradation.drawing import draw_record
from portraitdata.degradation.presets import preset_of
from portraitdata.images.simulated_views import Square, View, astronaut, simulate
from portraitdata.scoring.psnr import psnr
from portraitdata.scoring.ssim import ssim

PORTRAIT = Square(top=0, left=100, side=256)
"""Head and shoulders in the photograph, in its pixels."""

BOX = torch.tensor([178.8, 58.8, 271.3, 177.3])
LANDMARKS = torch.tensor([[203.9, 100.8], [247.5, 104.0], [223.8, 128.4], [201.1, 140.6], [243.3, 143.4]])
"""Her face in the photograph, as YuNet finds it: here so that the demonstration needs no detector."""

ANOTHER_DAY = View("simulated reference", 6.0, 1.1, (3.0, -2.0), False, 0.85, (1.04, 1.0, 0.92), 0.5)

SCALE, SEED = 4, 11

NOTICE = (
    "Portrait: NASA, public domain. The reference is simulated from the same photograph (tilted, relit, blurred), so "
    "it fits better than a photograph of another day would. The weights are the small shipped ones, trained "
    "for hours on hundreds of portraits; they are not Stable Diffusion."
)


@dataclass(frozen=True)
class DemoScore:
    """Closeness of a picture to the photograph."""

    name: str
    psnr: float
    """In dB."""
    ssim: float


def run_demo(output: Path) -> list[DemoScore]:
    """Spoil the portrait, restore it without and with the reference, and write pictures and a sheet.

    Args:
        output: Folder to write into; made if it does not exist. Files of an earlier demonstration are replaced.

    Raises:
        ValueError: If scikit-image is missing, or a file is where the folder must be.
        OSError: If a file cannot be written.
    """
    check_folder(output)
    photograph = astronaut()
    truth, low, face = PORTRAIT.cut(photograph), spoilt(PORTRAIT.cut(photograph)), reference(photograph)
    restorer, options = PhotoRestorer.load(), RestoreOptions(scale=float(SCALE))
    with part(0.0, 0.5, "without a reference"):
        alone = restorer(low, options)
    with part(0.5, 1.0, "with a reference"):
        together = restorer(low, options, face)
    output.mkdir(parents=True, exist_ok=True)
    pictures = {"enlarged": alone.enlarged, "restored": alone.picture.pixels, "with_reference": together.picture.pixels}
    shown = torch.stack(list(pictures.values()))
    expected = truth.expand_as(shown)
    scores = [
        DemoScore(*score)
        for score in zip(pictures, psnr(shown, expected).tolist(), ssim(shown, expected).tolist(), strict=True)
    ]
    save_picture(low, output / "spoilt.png")
    save_picture(Picture(truth), output / "original.png")
    for name, pixels in pictures.items():
        save_picture(Picture(pixels), output / f"{name}.png")
    words = [f"{score.psnr:.2f} dB" for score in scores]
    panels = [
        Panel(alone.enlarged, f"Input, {PORTRAIT.side // SCALE} pixels, {words[0]}"),
        Panel(alone.picture.pixels, f"Restored, {words[1]}"),
        Panel(together.picture.pixels, f"With a reference, {words[2]}"),
        Panel(face.references[0], "Reference, simulated"),
        Panel(truth, "Original"),
    ]
    save_picture(Picture(draw_sheet([panels])), output / "sheet.png")
    return scores


def spoilt(truth: Float[Tensor, "3 s s"]) -> Picture:
    """The portrait at a fourth of its sides, degraded twice as Real-ESRGAN does it in training; always alike."""
    height, width = truth.shape[1:]
    record = draw_record(preset_of("realesrgan"), height, width, SCALE, (SEED, 0, 0))
    low = degrade(truth.permute(1, 2, 0).mul(255).round().byte().numpy(), record)
    return Picture(torch.from_numpy(low).permute(2, 0, 1).float() / 255)


def reference(photograph: Float[Tensor, "3 h w"]) -> ReferenceFaces:
    """The face of the small portrait with a simulated other photograph of the same person."""
    view = simulate(photograph, ANOTHER_DAY, PORTRAIT)
    points = ANOTHER_DAY.moved(LANDMARKS, PORTRAIT)
    seen = Faces(torch.zeros(1, dtype=torch.long), torch.zeros(1, 4), points[None], torch.ones(1))
    corner = torch.tensor([PORTRAIT.left, PORTRAIT.top], dtype=torch.float32)
    return ReferenceFaces(
        boxes=(BOX - corner.repeat(2))[None],
        landmarks=(LANDMARKS - corner)[None],
        references=align(view[None], seen, PORTRAIT.side).crops,
    ).rescaled(1 / SCALE, 1 / SCALE)


def print_scores(scores: list[DemoScore], output: Path) -> None:
    """Print the scores and what was written."""
    from rich.console import Console
    from rich.table import Table

    table = Table(title="Closeness to the photograph")
    for heading in ("picture", "PSNR, dB", "SSIM"):
        table.add_column(heading)
    for score in scores:
        table.add_row(score.name.replace("_", " "), f"{score.psnr:.2f}", f"{score.ssim:.3f}")
    Console().print(table)
    print(NOTICE)
    print(f"Pictures and a sheet are in {output}.")
