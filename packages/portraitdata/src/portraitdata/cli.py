"""The ``portraitdata`` console script.

A command imports what it needs when it runs, so that help is fast.
"""

import sys
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal

from jsonargparse import auto_cli

from faceops.command_line import ShellParser, run_command
from faceops.detection.detector_names import DetectorName
from portraitdata.build_cli import BUILD_COMMANDS
from portraitdata.degradation.presets import PresetName
from portraitdata.study_cli import STUDY_COMMANDS


def exemplar_index(
    source: Path,
    *,
    output: Path,
    layout: Literal["auto", "folders", "tar", "celebamask-hq"] = "auto",
    identities: Path | None = None,
    split_file: Path | None = None,
    min_images: int = 4,
    min_side: int = 64,
    test_identities: int | None = None,
    seed: int = 0,
    verify: bool = False,
    note: str = "",
) -> None:
    """Index portraits by person and split them into train and test.

    Args:
        source: Folder with one folder per person, tar archive, or unpacked CelebAMask-HQ.
        output: Index to write, a parquet file.
        layout: Layout of the source; "auto" detects it.
        identities: CSV file with columns file, identity and optionally split; for CelebAMask-HQ, identity_CelebA.txt.
        split_file: CSV file with columns identity and split (train, test or unused), instead of a drawn split.
        min_images: Smallest number of images of a person; people with fewer are unused.
        min_side: Smallest side of an image in pixels; smaller images are left out.
        test_identities: Number of people in the test split; by default a tenth, for CelebAMask-HQ 287.
        seed: Seed of the split.
        verify: Decode every image instead of reading its header only, and leave out damaged ones.
        note: Remark to store in the index.
    """
    from dataclasses import replace

    from portraitdata.exemplars.sources.layouts import assign_splits, recognised_layout, scan_layout
    from portraitdata.exemplars.splits import read_split

    given = None if split_file is None else read_split(split_file)
    found = scan_layout(
        source,
        recognised_layout(source) if layout == "auto" else layout,
        identities,
        min_side=min_side,
        verify=verify,
    )
    index = assign_splits(found.index, given, test_identities=test_identities, min_images=min_images, seed=seed)
    replace(index, note=note).write(output)
    for file in found.skipped[:20]:
        print(f"left out: {file.reason}", file=sys.stderr)
    if len(found.skipped) > 20:
        print(f"left out: {len(found.skipped) - 20} more files", file=sys.stderr)
    print(f"{output}: {len(index.photographs)} photographs of {len(index.by_identity)} people, {index.source}")


def inspect(
    index: Path,
    *,
    root: Path | None = None,
    sheet: Path | None = None,
    size: int = 128,
    crop: int | None = None,
    sets: int = 6,
) -> None:
    """Count the images and people of an exemplar index, and show some sets.

    Args:
        index: Index made by `exemplar-index`.
        root: Folder of the images, if it differs from the one in the index.
        sheet: Image to write, with one exemplar set per row.
        size: Side of the images on the sheet, in pixels.
        crop: Side of the centre crop of each image in pixels; the largest square by default.
        sets: Rows of the sheet for each split.
    """
    from rich.console import Console

    from portraitdata.exemplars.index import ExemplarIndex
    from portraitdata.exemplars.index_summary import summary_table

    opened = ExemplarIndex.read(index, root)
    Console().print(summary_table(opened, index.name))
    if sheet is not None:
        from faceops.images.files import Picture, save_picture
        from portraitdata.exemplars.contact_sheet import contact_sheet
        from portraitdata.exemplars.sets import EvaluationExemplarSets

        shown = []
        for split in ("train", "test"):
            if opened.select(split).photographs:
                chosen = EvaluationExemplarSets(opened, size, crop=crop, split=split, limit=sets)
                shown += [chosen[number] for number in range(len(chosen))]
        save_picture(Picture(contact_sheet(shown)), sheet)
        print(sheet)


def portrait_index(
    source: Path,
    *,
    output: Path,
    no_faces: bool = False,
    pairs: float = 0.65,
    duplicates: float = 0.95,
    min_eyes: float = 64.0,
    test_share: float = 0.1,
    seed: int = 0,
    detector: DetectorName = "yunet",
    detector_weights: str | None = None,
    identity_weights: str = "mobilefacenet",
    note: str = "",
    test_list: Path | None = None,
    copies: Path | None = None,
    shorter_side: int = 1000,
) -> None:
    """Index whole portraits: images, their faces, pairs of faces of one person, and a split by person.

    Args:
        source: Folder of images, searched at any depth; tar archive; or folder of tar archives.
        output: Folder to write the index into.
        no_faces: Do not detect faces; for general images (LSDIR, DIV2K).
        pairs: Cosine similarity above which two faces are of one person.
        duplicates: Cosine similarity above which two faces are the same shot and make no pair.
        min_eyes: Smallest eye distance of a face, in pixels of the image; smaller faces are left out.
        test_share: Share of the images in the test split.
        seed: Seed of the split.
        detector: Face detector; the weights of scrfd are for non-commercial research only.
        detector_weights: File or name of the detector's weights; the default ones if not given.
        identity_weights: File or name of the weights of the recognition network.
        note: Remark to store in the index.
        test_list: Text file with the paths of the test images, one per line, instead of a share.
        copies: Folder for reduced copies, which are indexed instead of the images; for large images.
        shorter_side: Largest shorter side of the copies in pixels.
    """
    from faceops.existing_files import check_exists

    check_exists("folder or archive", source)
    check_exists("list of photographs to test on", test_list)

    from portraitdata.commands.portrait_index import Copies, FaceSettings, run_portrait_index

    settings = (
        None if no_faces else FaceSettings(detector, detector_weights, identity_weights, min_eyes, pairs, duplicates)
    )
    reduced = None if copies is None else Copies(copies, shorter_side)
    run_portrait_index(source, output, settings, test_share, seed, note, test_list, reduced)


