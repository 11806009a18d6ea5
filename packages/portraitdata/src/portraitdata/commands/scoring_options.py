"""Options of the commands that degrade images and score restored ones: docstrings are their help."""

from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass
from pathlib import Path
from typing import Literal

from faceops.command_help import Expert
from faceops.detection.detector_names import DEFAULT_DETECTOR, DetectorName
from portraitdata.degradation.presets import PresetName


@dataclass(frozen=True)
class DegradeOptions:
    """Degrade sharp images, as for training data of restorers.

    Args:
        images: Images, folders searched at any depth, or patterns such as 'album/*.jpg'.
        output: PNG file to write for one image; folder for several; existing results are skipped.
        preset: Published degradation; face presets keep the size of the image.
        scale: Factor by which the sides are reduced; 4 by default, 1 with a face preset.
        seed: Random seed; the degradation of an image depends on it and on the image's name.
        sharpen: Sharpen every image first, as Real-ESRGAN does.
        records: File to write, with one JSON line per image of the degradation applied.
        replay: File of records to apply instead of drawing; not with preset, scale, seed or sharpen.
        overwrite: Replace existing results.
        max_memory: Limit of the memory for an image in gigabytes; half of the machine's by default.

    Example:
        portraitdata degrade sharp --output degraded --seed 1
    """

    images: Sequence[Path]
    _: KW_ONLY
    output: Path
    preset: PresetName = "realesrgan"
    scale: int | None = None
    seed: int = 0
    sharpen: Expert[bool] = False
    records: Expert[Path | None] = None
    replay: Expert[Path | None] = None
    overwrite: bool = False
    max_memory: Expert[float | None] = None


@dataclass(frozen=True, kw_only=True)
class ScoreOptions:
    """Compare restored images with their targets: PSNR, SSIM, identity, learned metrics.

    Files are paired by name without the suffix, in folders at any depth. Nothing is resized.

    Args:
        restored: Folder of restored images.
        target: Folder of ground-truth images.
        convention: Channels that psnr and ssim compare: osediff is Y of YCbCr, as OSEDiff and HeadsUp; rgb is all
            channels, as HIME.
        metrics: Comma-separated names: psnr, ssim; for faces id, ida, ida_daefr, lmd, boundary; learned lpips,
            lpips-vgg, dists, niqe, musiq, clipiqa, maniqa-pipal, fid; one of your own as package.module.metric.
        references: Folder of other photographs of the same people under the same names, for id.
        masks: Folder of the masks with which faces were pasted, for boundary.
        crop: Border in pixels that psnr and ssim exclude.
        output: Table of the scores of every image to write; .csv or .json.
        json: Print the table as JSON instead of the means.
        sheet: Image to write, with the worst results by the first metric.
        restored_suffix: Suffix that the names of restored files have after those of the targets, for example _out.
        aligned: The images are FFHQ-aligned faces; skip face detection.
        detector: Face detector; the weights of scrfd are for non-commercial research only.
        detector_weights: File or name of the detector's weights; the default ones if not given.
        identity_weights: File or name of the weights of the recognition network, for id and ida.
        daefr_weights: File or name of the weights of DAEFR's network, for ida_daefr.
        download: Download missing weights; otherwise their metrics are skipped.
        device: Device of the networks, for example cuda.

    Example:
        portraitdata score --restored restored --target sharp --convention rgb
    """

    restored: Path
    target: Path
    convention: Literal["osediff", "rgb"]
    metrics: str = "psnr,ssim"
    references: Path | None = None
    masks: Expert[Path | None] = None
    crop: Expert[int] = 0
    output: Path | None = None
    json: bool = False
    sheet: Path | None = None
    restored_suffix: Expert[str] = ""
    aligned: bool = False
    detector: Expert[DetectorName] = DEFAULT_DETECTOR
    detector_weights: Expert[str | None] = None
    identity_weights: Expert[str] = "mobilefacenet"
    daefr_weights: Expert[str] = "arcface-grey18"
    download: bool = False
    device: str = "cpu"
