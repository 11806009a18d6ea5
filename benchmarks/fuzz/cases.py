"""Calls of the commands on damaged files."""

import json
import os
import shutil
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from numpy.random import Generator

from benchmarks.fuzz.inputs import write_damaged, write_good_picture, write_picture
from faceops.weights.cache import CACHE_VARIABLE, add_weights, cached_path, find_entry
from headsup.weights.shipped import find_weights as find_restorer
from hime.weights.shipped import find_weights as find_upscaler
from portraitdata.study.answers import FORMAT

MEMORY = "--max-memory", "1"
FACE = 160
"""Side of pictures in which a face is looked for."""
SMALL = 16


@dataclass(frozen=True)
class Case:
    """A call of a command; paths are relative to the folder of the case, what is written goes to `output` in it."""

    words: tuple[str, ...]
    """Program, command and arguments."""
    wanted: int | None = 1
    """Files that are written if all is done; None if the command is a check."""


Draw = Callable[[Path, Generator], Case]
"""Writes damaged inputs into a folder and says how to call the command."""


def pictures(folder: Path, generator: Generator, side: int) -> tuple[tuple[str, ...], str, int]:
    """Words of an input and its output, and how many pictures it is: one, or a folder of a whole and a damaged one."""
    picture = write_picture(folder / "in", generator, side)
    if generator.random() < 0.7:
        return (os.path.relpath(picture, folder),), "output/o.png", 1
    write_good_picture(folder / "in", side)
    return ("in",), "output", 2


def detect(folder: Path, generator: Generator) -> Case:
    """Faces of a picture, drawn."""
    given, _, wanted = pictures(folder, generator, FACE)
    return Case(("faceops", "detect", *given, "--draw", "output", *MEMORY), wanted)


def align(folder: Path, generator: Generator) -> Case:
    """Crop of the largest face; a picture in which damage leaves none fails."""
    given, _, wanted = pictures(folder, generator, FACE)
    return Case(("faceops", "align", *given, "--output", "output", "--size", "64", "--largest", *MEMORY), wanted)


def compare(folder: Path, generator: Generator) -> Case:
    """Similarity of a damaged and a whole picture."""
    first, second = write_picture(folder / "in", generator, FACE), write_good_picture(folder / "in", FACE)
    return Case(("faceops", "compare", *(os.path.relpath(file, folder) for file in (first, second)), *MEMORY), None)


def embed(folder: Path, generator: Generator) -> Case:
    """Embeddings in one file, which a part of the pictures makes too."""
    given, _, _ = pictures(folder, generator, FACE)
    return Case(("faceops", "embed", *given, "--output", "output/o.npz", *MEMORY))


def draw_map(folder: Path, generator: Generator) -> Case:
    """Correlation map of a picture."""
    picture = write_picture(folder / "in", generator, SMALL)
    return Case(("hime", "correlation-map", os.path.relpath(picture, folder), "--output", "output/o.png"))


def upscale(folder: Path, generator: Generator) -> Case:
    """HIME on small pictures, with a damaged exemplar at times."""
    given, target, wanted = pictures(folder, generator, SMALL)
    more: tuple[str, ...] = ()
    if generator.random() < 0.3:
        exemplar = write_picture(folder / "exemplars", generator, 4 * SMALL)
        more = "--exemplars", os.path.relpath(exemplar, folder), "--align", "middle"
    return Case(("hime", "upscale", *given, "--output", target, "--scale", "4", *MEMORY, *more), wanted)


def upscale_by_damaged_weights(folder: Path, generator: Generator) -> Case:
    """HIME with damaged weights."""
    write_damaged(find_upscaler("small-x4"), folder / "w.safetensors", generator)
    write_good_picture(folder / "in", SMALL)
    words = "hime", "upscale", "in/good.png", "--output", "output/o.png", "--weights", "w.safetensors", *MEMORY
    return Case(words)


def upscale_by_settings(folder: Path, generator: Generator) -> Case:
    """HIME with a damaged file of settings."""
    settings = folder / "s.yaml"
    settings.write_text("scale: 4\ntile: 64\nmax_memory: 1\ndevice: cpu\nrecursive: false\n")
    write_damaged(settings, settings, generator)
    write_good_picture(folder / "in", SMALL)
    return Case(("hime", "upscale", "--config", "s.yaml", "in/good.png", "--output", "output/o.png"))