def degrade_pictures(
    images: Sequence[Path],
    *,
    output: Path,
    preset: PresetName = "realesrgan",
    scale: int | None = None,
    seed: int = 0,
    sharpen: bool = False,
    records: Path | None = None,
    replay: Path | None = None,
    overwrite: bool = False,
    max_memory: float | None = None,
) -> int:
    """Degrade sharp images, as for training data of restorers.

    Args:
        images: Images, folders searched at any depth, or patterns such as 'album/*.jpg'.
        output: PNG file to write for one image; folder for several; existing results are skipped.
        preset: Published degradation; face presets keep the size of the image.
        scale: Factor by which the sides are reduced; 4 by default, 1 with a face preset.
        seed: Random seed; the degradation of an image depends on it and on the image's name.
        sharpen: Sharpen every image first, as Real-ESRGAN does.
        records: File to write, with one JSON line per image of the degradation applied.
        replay: File of records to apply instead of drawing; preset, scale, seed and sharpen are then ignored.
        overwrite: Replace existing results.
        max_memory: Limit of the memory for an image in gigabytes; half of the machine's by default.
    """
    from faceops.existing_files import check_exists
    from faceops.images.memory_budget import DEGRADATION_BYTES, memory_budget
    from portraitdata.commands.degradation_jobs import plan_degradation

    jobs = plan_degradation(images, output, records)
    check_exists("file of records", replay)

    from portraitdata.commands.degrade import run_degrade

    with memory_budget(max_memory, DEGRADATION_BYTES):
        return run_degrade(jobs, output, preset, scale, seed, sharpen, records, replay, overwrite)


def score(
    *,
    restored: Path,
    target: Path,
    convention: Literal["osediff", "rgb"],
    metrics: str = "psnr,ssim",
    references: Path | None = None,
    masks: Path | None = None,
    crop: int = 0,
    output: Path | None = None,
    json: bool = False,
    sheet: Path | None = None,
    restored_suffix: str = "",
    aligned: bool = False,
    detector: DetectorName = "yunet",
    detector_weights: str | None = None,
    identity_weights: str = "mobilefacenet",
    daefr_weights: str = "arcface-grey18",
    download: bool = False,
    device: str = "cpu",
) -> int:
    """Compare restored images with their targets: PSNR, SSIM, identity, learned metrics.

    Files are paired by name without the suffix, in folders at any depth. Nothing is resized.

    Args:
        restored: Folder of restored images.
        target: Folder of ground-truth images.
        convention: Channels that psnr and ssim compare: osediff is Y of YCbCr, as OSEDiff and HeadsUp; rgb is all
            channels, as HIME.
        metrics: Comma-separated names: psnr, ssim; for faces id, ida, ida_daefr, lmd, boundary; learned lpips,
            lpips-vgg, dists, niqe, musiq, clipiqa, maniqa-pipal, fid.
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
    """
    from faceops.existing_files import check_exists

    check_exists("folder", restored, target, references, masks)

    from portraitdata.commands.score import run_score
    from portraitdata.scoring.selection import ScoringSettings

    settings = ScoringSettings(
        convention, crop, aligned, detector, detector_weights, identity_weights, daefr_weights, download, device
    )
    return run_score(restored, target, settings, metrics, references, masks, output, json, sheet, restored_suffix)


COMMANDS: dict[str, Any] = {
    "exemplar-index": exemplar_index,
    "inspect": inspect,
    "portrait-index": portrait_index,
    **BUILD_COMMANDS,
    "degrade": degrade_pictures,
    "score": score,
    "study": STUDY_COMMANDS,
}


def run() -> int | None:
    """Parse the command line and run its command; the result is the exit status."""
    description = sys.modules["portraitdata"].__doc__
    return auto_cli(
        COMMANDS,
        parser_class=ShellParser,
        prog="portraitdata",
        description=description,
        version=version("portraitdata"),
    )


def main() -> None:
    """Run a command; ``python -X dev -m portraitdata`` shows the traceback of an error instead of a sentence."""
    run_command("portraitdata", run)
