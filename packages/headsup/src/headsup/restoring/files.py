"""``headsup restore``: picture files in, picture files out."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Literal

import torch

from faceops.command_line import exit_status
from faceops.device import DeviceName, select_device
from faceops.images.batch import Batch, Outcome, attempt, run_batch
from faceops.images.jobs import Job, missing_jobs
from faceops.progress.display import shown
from faceops.progress.verbosity import say
from headsup.command_options import RestoreFilesOptions
from headsup.model.text_encoder import say_of_texts
from headsup.restoring.options import REFERENCES_IGNORED, RestoreOptions
from headsup.restoring.photo_restorer import PhotoRestorer
from headsup.restoring.picture_restoration import Setup, restore_file
from headsup.restoring.references.face_recognition import FaceRecognition, load_recognition
from headsup.restoring.references.people_summary import lines_on_people, lines_on_use
from headsup.restoring.references.person import Person
from headsup.restoring.references.reference_errors import with_cli_advice
from headsup.restoring.references.reference_people import load_people
from headsup.restoring.report import PictureRecord, Report, RunRecord
from headsup.weights.files import read_header
from headsup.weights.shipped import DEFAULT_WEIGHTS, find_weights
from portraitdata.restoration.index.taggers import build_tagger

OUT_OF_MEMORY = "the memory ran out; --memory GB or a smaller --scale helps."

Precision = Literal["auto", "float32", "bfloat16"]
"""Type of the frozen weights; auto is bfloat16 on CUDA devices, else float32. The step z_L to z_H is in float32."""


@dataclass(frozen=True)
class RestorerSource:
    """Checkpoint, base and device of a restorer."""

    weights: str | Path = DEFAULT_WEIGHTS
    """Name of shipped weights, or a file."""
    base: str | None = None
    """Base model, if not the one that the weights name."""
    prompt: str = ""
    device: DeviceName = "auto"
    precision: Precision = "auto"
    tagger: str | None = None
    """Name or class path, see `portraitdata.restoration.index.taggers.build_tagger`; none by default."""

    @classmethod
    def stated(cls, command: RestoreFilesOptions) -> "RestorerSource":
        """As a command line states it."""
        return cls(command.weights, command.base, command.prompt, command.device, command.precision, command.tagger)

    @property
    def base_model(self) -> str:
        """The base model; `ValueError` or `OSError` if it is not stated and the weights cannot be read."""
        return self.base or read_header(find_weights(self.weights))[0].base

    def in_bfloat16(self, device: torch.device) -> bool:
        """Tell whether the frozen weights are kept in bfloat16 on a device."""
        return self.precision == "bfloat16" or (self.precision == "auto" and device.type == "cuda")

    def load(self) -> PhotoRestorer:
        """The restorer.

        Raises:
            ValueError: If something does not fit, or there is no such device.
            OSError: If something is missing.
        """
        if texts := [name for name, given in (("prompt", self.prompt), ("tagger", self.tagger)) if given]:
            say_of_texts(self.weights, self.base_model, texts)
        device = select_device(self.device)
        tagger = None if self.tagger is None else build_tagger(self.tagger)
        return PhotoRestorer.load(self.weights, self.base, self.prompt, device, self.in_bfloat16(device), tagger)


def restore_files(jobs: Sequence[Job], stated: RestoreOptions, options: RestoreFilesOptions) -> int:
    """Restore picture files.

    Args:
        jobs: What to do, see `headsup.restoring.jobs.plan_request`.
        stated: How each picture is restored, see `headsup.restoring.options.stated_options`.
        options: The rest of what the command line says.

    Returns:
        Exit status, see `faceops.command_line.exit_status`.

    Raises:
        UnusedReferencesError: If the references are of no use, and it is not forced.
        ValueError: If nothing can be done.
        OSError: Likewise.
    """
    box = checked_box(options.face_box, len(jobs))
    wanted, source = missing_jobs(jobs, options.overwrite), RestorerSource.stated(options)
    if not wanted:
        if options.report is not None:  # nothing is loaded for it
            run = run_record(source.base_model, select_device(source.device), stated, source, options.reference)
            report_there(jobs, Report(options.report, run))
        return 0
    if options.reference and stated.ignores_references:
        say(REFERENCES_IGNORED)
        options = replace(options, reference=())
    looked_at = options.report is not None or any(job.sheet is not None for job in jobs)
    recognition = wanted_recognition(bool(options.reference), looked_at)
    if box is not None and recognition is None:
        say("--face-box says which face the references are for; without any it is not used.")
    with shown("Loading"):
        people = wanted_people(options, recognition, len(wanted))
        restorer = source.load()
    setup = Setup(restorer, stated, people, recognition, box, options.force, scores=options.report is not None)
    run = run_record(restorer.base, restorer.device, stated, source, options.reference)
    report = None if options.report is None else Report(options.report, run)
    done: list[PictureRecord] = []

    def restore(job: Job) -> PictureRecord:
        done.append(restore_file(job, setup))
        return done[-1]

    status = run_jobs(jobs, wanted, restore, report)
    for line in lines_on_use(people, [record.used for record in done], [record.unused for record in done]):
        say(line)
    return status


def run_jobs(
    jobs: Sequence[Job], wanted: Sequence[Job], work: Callable[[Job], PictureRecord], report: Report | None
) -> int:
    """Do the wanted ones of all jobs; the others are reported as there already.

    Returns:
        Exit status; that of a failure too if the report cannot be finished.

    Raises:
        ValueError: See `faceops.images.batch.run_batch`.
        OSError: Likewise; or if the report cannot be written.
    """
    if report is not None:
        missing = set(wanted)
        report_there([job for job in jobs if job not in missing], report)
    batch = Batch(partial(report_job, work=work, report=report), "Restoring", "restored")
    try:
        failed = run_batch(wanted, batch, alone=len(jobs) == 1)
    finally:
        is_reported = report is None or report.finish()
    status = exit_status(len(jobs), len(jobs) - failed)
    return status if is_reported else max(status, 1)


def report_there(jobs: Sequence[Job], report: Report) -> None:
    """Report what is there already; `OSError` if the report cannot be written."""
    report.add(*(PictureRecord(str(job.source), str(job.output), "there already") for job in jobs))


def report_job(job: Job, work: Callable[[Job], PictureRecord], report: Report | None) -> Outcome[PictureRecord]:
    """Do one job and report it.

    Raises:
        OSError: If the report cannot be written.
    """
    outcome = attempt(job, work, OUT_OF_MEMORY)
    if outcome.result is None:
        record = PictureRecord(str(job.source), str(job.output), "failed", error=outcome.reason)
    else:
        record = replace(outcome.result, notes=[*outcome.result.notes, *outcome.notes])
    if report is not None:
        report.add(record)
    return replace(outcome, notes=record.notes)


def checked_box(box: Sequence[float], pictures: int) -> tuple[float, float, float, float] | None:
    """The box of the face that counts, if there is one.

    Raises:
        ValueError: If it has not four numbers, or there are several pictures.
    """
    if not box:
        return None
    if len(box) != 4 or pictures != 1:
        raise ValueError(
            f"--face-box is X1 Y1 X2 Y2 in pixels of a single picture; got {len(box)} numbers for {pictures} pictures."
        )
    return box[0], box[1], box[2], box[3]


def wanted_recognition(references: bool, scores: bool) -> FaceRecognition | None:
    """Networks for faces: fetched if there are references, taken from the cache for a report or sheet."""
    if not references and not scores:
        return None
    recognition = load_recognition(fetch=references)
    if recognition.encoder is None and not references:
        say("Faces are not compared; they are after `faceops weights fetch mobilefacenet` (4 MB).")
    return recognition


def wanted_people(options: RestoreFilesOptions, recognition: FaceRecognition | None, pictures: int) -> Sequence[Person]:
    """People of the references; who they are and what is to be said of them is printed, once for all pictures.

    Args:
        pictures: How many are restored.

    Raises:
        UnusedReferencesError: If there are references and none shows a face, and it is not forced.
        ValueError: If a file cannot be read, or a folder holds no picture.
    """
    if recognition is None or not options.reference:
        return ()
    with with_cli_advice():
        found = load_people(options.reference, recognition, options.force)
    several = pictures > 1 or sum(len(person.photos) for person in found.people) > 1
    for line in (*lines_on_people(found.people), *found.notes, *notes_on_recognition(recognition, several)):
        say(line)
    return found.people


def notes_on_recognition(recognition: FaceRecognition, several: bool) -> list[str]:
    """What becomes of references where no network tells people apart; what to do, if that decides anything.

    Args:
        several: Whether there are several references or pictures.
    """
    if recognition.encoder is not None:
        return []
    if not several:
        return ["The reference is used without comparing faces, since no network tells people apart."]
    return [
        "Faces are not compared with the references, since no network tells people apart: from left to right they get "
        f"the references in the order given, and a folder is one person. {recognition.missing}"
    ]


def run_record(
    base: str, device: torch.device, options: RestoreOptions, weights: RestorerSource, references: Sequence[Path]
) -> RunRecord:
    """Report entries that all images share."""
    return RunRecord(
        weights=str(weights.weights),
        base=base,
        device=str(device),
        precision="bfloat16" if weights.in_bfloat16(device) else "float32",
        prompt=weights.prompt,
        tagger=weights.tagger,
        references=[str(path) for path in references],
        options=options,
    )