def build(folder: Path, generator: Generator) -> Case:
    """Beginning of a build with damaged settings, of photographs of which there are none."""
    settings = folder / "s.yaml"
    settings.write_text(
        "output: build\nsources:\n- {name: missing, pictures: missing}\npartition: 500\n"
        "size: {longer_above: 200, shorter_from: 200}\nsplit: {test_share: 0.1, seed: 0}\nworkers: 1\n"
    )
    write_damaged(settings, settings, generator)
    return Case(("portraitdata", "build", "--config", "s.yaml"), None)


def restore(folder: Path, generator: Generator) -> Case:
    """HeadsUp on small pictures, without looking for faces."""
    given, target, wanted = pictures(folder, generator, SMALL)
    words = "headsup", "restore", *given, "--output", target, "--size", "64x64", "--weights", "tiny", "--memory", "2"
    return Case(words, wanted)


def restore_by_damaged_weights(folder: Path, generator: Generator) -> Case:
    """HeadsUp with damaged weights."""
    write_damaged(find_restorer("tiny"), folder / "w.safetensors", generator)
    write_good_picture(folder / "in", SMALL)
    words = "headsup", "restore", "in/good.png", "--output", "output/o.png", "--size", "64x64"
    return Case((*words, "--weights", "w.safetensors", "--memory", "2"))


def degrade(folder: Path, generator: Generator) -> Case:
    """Degradation of pictures."""
    given, target, wanted = pictures(folder, generator, 4 * SMALL)
    return Case(("portraitdata", "degrade", *given, "--output", target, *MEMORY), wanted)


def score(folder: Path, generator: Generator) -> Case:
    """Scores of a damaged picture against a whole one."""
    restored = write_picture(folder / "restored", generator, SMALL)
    write_good_picture(folder / "target", SMALL, restored.with_suffix(".png").name)
    words = "portraitdata", "score", "--restored", "restored", "--target", "target", "--convention", "rgb"
    return Case((*words, "--output", "output/o.csv"))


def index_exemplars(folder: Path, generator: Generator) -> Case:
    """Index of people one of whose portraits is damaged."""
    for person in ("one", "two"):
        for name in ("a.png", "b.png"):
            write_good_picture(folder / "people" / person, 4 * SMALL, name)
    write_picture(folder / "people/one", generator, 4 * SMALL)
    more = ("--verify",) if generator.random() < 0.5 else ()
    words = "portraitdata", "exemplar-index", "people", "--output", "output/o.parquet", "--min-images", "2"
    return Case((*words, *more))


def index_portraits(folder: Path, generator: Generator) -> Case:
    """Index of photographs one of which is damaged."""
    write_good_picture(folder / "photographs", FACE)
    write_picture(folder / "photographs", generator, FACE)
    return Case(("portraitdata", "portrait-index", "photographs", "--output", "output", "--no-faces", "--workers", "1"))


