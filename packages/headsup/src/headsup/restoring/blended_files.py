"""``headsup blend``: picture files in, blended picture files out."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial

from faceops.images.batch import error_console
from faceops.images.jobs import Job, missing_jobs
from faceops.progress.display import shown
from headsup.command_options import BlendFilesOptions
from headsup.restoring.blending import blend, check_face_size
from headsup.restoring.face_scores import face_records
from headsup.restoring.files import RestorerSource, run_jobs, run_record
from headsup.restoring.options import RestoreOptions
from headsup.restoring.photo_restorer import PhotoRestorer, measured
from headsup.restoring.picture_restoration import in_order, notes_on_file, read_input, write_results
from headsup.restoring.references.face_recognition import FaceRecognition, detect_and_embed, load_recognition
from headsup.restoring.references.matching import Matching
from headsup.restoring.report import PictureRecord, Report

NO_FACE = "No face was found, so the picture is what the general restorer makes of it."


@dataclass(frozen=True, eq=False)
class Blending:
    """Setup that all images of a run share."""

    general: PhotoRestorer
    face: PhotoRestorer
    """Restorer of faces, which are pasted over what the general one makes of the whole."""
    options: RestoreOptions
    recognition: FaceRecognition
    face_size: int
    """Side of the aligned faces in pixels."""
    scores: bool
    """True if faces are measured for a report."""


def blend_files(jobs: Sequence[Job], stated: RestoreOptions, options: BlendFilesOptions) -> int:
    """Blend picture files.

    Args:
        jobs: What to do, see `headsup.restoring.jobs.plan_request`.
        stated: How each picture is restored, see `headsup.restoring.options.stated_options`.
        options: The rest of what the command line says.

    Returns:
        Exit status, see `faceops.command_line.exit_status`.

    Raises:
        ValueError: If nothing can be done.
        OSError: Likewise; without the network that finds faces, and if that cannot be fetched.
    """
    console = error_console()
    check_face_size(options.face_size)
    wanted = missing_jobs(jobs, options.overwrite)
    if not wanted:
        return 0
    recognition = load_recognition(fetch=True)
    assert recognition is not None
    source = RestorerSource.stated(options)
    with shown("Loading"):
        general = source.load()
        face = replace(source, weights=options.face_weights, base=options.face_base).load()
    setup = Blending(general, face, stated, recognition, options.face_size, scores=options.report is not None)
    run = replace(
        run_record(general, stated, source, ()),
        face_weights=options.face_weights,
        face_base=face.restorer.source,
        face_size=options.face_size,
    )
    report = None if options.report is None else Report(options.report, run)
    return run_jobs(jobs, wanted, partial(blend_file, setup=setup), report, console)


def blend_file(job: Job, setup: Blending) -> PictureRecord:
    """Blend one picture and write what the job wants.

    Returns:
        What became of it, to be reported.

    Raises:
        ValueError: If the picture cannot be read or restored.
        OSError: If a file cannot be read or written.
    """
    seconds: dict[str, float] = {}
    with measured(seconds, "read"):
        data, picture = read_input(job, setup.options)
    size = picture.pixels.shape[1], picture.pixels.shape[2]
    with measured(seconds, "faces"):
        seen = detect_and_embed(picture.pixels, setup.recognition)
        nobody = Matching((None,) * len(seen), ())
        notes = [*notes_on_file(data, size, setup.options), *([] if len(seen) else [NO_FACE])]
    restored = blend(setup.general, setup.face, picture, setup.options, seen.faces, setup.face_size)
    with measured(seconds, "scores"):
        faces = []
        if setup.scores:
            faces = face_records(seen, nobody.matches, restored, size, setup.recognition, setup.face_size)
    with measured(seconds, "write"):
        record = write_results(job, restored, size, seen, nobody)
    return replace(record, seconds=in_order(seconds | restored.seconds), faces=faces, notes=notes)
