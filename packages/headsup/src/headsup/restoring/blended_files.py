"""``headsup blend``: picture files in, blended picture files out."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial

from faceops.device import select_device
from faceops.images.jobs import Job, missing_jobs
from faceops.progress.display import shown
from faceops.progress.verbosity import say
from headsup.command_options import BlendFilesOptions
from headsup.restoring.blending import BlendedRestorer, blend, check_face_size, check_roles
from headsup.restoring.face_scores import face_records
from headsup.restoring.files import RestorerSource, run_jobs
from headsup.restoring.options import RestoreOptions
from headsup.restoring.photo_restorer import PhotoRestorer
from headsup.restoring.picture_restoration import in_order, notes_on_file, read_input, write_results
from headsup.restoring.public_restorers.public_files import is_public
from headsup.restoring.public_restorers.public_restorer import PublicRestorer
from headsup.restoring.public_restorers.rrdbnet import load_x4plus
from headsup.restoring.public_restorers.spandrel_networks import load_spandrel
from headsup.restoring.references.face_recognition import FaceRecognition, detect_and_embed, load_recognition
from headsup.restoring.references.matching import Matching
from headsup.restoring.report import PictureRecord, Report, RunRecord
from headsup.restoring.stages import measured
from headsup.weights.shipped import find_weights

NO_FACE = "No face was found, so the picture is what the general restorer makes of it."


@dataclass(frozen=True, eq=False)
class Blending:
    """Setup that all images of a run share."""

    general: BlendedRestorer
    face: BlendedRestorer
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
        jobs: What to do, see `headsup.restoring.jobs.plan_blending`.
        stated: How each picture is restored, see `headsup.restoring.options.stated_options`.
        options: The rest of what the command line says.

    Returns:
        Exit status, see `faceops.command_line.exit_status`.

    Raises:
        ValueError: If nothing can be done.
        OSError: Likewise.
    """
    check_face_size(options.face_size)
    wanted = missing_jobs(jobs, options.overwrite)
    if not wanted and options.report is None:
        return 0
    recognition = load_recognition(fetch=True)
    with shown("Loading"):
        general, face = load_general(options), load_restorer(options.face, options.face_base, options)
    check_roles(general, face, options.face_size)
    say_notes((general, face))
    setup = Blending(general, face, stated, recognition, options.face_size, scores=options.report is not None)
    report = None if options.report is None else Report(options.report, run_record(setup, options))
    return run_jobs(jobs, wanted, partial(blend_file, setup=setup), report)


def load_general(options: BlendFilesOptions) -> BlendedRestorer:
    """The restorer of the whole that a command line names.

    Raises:
        ValueError: If something does not fit.
        OSError: If something is missing.
    """
    if options.general is None:
        return load_x4plus(select_device(options.device))
    return load_restorer(options.general, options.base, options)


def load_restorer(weights: str, base: str | None, options: BlendFilesOptions) -> BlendedRestorer:
    """One of the two restorers of a command line, HeadsUp's or a public one.

    Args:
        weights: Name of shipped weights, or a file.
        base: Base model of HeadsUp's, if not the one that the weights name.
        options: The rest of what the command line says.

    Raises:
        ValueError: If something does not fit.
        OSError: If something is missing.
    """
    if is_public(weights):
        return load_spandrel(find_weights(weights), select_device(options.device))
    return RestorerSource(weights, base, options.prompt, options.device, options.precision).load()


def say_notes(restorers: Sequence[BlendedRestorer]) -> None:
    """Print what is to be said of the licences of public restorers."""
    for restorer in restorers:
        if isinstance(restorer, PublicRestorer) and restorer.maker.note is not None:
            say(restorer.maker.note)


def run_record(setup: Blending, options: BlendFilesOptions) -> RunRecord:
    """Report entries that all images share; the precision is that of the general restorer."""
    general = setup.general
    source = RestorerSource(precision=options.precision)
    half = isinstance(general, PhotoRestorer) and source.in_bfloat16(general.device)
    return RunRecord(
        weights=options.background or str(options.general),
        base=general.base,
        device=str(general.device),
        precision="bfloat16" if half else "float32",
        prompt=options.prompt,
        references=(),
        options=setup.options,
        face_weights=options.face,
        face_base=setup.face.base,
        face_size=options.face_size,
    )


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
        read = read_input(job, setup.options)
    picture, size = read.picture, read.size
    with measured(seconds, "faces"):
        seen = detect_and_embed(picture.pixels, setup.recognition)
        nobody = Matching((None,) * len(seen), ())
        notes = [*notes_on_file(read, setup.options), *([] if len(seen) else [NO_FACE])]
    restored = blend(setup.general, setup.face, picture, setup.options, seen.faces, setup.face_size)
    with measured(seconds, "scores"):
        faces = []
        if setup.scores:
            faces = face_records(seen, nobody.matches, restored, size, setup.recognition, setup.face_size)
    with measured(seconds, "write"):
        record = write_results(job, restored, size, seen, nobody)
    return replace(record, seconds=in_order(seconds | restored.seconds), faces=faces, notes=notes)