class Prepared:
    """Whole files that commands have written, for cases that damage them."""

    def __init__(self, place: Path, run: Callable[[Case, Path], None], assets: Path | None) -> None:
        """Write them.

        Args:
            place: Folder for them.
            run: Runs a case in a folder.
            assets: Folder of the weights of faceops; the commands that need them are left out without it.
        """
        self.exemplars, self.portraits, self.records, self.study = (
            place / name for name in ("exemplars", "portraits", "records", "study")
        )
        for person in ("one", "two"):
            for name in ("a.png", "b.png"):
                write_good_picture(self.exemplars / "people" / person, 4 * SMALL, name)
        words = "portraitdata", "exemplar-index", "people", "--output", "o.parquet", "--min-images", "2"
        run(Case(words), self.exemplars)
        write_good_picture(self.portraits / "photographs", FACE)
        run(Case(("portraitdata", "portrait-index", "photographs", "--output", "index", "--no-faces")), self.portraits)
        write_good_picture(self.records, 4 * SMALL)
        words = "portraitdata", "degrade", "good.png", "--output", "o.png", "--records", "r.jsonl"
        run(Case(words), self.records)
        write_good_picture(self.study / "one", SMALL)
        write_good_picture(self.study / "two", SMALL)
        make = "portraitdata", "study", "make", "--methods", "one", "two", "--questions", "1", "--output", "s.html"
        run(Case(make), self.study)
        self.knows_faces = False
        os.environ[CACHE_VARIABLE] = str(place / "cache")
        for file in sorted((assets or place).glob("weights/*/*")):
            with suppress(ValueError):  # it is not one of those that faceops knows
                add_weights(file)
                self.knows_faces = True

    def detect_by_damaged_weights(self, folder: Path, generator: Generator) -> Case:
        """Faces of a picture, by a damaged network."""
        write_damaged(cached_path(find_entry("yunet")), folder / "w.onnx", generator)
        write_good_picture(folder / "in", FACE)
        return Case(("faceops", "detect", "in/good.png", "--weights", "w.onnx", *MEMORY), None)

    def take_down(self, folder: Path, generator: Generator) -> Case:
        """Take a photograph out of an index, one file of which is damaged."""
        shutil.copytree(self.portraits / "index", folder / "index")
        chosen = Path(str(generator.choice(sorted(map(str, (folder / "index").rglob("*.*"))))))
        write_damaged(chosen, chosen, generator)
        return Case(("portraitdata", "takedown", "index", "--uid", "0" * 16, "--yes", "--reason", "asked"), None)

    def inspect(self, folder: Path, generator: Generator) -> Case:
        """Look at a damaged exemplar index, and draw a sheet of it."""
        write_damaged(self.exemplars / "o.parquet", folder / "i.parquet", generator)
        words = "portraitdata", "inspect", "i.parquet", "--root", str(self.exemplars / "people"), "--size", "32"
        return Case((*words, "--sheet", "output/o.png"))

    def verify(self, folder: Path, generator: Generator) -> Case:
        """Check an index of photographs, one file of which is damaged."""
        shutil.copytree(self.portraits / "index", folder / "index")
        files = sorted(path for path in (folder / "index").rglob("*") if path.is_file())
        chosen = files[generator.integers(len(files))]
        write_damaged(chosen, chosen, generator)
        return Case(("portraitdata", "verify", "index", "--deep"), None)

    def replay(self, folder: Path, generator: Generator) -> Case:
        """Apply damaged records of a degradation."""
        write_damaged(self.records / "r.jsonl", folder / "r.jsonl", generator)
        write_good_picture(folder, 4 * SMALL)
        return Case(("portraitdata", "degrade", "good.png", "--output", "output/o.png", "--replay", "r.jsonl", *MEMORY))

    def count_answers(self, folder: Path, generator: Generator) -> Case:
        """Count answers to a questionnaire; they or its key are damaged."""
        key = self.study / "s.key.json"
        record = json.loads(key.read_text())
        answers = {"format": FORMAT, "study": record["study"], "participant": "a", "saved": "2026-01-01T00:00:00Z"}
        first, answered = record["questions"][0], folder / "a.json"
        chosen = {first["token"]: next(iter(first["options"]))}
        answered.write_text(json.dumps(answers | {"questions": 1, "answers": chosen}))
        shutil.copy(key, folder / "k.json")
        changed = folder / str(generator.choice(["a.json", "k.json"]))
        write_damaged(changed, changed, generator)
        return Case(("portraitdata", "study", "score", "a.json", "--key", "k.json", "--output", "output/o.json"))

    def identities(self, folder: Path, generator: Generator) -> Case:
        """Index people by a damaged table."""
        rows = "".join(f"{person}/{name}.png,{person},train\n" for person in ("one", "two") for name in "ab")
        table = folder / "t.csv"
        table.write_text(f"file,identity,split\n{rows}")
        write_damaged(table, table, generator)
        people = str(self.exemplars / "people")
        words = "portraitdata", "exemplar-index", people, "--identities", "t.csv", "--output", "output/o.parquet"
        return Case((*words, "--min-images", "2"))

    def draws(self) -> dict[str, Draw]:
        """Cases of every command by name."""
        found: dict[str, Draw] = {
            "hime upscale": upscale,
            "hime correlation-map": draw_map,
            "hime upscale --weights": upscale_by_damaged_weights,
            "hime upscale --config": upscale_by_settings,
            "portraitdata build --config": build,
            "headsup restore": restore,
            "headsup restore --weights": restore_by_damaged_weights,
            "portraitdata degrade": degrade,
            "portraitdata degrade --replay": self.replay,
            "portraitdata score": score,
            "portraitdata exemplar-index": index_exemplars,
            "portraitdata exemplar-index --identities": self.identities,
            "portraitdata portrait-index": index_portraits,
            "portraitdata study score": self.count_answers,
            "portraitdata inspect": self.inspect,
            "portraitdata verify": self.verify,
            "portraitdata takedown": self.take_down,
        }
        faces: dict[str, Draw] = {
            "faceops detect": detect,
            "faceops align": align,
            "faceops compare": compare,
            "faceops embed": embed,
            "faceops detect --weights": self.detect_by_damaged_weights,
        }
        return found | faces if self.knows_faces else found
