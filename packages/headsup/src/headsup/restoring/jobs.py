"""Planning and checks of requests, without torch, which takes seconds to import."""

from collections.abc import Sequence
from pathlib import Path

from faceops.images.jobs import Job, check_folder, plan_jobs
from faceops.images.opening import check_any_opens, check_opens
from faceops.images.picture_files import lies_in, tell_left_out
from headsup.command_options import BlendFilesOptions
from headsup.restoring.public_restorers.public_files import check_spandrel, is_public, x4plus_file
from headsup.restoring.references.reference_files import reference_files
from headsup.weights.shipped import find_weights


def plan_request(
    inputs: Sequence[Path],
    output: Path,
    compare: Path | None = None,
    report: Path | None = None,
    references: Sequence[Path] = (),
    weights: Sequence[str] = (),
    recursive: bool = False,
) -> list[Job]:
    """Plan what to do for every picture, and refuse what can be refused before anything is loaded.

    Raises:
        ValueError: If a result would replace a reference or lie among them, a folder of references holds no picture, no
            picture can be opened or a reference cannot; and see `faceops.images.jobs.plan_jobs`, `check_report` and
            `headsup.weights.shipped.find_weights`.
        OSError: If the single input, a reference or a weights file is missing, or a folder cannot be written to.
    """
    kept = [file.path for file in reference_files(references)]
    jobs = plan_jobs(inputs, output, compare, subfolders=recursive, streams=True, kept=kept)
    check_apart(jobs, references)
    check_any_opens(job.source for job in jobs if not job.from_stdin)
    for photograph in kept:
        check_opens(photograph)
    tell_left_out(references, recursive=True)
    if report is not None:
        check_report(report)
    for name in weights:
        find_weights(name)
    return jobs


def check_apart(jobs: Sequence[Job], references: Sequence[Path]) -> None:
    """Refuse results and sheets in a folder of references: the next run would take the faces in them for true ones.

    Raises:
        ValueError: If one would lie there.
    """
    folders = [path.resolve() for path in references if path.is_dir()]
    for target in (target for job in jobs for target in job.targets):
        if lies_in(target, folders):
            raise ValueError(
                f"{target} would lie in a folder of references and be taken for one of them the next time; name a "
                "folder outside."
            )


def plan_blending(options: BlendFilesOptions) -> list[Job]:
    """Plan `headsup blend`, and refuse what can be refused before anything is loaded.

    Raises:
        ValueError: If there is not one restorer of the whole; and see `plan_request`.
        OSError: Likewise.
        MissingPackageError: If a restorer needs a package that is not installed.
    """
    if (options.general is None) == (options.background is None):
        raise ValueError(
            "Name one restorer of the whole image: --general with shipped weights or a file, or --background "
            "realesrgan-x4plus."
        )
    files = (options.face,) if options.general is None else (options.general, options.face)
    jobs = plan_request(options.inputs, options.output, options.compare, options.report, (), files, options.recursive)
    if options.background is not None:
        x4plus_file()
    if any(map(is_public, files)):
        check_spandrel()
    return jobs


def check_report(report: Path) -> None:
    """Refuse a report that could not be written or would replace a picture.

    Raises:
        ValueError: If it does not end in .json, or a file is where its folder must be.
        PermissionError: If its folder cannot be written to.
    """
    if report.suffix.lower() != ".json":
        raise ValueError(f"--report is a file ending in .json, got {report}.")
    check_folder(report.resolve().parent)
