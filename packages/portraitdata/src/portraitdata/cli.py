"""The ``portraitdata`` console script.

A command imports what it needs when it runs, so that help is there at once.
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
    """Index the portraits in a folder or archive by who they show, and split them into train and test.

    Args:
        source: Folder of one folder for each person, tar archive, or unpacked CelebAMask-HQ.
        output: Index to write, a parquet file.
        layout: How the portraits lie; "auto" looks.
        identities: CSV file with columns file, identity and perhaps split; for CelebAMask-HQ, identity_CelebA.txt.
        split_file: CSV file with columns identity and split (train, test or unused), instead of a drawn split.
        min_images: Photographs that a person needs to be used.
        min_side: Photographs with a shorter side are left out; in pixels.
        test_identities: People to test on; by default a tenth, of CelebAMask-HQ 287.
        seed: Seed of the split.
        verify: Decode every photograph instead of reading its header, and leave out those that are damaged.
        note: Remark to keep in the index.
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
    """Count what an index holds, and show some of it.

    Args:
        index: Index that `exemplar-index` has made.
        root: Folder of the photographs, if it is not the one that the index names.
        sheet: Image to write: some exemplar sets, each a row.
        size: Side of the images on the sheet, in pixels.
        crop: Side of the centred square cut from a photograph, in its pixels; the largest one by default.
        sets: Rows of the sheet for each of train and test.
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
    """Index whole portraits: photographs, the faces in them, which of those are of one person, and a split by person.

    Args:
        source: Folder of pictures, at any depth; tar archive; or folder of tar archives.
        output: Folder to write the index into.
        no_faces: Do not look for faces, as for general photographs (LSDIR, DIV2K).
        pairs: Two faces that are more similar than this are of one person; a cosine.
        duplicates: Two faces that are more similar than this are one shot twice, and no pair.
        min_eyes: Faces whose eyes are closer are left out; in pixels of the photograph.
        test_share: Share of the photographs that is for testing.
        seed: Seed of the split.
        detector: Network that finds the faces; the weights of scrfd are for non-commercial research only.
        detector_weights: File or name of its weights instead of the usual ones.
        identity_weights: File or name of the weights of the network that compares faces.
        note: Remark to keep in the index.
        test_list: Text file with the paths of the photographs that are for testing, one a line, instead of a share.
        copies: Folder to put copies into, which are indexed instead of the pictures; for sources of large pictures.
        shorter_side: Largest shorter side of such copies, in pixels.
    """
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
) -> int:
    """Degrade sharp photographs the way that training data for restoration are made.

    Args:
        images: Pictures, folders of them with their subfolders, or patterns such as 'album/*.jpg'.
        output: PNG file to write for one picture, folder for more; a picture that is there is not made again.
        preset: Published degradation; the face presets give back the size that a picture had.
        scale: Sides of a picture divided by sides of the degraded one; 4 by default, 1 with a face preset.
        seed: Seed of everything random; what becomes of a picture follows from it and from the picture's name.
        sharpen: Sharpen every picture first, as Real-ESRGAN does.
        records: File of JSON lines to write what was done to each picture.
        replay: File of such lines to do again, instead of drawing; preset, scale, seed and sharpen are then not used.
        overwrite: Make pictures again that are there already.
    """
    from portraitdata.commands.degradation_jobs import plan_degradation

    jobs = plan_degradation(images, output)

    from portraitdata.commands.degrade import run_degrade

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
    """Score restored images beside what they should be: PSNR, SSIM, identity, learned metrics.

    Files are paired by name, whatever their suffix, in folders at every depth; nothing is resized.

    Args:
        restored: Folder of restored images.
        target: Folder of what they should be.
        convention: What psnr and ssim compare: Y of YCbCr as OSEDiff and HeadsUp, or all channels of RGB as HIME.
        metrics: Names with commas between them: psnr, ssim; of the face id, ida, ida_daefr, lmd, boundary; learned
            lpips, lpips-vgg, dists, niqe, musiq, clipiqa, maniqa-pipal, fid.
        references: Folder of other photographs of the same people under the same names, for id.
        masks: Folder of the masks that faces were pasted with, for boundary.
        crop: Pixels that psnr and ssim leave out along every border.
        output: Table to write, a number for every image: .csv or .json.
        json: Print the table as JSON instead of the means.
        sheet: Image to write: the worst images by the first metric.
        restored_suffix: What the names of restored files have after those of the targets, as _out.
        aligned: The images are faces aligned as in FFHQ; none is sought.
        detector: Network that finds the faces; the weights of scrfd are for non-commercial research only.
        detector_weights: File or name of its weights instead of the usual ones.
        identity_weights: File or name of the weights of a recognition network, for id and ida.
        daefr_weights: File or name of the weights of DAEFR's network, for ida_daefr.
        download: Fetch weights that are missing; otherwise their metrics are skipped.
        device: Where networks compute, as cuda.
    """
    from portraitdata.commands.score import run_score

    return run_score(
        restored,
        target,
        convention,
        metrics,
        references,
        masks,
        crop,
        output,
        json,
        sheet,
        restored_suffix,
        aligned,
        detector,
        detector_weights,
        identity_weights,
        daefr_weights,
        download,
        device,
    )


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
