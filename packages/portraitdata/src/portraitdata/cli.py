"""The ``portraitdata`` console script.

A command imports what it needs when it runs, so that help is fast.
"""

import sys
from collections.abc import Callable

from faceops.command_line import Commands, run_chosen, run_command
from faceops.existing_files import check_exists
from faceops.weights.shipped import check_suffix
from portraitdata.commands.build_options import BuildOptions, ReportOptions, TakedownOptions, VerifyOptions
from portraitdata.commands.index_options import ExemplarIndexOptions, InspectOptions, PortraitIndexOptions
from portraitdata.commands.label_options import ExportDetectorOptions, LabelFacesOptions
from portraitdata.commands.scoring_options import DegradeOptions, ScoreOptions
from portraitdata.commands.study_options import StudyMakeOptions, StudyScoreOptions
from portraitdata.commands.tag_options import TagOptions
from portraitdata.storage.places import Place, check_local
from portraitdata.training.recipe_help import print_recipe_help


def fit() -> None:
    """Train the face detector any-turn."""


def validate() -> None:
    """Score a checkpoint of it on the photographs that are held out."""


def label_faces(options: LabelFacesOptions) -> int:
    """Refuse a missing folder, then label the faces of its photographs."""
    check_exists("folder", options.folder)
    check_exists("weights file", options.yunet, options.retinaface)

    from portraitdata.commands.label_faces import run_label_faces

    return run_label_faces(options)


def export_detector(options: ExportDetectorOptions) -> None:
    """Refuse what cannot be done, then export."""
    check_exists("checkpoint", options.checkpoint)
    check_suffix(options.output)

    from portraitdata.commands.export_detector import run_export_detector

    run_export_detector(options)


def exemplar_index(options: ExemplarIndexOptions) -> None:
    """Index photographs of people."""
    from portraitdata.commands.exemplar_index import run_exemplar_index

    run_exemplar_index(options)


def inspect(options: InspectOptions) -> None:
    """Count what an index holds."""
    from portraitdata.commands.inspect import run_inspect

    run_inspect(options)


def portrait_index(options: PortraitIndexOptions) -> None:
    """Refuse missing files, then index portraits."""
    check_exists("folder or archive", options.source)
    check_exists("list of photographs to test on", options.test_list)

    from portraitdata.commands.portrait_index import run_portrait_index

    run_portrait_index(options)


def build(options: BuildOptions) -> None:
    """Build a data set."""
    from portraitdata.commands.build import run_build

    run_build(options)


def status(build: Place) -> None:
    """Print how many images passed each stage of a build, and why the others were dropped.

    Args:
        build: Folder of the build.

    Example:
        portraitdata status build
    """
    from portraitdata.builder.layout import check_build

    check_build(build)

    from portraitdata.commands.build import run_status

    run_status(build)


def report(options: ReportOptions) -> None:
    """Refuse a folder that is no build, then report on it."""
    from portraitdata.builder.layout import check_build

    check_build(options.build)

    from portraitdata.commands.report import run_report

    run_report(options)


def verify(options: VerifyOptions) -> int:
    """Refuse a folder that is no index, then verify it."""
    from portraitdata.restoration.index.schemas import check_table

    check_local(options.index, "verify")
    check_table(options.index / "images.parquet")

    from portraitdata.commands.verify import run_verify

    return run_verify(options)


def tag(options: TagOptions) -> None:
    """Refuse a folder that is no index, then tag."""
    from portraitdata.restoration.index.schemas import check_table

    check_table(options.index / "images.parquet")

    from portraitdata.commands.tag import run_tag

    run_tag(options)


def takedown(options: TakedownOptions) -> int:
    """Refuse a folder that is no index and a photograph that cannot be opened, then take down."""
    from portraitdata.restoration.index.schemas import check_table

    check_local(options.index, "takedown")
    check_table(options.index / "images.parquet")
    if options.like is not None:
        from faceops.images.opening import check_opens

        check_opens(options.like)

    from portraitdata.commands.takedown import run_takedown

    return run_takedown(options)


def degrade_pictures(options: DegradeOptions) -> int:
    """Plan the jobs, then degrade."""
    from faceops.images.memory_budget import DEGRADATION_BYTES, memory_budget
    from portraitdata.commands.degradation_jobs import plan_degradation

    with memory_budget(options.max_memory, DEGRADATION_BYTES):
        jobs = plan_degradation(options.images, options.output, options.records)
        check_exists("file of records", options.replay)

        from portraitdata.commands.degrade import run_degrade

        return run_degrade(jobs, options)


def score(options: ScoreOptions) -> int:
    """Refuse missing folders, then score."""
    check_exists("folder", options.restored, options.target, options.references, options.masks)

    from portraitdata.commands.score import run_score

    return run_score(options)


def study_make(options: StudyMakeOptions) -> int:
    """Write a questionnaire."""
    from portraitdata.commands.study import run_study_make

    return run_study_make(options)


def study_score(options: StudyScoreOptions) -> int:
    """Count answers."""
    from portraitdata.commands.study import run_study_score

    return run_study_score(options)


TRAINER_COMMANDS: dict[str, Callable[[], None]] = {"fit": fit, "validate": validate}
"""Run by LightningCLI, which parses their options itself; here they are only names and help lines."""

COMMANDS: Commands = {
    "exemplar-index": exemplar_index,
    "inspect": inspect,
    "portrait-index": portrait_index,
    "tag": tag,
    "build": build,
    "status": status,
    "report": report,
    "verify": verify,
    "takedown": takedown,
    "degrade": degrade_pictures,
    "score": score,
    "study": {
        "_help": "Ask people which method restores best, and count what they say.",
        "make": study_make,
        "score": study_score,
    },
    "label-faces": label_faces,
    **TRAINER_COMMANDS,
    "export-detector": export_detector,
}


def run() -> int | None:
    """Parse the command line and run its command; the result is the exit status."""
    if sys.argv[1:2] and sys.argv[1] in TRAINER_COMMANDS:
        if print_recipe_help("portraitdata", TRAINER_COMMANDS[sys.argv[1]]):
            return None

        from portraitdata.face_finding.training.cli import run as run_recipe

        run_recipe()
        return None
    return run_chosen(COMMANDS, "portraitdata")


def main() -> None:
    """Run a command; ``python -X dev -m portraitdata`` shows the traceback of an error instead of a sentence."""
    run_command("portraitdata", run)
