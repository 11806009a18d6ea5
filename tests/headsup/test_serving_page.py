"""The page of `headsup serve`: what really restores behind it, a browser before it, and the process as a whole."""

import gc
import http.client
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
import weakref
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from PIL import Image, ImageCms
from torch import Tensor

from faceops.atomic_files import machine_name
from faceops.geometry.faces import Faces
from faceops.geometry.landmarks import ARCFACE_112, Template
from faceops.images.description import Description
from faceops.images.errors import TooLargeImageError
from faceops.images.files import Picture, decode_picture, save_picture
from faceops.images.memory_budget import DETECTION_BYTES
from headsup.command_options import ServeOptions
from headsup.model.settings import RestorerSettings
from headsup.restoring.files import RestorerSource
from headsup.restoring.photo_restorer import PhotoRestorer
from headsup.restoring.references.face_recognition import FACE_BOX_LANDMARKS, FaceRecognition
from headsup.serving.job_queue import JobQueue
from headsup.serving.limits import Limits
from headsup.serving.photo_job import CancelledError, ForceableError, Outcome, PhotoJob
from headsup.serving.preview import Preview
from headsup.serving.restoration import PhotoRestoration
from headsup.serving.restore_request import parse_request
from headsup.serving.restorers import OfferedWeights, Restorers, offered_weights
from headsup.serving.routes import Site
from headsup.serving.serve import build_server, listen, page_url, source_of
from headsup.serving.uploads import look_at
from headsup.weights.files import save_weights
from headsup.weights.model_card import ModelCard

HUES = {"ann": (1.0, 0.0, 0.0), "ben": (0.0, 1.0, 0.0)}


class BlockDetector:
    """Finds blocks of the hues above on grey, one of a hue."""

    def __call__(self, images: Tensor) -> Faces:
        found = [Faces(torch.zeros(0, dtype=torch.long), torch.zeros(0, 4), torch.zeros(0, 5, 2), torch.zeros(0))]
        for hue in HUES.values():
            mask = ((images[0] - 0.5) * (images.new_tensor(hue).reshape(3, 1, 1) - 0.5)).sum(dim=0) > 0.4
            if mask.sum() >= 16:
                rows, columns = mask.any(dim=1).nonzero(), mask.any(dim=0).nonzero()
                box = torch.stack((columns.min(), rows.min(), columns.max(), rows.max())).float()
                points = box[:2] + torch.tensor(FACE_BOX_LANDMARKS) * (box[2:] - box[:2])
                found.append(Faces(torch.tensor([0]), box[None], points[None], torch.ones(1)))
        return Faces.concatenate(found)


class HueEncoder:
    """Embeds a face as the direction of its mean colour from grey."""

    input_template: Template = ARCFACE_112
    input_size: int = 112

    def __call__(self, aligned: Tensor) -> Tensor:
        return F.normalize(aligned[:, :, 40:72, 40:72].mean(dim=(2, 3)) - 0.5, dim=1)


def portrait(*people: str, side: int = 40) -> Tensor:
    """Faces side by side on grey, each in the middle of a square."""
    squares = [torch.full((3, side, side), 0.5) for _ in people or ("nobody",)]
    for square, name in zip(squares, people, strict=False):
        square[:, side // 4 : -side // 4, side // 4 : -side // 4] = torch.tensor(HUES[name]).reshape(3, 1, 1)
    return torch.cat(squares, dim=2)


def write(path: Path, *people: str) -> Path:
    save_picture(Picture(portrait(*people)), path)
    return path


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("weights") / "random.safetensors"
    settings = RestorerSettings(base="random:tiny", layout="placed")
    save_weights(settings.build().generator_parameters(), settings, path, ModelCard())
    return path


@pytest.fixture(scope="module")
def restoration(weights: Path) -> PhotoRestoration:
    return PhotoRestoration(restorers(weights), FaceRecognition(BlockDetector(), HueEncoder(), 0.9))


def restorers(weights: Path) -> Restorers:
    """One restorer, loaded."""
    found = Restorers({"random": partial(PhotoRestorer.load, weights)})
    found.load()
    return found


def sent(folder: Path, photo: Path, *references: Path, **options: object) -> PhotoJob:
    """A job as it is once everything was sent."""
    folder.mkdir()
    job = PhotoJob(folder)

    def upload(path: Path, place: str) -> object:
        (folder / place).mkdir()
        stored = Path(shutil.copy(path, folder / place))
        return look_at(stored, stored, Limits())

    job.photo = upload(photo, "photo")
    job.references = [upload(path, f"reference{number}") for number, path in enumerate(references)]
    job.request = parse_request(json.dumps({"scale": 2, **options}).encode())
    return job


def restored(restoration: PhotoRestoration, folder: Path, *files: Path, **options: object) -> Outcome:
    return restoration(sent(folder, *files, **options))


def test_what_a_file_has_besides_its_pixels_is_kept(restoration: PhotoRestoration, tmp_path: Path) -> None:
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    exif = Image.Exif()
    exif[0x0112], exif[0x010F] = 6, "maker"  # shown turned by a quarter
    pixels = Image.fromarray((portrait("ann", "ben").permute(1, 2, 0) * 255).byte().numpy())
    pixels.save(tmp_path / "turned.jpg", exif=exif, icc_profile=profile, quality=95)
    pixels.save(tmp_path / "web.webp")
    pixels.save(tmp_path / "grey.bmp")
    alpha = torch.ones(1, 40, 80)
    alpha[:, :, :40] = 0.25
    for name in ("deep.png", "deep.tif"):
        save_picture(Picture(portrait("ann", "ben"), alpha=alpha, bits=16), tmp_path / name)

    turned = restored(restoration, tmp_path / "1", tmp_path / "turned.jpg")
    assert (turned.size, turned.result.name) == ((80, 160), "turned-restored.jpg")
    with Image.open(turned.result) as image:
        assert (image.format, image.size, image.getexif()[0x010F]) == ("JPEG", (80, 160), "maker")
        assert image.info["icc_profile"] == profile
    for number, name in enumerate(("deep.png", "deep.tif")):
        deep = restored(restoration, tmp_path / f"d{number}", tmp_path / name)
        picture = decode_picture(deep.result.read_bytes(), name)
        assert (deep.result.suffix, picture.bits, picture.pixels.shape) == (Path(name).suffix, 16, (3, 80, 160))
        assert picture.alpha[0, 40, 10].item() == pytest.approx(0.25, abs=1e-3)
        # a browser shows neither 16 bits nor TIFF, but all show this
        assert kind_of(deep.after) == kind_of(deep.before) == ("WEBP", "RGBA")
        assert not deep.exif
    assert turned.exif
    assert kind_of(restored(restoration, tmp_path / "2", tmp_path / "web.webp").result) == ("WEBP", "RGB")
    assert restored(restoration, tmp_path / "3", tmp_path / "grey.bmp").result.name == "grey-restored.png"


def test_what_a_format_leaves_out_is_said_on_the_page_alone(
    restoration: PhotoRestoration, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    clear = tmp_path / "clear.png"
    save_picture(Picture(portrait("ann"), alpha=torch.full((1, 40, 40), 0.5)), clear)
    told = tmp_path / "told.jpg"
    record = bytes.fromhex("1c02780005") + b"Anna."
    save_picture(Picture(portrait("ann"), description=Description(iptc=record)), told)
    for again in range(2):  # the second photograph is told of as the first
        flattened = restored(restoration, tmp_path / f"c{again}", clear, format="jpeg")
        assert flattened.notes == ("JPEG has no transparency: clear-restored.jpg is flattened on white.",)
        without = restored(restoration, tmp_path / f"t{again}", told, format="webp")
        assert without.notes == ("WebP has no place for an IPTC record, which is left out.",)
    assert capsys.readouterr().err == ""


def kind_of(path: Path) -> tuple[str, str]:
    with Image.open(path) as image:
        return image.format, image.mode


def test_faces_references_and_what_is_said_of_them(restoration: PhotoRestoration, tmp_path: Path) -> None:
    both, empty = write(tmp_path / "both.png", "ann", "ben"), write(tmp_path / "empty.png")
    ann, ben = write(tmp_path / "ann.png", "ann"), write(tmp_path / "ben.png", "ben")
    outcome = restored(restoration, tmp_path / "1", both, ben, empty, ann)
    faces = {Path(face.reference).name: face for face in outcome.faces}
    assert faces["ann.png"].box[0] < faces["ben.png"].box[0]
    assert all(face.input_to_reference > 0.99 for face in faces.values())
    assert outcome.notes == ("No face was found in empty.png, so it is not used.",)
    # what the restorer saw of each reference: the middle of its face has its colour
    shown = [decode_picture(path.read_bytes(), "a.jpg").pixels[:, 256, 256] for path in outcome.references]
    wanted = [torch.tensor(HUES[Path(face.reference).stem]) for face in outcome.faces]
    torch.testing.assert_close(torch.stack(shown), torch.stack(wanted), atol=0.1, rtol=0)
    assert [face.reference for face in restored(restoration, tmp_path / "2", both).faces] == [None, None]
    own = restored(restoration, tmp_path / "3", ann, ann)
    assert own.notes == ("The reference ann.png is the picture itself; another photograph would tell more.",)


def test_references_of_one_file_name_are_numbered(restoration: PhotoRestoration, tmp_path: Path) -> None:
    references = [tmp_path / name / "portrait.png" for name in ("ann", "ben")]
    for path in references:
        path.parent.mkdir()
        write(path, path.parent.name)
    outcome = restored(restoration, tmp_path / "job", write(tmp_path / "photo.png", "ben"), *references)
    assert [face.person for face in outcome.faces] == ["portrait.png (2)"]
    assert outcome.notes[0] == "No face is like portrait.png (1) (-0.33), so it is not used; 0.20 is wanted."


def test_another_expression_of_a_reference_is_said(restoration: PhotoRestoration, tmp_path: Path) -> None:
    paths = [tmp_path / f"{name}.png" for name in ("photo", "same", "other")]
    for path, side, mouth in zip(paths, (120, 160, 160), (1, 1, 2), strict=True):
        save_picture(Picture(with_mouth(side, mouth)), path)
    photo, same, other = paths
    assert restored(restoration, tmp_path / "1", photo, same).notes == ()
    (note,) = restored(restoration, tmp_path / "2", photo, other).notes
    assert note.startswith("The face seems to have another expression than in other.png: the mouths differ.")


def with_mouth(side: int, seed: int) -> Tensor:
    """Ann with spots all over the face; those of the lower part are drawn by a seed."""
    spots = torch.rand(3, 16, 16, generator=torch.Generator().manual_seed(0))
    spots[:, 10:15] = torch.rand(3, 5, 16, generator=torch.Generator().manual_seed(seed))
    face = portrait("ann", side=side)
    middle = slice(side // 4, side - side // 4)
    toward_grey = 0.3 * F.interpolate(spots[None], side // 2, mode="nearest")[0]
    face[:, middle, middle] = face[:, middle, middle].lerp(torch.tensor(0.5), toward_grey)
    return face


def test_the_search_of_faces_is_counted(
    monkeypatch: pytest.MonkeyPatch, restoration: PhotoRestoration, tmp_path: Path
) -> None:
    ann = write(tmp_path / "ann.png", "ann")
    pixels = decode_picture(ann.read_bytes(), "ann.png").pixels[0].numel()
    monkeypatch.setattr("faceops.images.memory_budget.default_budget", lambda: pixels * DETECTION_BYTES - 1)
    preview = Preview(BlockDetector())
    assert preview.photograph(sent(tmp_path / "0", ann)).is_file()
    with pytest.raises(TooLargeImageError, match=r"ann\.png has"):
        preview.faces(sent(tmp_path / "1", ann))
    with pytest.raises(TooLargeImageError, match=r"ann\.png has"):
        restored(restoration, tmp_path / "2", ann)


def test_one_face_can_be_chosen_or_marked(restoration: PhotoRestoration, tmp_path: Path) -> None:
    both, ann = write(tmp_path / "both.png", "ann", "ben"), write(tmp_path / "ann.png", "ann")
    found = Preview(BlockDetector()).faces(sent(tmp_path / "0", both))
    assert [round(box[0]) for box in found] == [10, 50]
    chosen = restored(restoration, tmp_path / "1", both, ann, face_box=[round(edge) for edge in found[0]])
    assert [face.person for face in chosen.faces] == ["ann.png"]
    assert chosen.faces[0].box == pytest.approx(found[0])  # as it was found, not as it was rounded
    with pytest.raises(ForceableError, match=r"The face in both\.png is not like ann\.png"):
        restored(restoration, tmp_path / "2", both, ann, face_box=[round(edge) for edge in found[1]])
    pale = portrait("ann").lerp(torch.tensor(0.5), 0.7)  # too pale for the detector
    save_picture(Picture(pale), tmp_path / "pale.png")
    marked = restored(restoration, tmp_path / "3", tmp_path / "pale.png", ann, face_box=[9, 10, 31, 30])
    assert [(list(face.box), face.person) for face in marked.faces] == [([9, 10, 31, 30], "ann.png")]
    with pytest.raises(ValueError, match="within the 40 x 40 pixels of the picture"):
        restored(restoration, tmp_path / "4", tmp_path / "pale.png", ann, face_box=[40, 10, 61, 30])


def test_a_face_at_the_edge_can_be_chosen(restoration: PhotoRestoration, tmp_path: Path) -> None:
    ann = write(tmp_path / "ann.png", "ann")
    save_picture(Picture(portrait("ann")[:, :, 22:]), tmp_path / "cut.png")

    def beyond(images: Tensor) -> Faces:
        faces = BlockDetector()(images)
        left = faces.boxes[:, :1] - 1.5 * (faces.boxes[:, 2:3] - faces.boxes[:, :1])
        return replace(faces, boxes=torch.cat((left, faces.boxes[:, 1:]), dim=1))

    found = Preview(beyond).faces(sent(tmp_path / "0", tmp_path / "cut.png"))
    assert found[0][0] < 0
    recognition = FaceRecognition(beyond, HueEncoder(), 0.9)
    box = [round(edge) for edge in found[0]]
    chosen = restored(
        PhotoRestoration(restoration.restorers, recognition),
        tmp_path / "1",
        tmp_path / "cut.png",
        ann,
        face_box=box,
        force=True,
    )
    assert [face.person for face in chosen.faces] == ["ann.png"]
    assert chosen.faces[0].box == pytest.approx(found[0])  # the one that was found, not one guessed from the box


def test_where_nothing_compares_faces_the_order_or_a_click_decides(
    restoration: PhotoRestoration, tmp_path: Path
) -> None:
    blind = PhotoRestoration(restoration.restorers, FaceRecognition(BlockDetector(), None, 0.9))
    both = write(tmp_path / "both.png", "ann", "ben")
    ann, ben = write(tmp_path / "ann.png", "ann"), write(tmp_path / "ben.png", "ben")
    ordered = restored(blind, tmp_path / "1", both, ben, ann)
    assert [face.person for face in sorted(ordered.faces, key=lambda face: face.box[0])] == ["ben.png", "ann.png"]
    assert {face.output_to_input for face in ordered.faces} == {face.output_to_reference for face in ordered.faces}
    assert ordered.faces[0].output_to_input is None
    (note,) = ordered.notes
    assert note.startswith("No network tells people apart, so the order of the references decides, from left to right")
    clicked = restored(blind, tmp_path / "2", both, ben, ann, face_box=list(ordered.faces[1].box))
    assert [(face.box, face.person) for face in clicked.faces] == [(ordered.faces[1].box, "ben.png and ann.png")]
    assert clicked.notes == ()


def test_references_that_do_not_fit_can_be_forced(restoration: PhotoRestoration, tmp_path: Path) -> None:
    ann, empty = write(tmp_path / "ann.png", "ann"), write(tmp_path / "empty.png")
    ben = write(tmp_path / "ben.png", "ben")
    cases = [
        ((ann, ben), r"The face in ann\.png is not like ben\.png: the similarity", "anyway", "because you said so"),
        ((empty, ben), r"No face was found in empty\.png.* Mark the face", "Restore without", "are not used"),
        ((ann, empty), r"any of the references \(empty\.png\)", "Restore without", "empty.png, so it is not used"),
    ]
    for number, (files, sentence, offer, note) in enumerate(cases):
        with pytest.raises(ForceableError, match=sentence) as caught:
            restored(restoration, tmp_path / f"{number}", *files)
        assert offer in caught.value.offer
        assert "--" not in str(caught.value)
        outcome = restored(restoration, tmp_path / f"{number}forced", *files, force=True)
        assert note in " ".join(outcome.notes)
        assert "--" not in " ".join(outcome.notes)


def test_references_without_strength_are_none(restoration: PhotoRestoration, tmp_path: Path) -> None:
    ann, ben = write(tmp_path / "ann.png", "ann"), write(tmp_path / "ben.png", "ben")
    outcome = restored(restoration, tmp_path / "job", ann, ben, reference_strength=0)
    assert outcome.notes == ("The strength of the references is 0, so they are not used.",)
    assert [face.reference for face in outcome.faces] == [None]
    assert outcome.references == (None,)


def test_stages_and_stopping_between_layers(restoration: PhotoRestoration, tmp_path: Path) -> None:
    photo = write(tmp_path / "ann.png", "ann")
    job = sent(tmp_path / "1", photo, photo)
    seen, enter = [], job.enter
    job.enter = lambda stage: seen.append(stage) or enter(stage)
    restoration(job)
    stages = [stage for stage, before in zip(seen, [None, *seen], strict=False) if stage != before]
    assert stages == [
        *("Reading", "Looking at ann.png", "Looking for faces", "Encoding", "Restoring"),
        *("Restoring, part 2", "Decoding", "Comparing the faces", "Writing"),  # with the reference, and without
    ]
    job = sent(tmp_path / "2", photo)
    calls = []

    def check() -> None:
        calls.append(1)
        if len(calls) == 30:
            job.cancelled.set()
        PhotoJob.check(job)

    job.check = check
    with pytest.raises(CancelledError):
        restoration(job)
    assert len(calls) == 30
    assert not list(job.folder.glob("*restored*"))


def test_the_format_and_the_metadata_can_be_chosen(restoration: PhotoRestoration, tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x010F] = "maker"
    Image.new("RGB", (40, 40), "grey").save(tmp_path / "a.jpg", exif=exif)
    outcome = restored(restoration, tmp_path / "1", tmp_path / "a.jpg", format="tiff", strip_metadata=True)
    assert (outcome.result.name, outcome.exif) == ("a-restored.tif", False)
    with Image.open(outcome.result) as image:
        assert (image.format, 0x010F in image.getexif()) == ("TIFF", False)


def test_a_large_result_is_also_shown_with_all_pixels(
    restoration: PhotoRestoration, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    photo = write(tmp_path / "ann.png", "ann")
    assert restored(restoration, tmp_path / "1", photo).full is None
    monkeypatch.setattr("headsup.serving.restoration.SHOWN_SIDE", 50)
    outcome = restored(restoration, tmp_path / "2", photo)
    sizes = [decode_picture(path.read_bytes(), "a").pixels.shape[1:] for path in (outcome.after, *outcome.full)]
    assert sizes == [(50, 50), (80, 80), (80, 80)]


@pytest.mark.parametrize("are_small", [False, True])
def test_one_large_restorer_is_in_memory_at_a_time(
    weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, are_small: bool
) -> None:
    loads = []
    if not are_small:
        monkeypatch.setattr("headsup.serving.restorers.SMALL_BYTES", 0)

    def loader(name: str) -> PhotoRestorer:
        loads.append(name)
        return PhotoRestorer.load(weights)

    found = Restorers({name: partial(loader, name) for name in ("first", "second")})
    first = weakref.ref(found.load().restorer)
    assert found.load("first").restorer is first()
    photo = write(tmp_path / "ann.png", "ann")
    job = sent(tmp_path / "1", photo)
    job.request = parse_request(b'{"weights": "second"}', weights=("first", "second"))
    stages, enter = [], job.enter
    job.enter = lambda stage: stages.append(stage) or enter(stage)
    PhotoRestoration(found, FaceRecognition(BlockDetector(), None, 0.9))(job)
    assert stages[:2] == ["Loading the weights second", "Reading"]
    gc.collect()
    assert (first() is not None, loads) == (are_small, ["first", "second"])
    assert found.load("second").restorer is not first()


def test_offered_weights_have_names_of_their_own(weights: Path, tmp_path: Path) -> None:
    offered = offered_weights([str(weights)])
    assert [(each.name, each.is_stated, each.is_guided) for each in offered] == [
        *(("random", True, False), ("guided", False, True), ("tiny", False, False)),
    ]
    options = ServeOptions(base="a base", prompt="a wedding", device="cpu")
    assert source_of(offered[0], options) == RestorerSource(str(weights), "a base", "a wedding", "cpu")
    assert source_of(offered[1], options) == RestorerSource("guided", None, "", "cpu")
    own, same = tmp_path / "tiny.safetensors", tmp_path / "random.safetensors"
    for path in (own, same):
        shutil.copy(weights, path)
    assert [(each.name, each.weights) for each in offered_weights([str(own)])] == [
        *(("tiny", str(own)), ("guided", "guided")),
    ]
    with pytest.raises(ValueError, match="would both be called random; rename one"):
        offered_weights([str(weights), str(same)])


@contextmanager
def serving(folder: Path, restoration: PhotoRestoration, held: threading.Event) -> Iterator[tuple[str, Site]]:
    """The address of a page whose work does not begin as long as it is held, and what it is answered from."""

    def work(job: PhotoJob) -> Outcome:
        while held.is_set():
            job.enter("Held")
            time.sleep(0.01)
        return restoration(job)

    folder.mkdir()
    limits = Limits(megapixels=1.0)
    with listen("127.0.0.1", 0) as listener, closing(JobQueue(folder, work, limits)) as queue:
        offered = (OfferedWeights("random", "random", True, False),)
        site = Site(queue, limits, Preview(BlockDetector()), offered, "cpu", 0.9)
        server = build_server(site, "127.0.0.1")
        thread = threading.Thread(target=server.run, args=([listener],))
        thread.start()
        try:
            yield page_url("127.0.0.1", listener), site
        finally:  # else the threads would keep a test that failed from ending
            held.clear()
            server.should_exit = True
            thread.join()


def test_in_a_browser(browser: Any, restoration: PhotoRestoration, tmp_path: Path, wait_until: Any) -> None:
    both, ann = write(tmp_path / "both.png", "ann", "ben"), write(tmp_path / "ann.png", "ann")
    alone, ben = write(tmp_path / "alone.png", "ann"), write(tmp_path / "ben.png", "ben")
    held = threading.Event()
    with serving(tmp_path / "jobs", restoration, held) as (url, site):
        browser.resize(1200, 900, "light")
        browser.tell("Page.navigate", url=url)
        browser.wait("document.getElementById('about')?.textContent.startsWith('Weights random, on cpu')")
        assert browser.value("document.getElementById('restore').disabled")
        browser.choose("#photo", both)
        browser.choose("#references", ann)
        browser.wait("document.querySelectorAll('.box').length === 2")
        assert "both.png, 80 x 40 pixels" in browser.value("document.querySelector('#chosen figcaption').textContent")
        check_choice(browser)
        browser.wait("document.getElementById('result-size').textContent === 'gives 320 x 160 pixels'")
        browser.value("document.getElementById('restore').click()")
        browser.wait("document.querySelectorAll('.face canvas').length === 4")
        assert "both-restored.png, 320 x 160 pixels" in browser.value("document.getElementById('outcome').innerText")
        faces = browser.value("[...document.querySelectorAll('.face')].map((face) => face.innerText)")
        assert faces[0].startswith("Face 1 is taken for ann.png")
        assert re.search(r"before and after: -?[01]\.\d\d\. To the reference ann\.png: 1\.00 before", faces[0])
        assert faces[1].startswith("Face 2 has no reference")
        browser.wait("document.querySelector('.face img').naturalWidth === 512")
        # the first face is cut out of the photograph where it is: its middle is red
        middle = "[...document.querySelector('.face canvas').getContext('2d').getImageData(84, 84, 1, 1).data]"
        red, green, _, _ = browser.value(middle)
        assert (red > 240, green < 15) == (True, True)
        data = browser.value(
            "fetch(document.getElementById('download').href).then((reply) => reply.arrayBuffer())"
            ".then((bytes) => [...new Uint8Array(bytes)])"
        )
        assert decode_picture(bytes(data), "both.png").pixels.shape == (3, 160, 320)
        picture(browser, "light.png")

        # a stranger is refused, and used if it is insisted on
        browser.choose("#photo", alone)
        browser.value("document.querySelector('#reference-list button').click()")
        browser.choose("#references", ben)
        browser.wait("document.querySelector('#chosen figcaption').textContent.startsWith('alone.png, 40')")
        browser.resize(390, 844, "dark")
        browser.value("document.getElementById('restore').click()")
        browser.wait("!document.getElementById('again').hidden")
        assert browser.value("document.getElementById('status').textContent") == "alone.png could not be restored."
        assert browser.value("document.getElementById('trouble-words').textContent").startswith(
            "The face in alone.png is not like"
        )
        assert browser.value("document.getElementById('again').textContent").endswith("use the references anyway")
        picture(browser, "refused.png")
        browser.value("document.getElementById('again').click()")
        browser.wait("document.getElementById('notes').innerText.includes('because you said so')")
        picture(browser, "dark.png")
        # the two that are on the page are kept, what failed is deleted; the page does not wait until it is
        wait_until(lambda: len(list((tmp_path / "jobs").iterdir())) == 2)
        check_stop(browser, held)
        check_events(browser, url)
        check_stop_before_faces_are_found(browser, site, held, ben)


def check_choice(browser: Any) -> None:
    """A face is chosen with a click, or marked by dragging; the field says which, and can be written in."""
    words, field = "document.getElementById('found').textContent", "document.getElementById('face-box')"
    assert browser.value(words).startswith("2 faces were found.")
    # the boxes lie over the faces: 10 to 29 and 50 to 69 of 80 pixels
    place = "[...document.querySelectorAll('.box')].map((box) => parseFloat(box.style.left))"
    assert browser.value(place) == pytest.approx([12.5, 62.5], abs=1)
    browser.value("document.querySelectorAll('.box')[1].click()")
    assert browser.value(words) == "References are for face 2 alone."
    assert browser.value(f"{field}.value") == "50 10 69 29"
    browser.value("document.getElementById('mark').click()")
    left, top, width, height = browser.value(
        "(({ left, top, width, height }) => [left, top, width, height])"
        "(document.getElementById('preview').getBoundingClientRect())"
    )
    for kind, x, y in (("Pressed", 0.75, 0.5), ("Moved", 0.6, 0.6), ("Released", 0.5, 0.8)):
        where = {"x": left + x * width, "y": top + y * height}
        browser.tell("Input.dispatchMouseEvent", type=f"mouse{kind}", button="left", buttons=1, clickCount=1, **where)
    assert browser.value(f"{field}.value") == "40 20 60 32"
    assert browser.value(words) == "References are for the marked face alone."
    browser.value(f"{field}.value = '1 2 3'; {field}.dispatchEvent(new Event('input'))")
    assert browser.value(words).startswith("Left, top, right and bottom")
    assert not browser.value(f"{field}.checkValidity()")
    browser.value("document.getElementById('all-faces').click()")
    assert browser.value(words).startswith("2 faces were found.")
    assert browser.value(f"{field}.value") == ""


def check_stop(browser: Any, held: threading.Event) -> None:
    """What is in work can be stopped, and then begun again."""
    status = "document.getElementById('status').textContent"
    held.set()
    browser.value("document.getElementById('restore').click()")
    browser.wait(f"{status}.startsWith('alone.png: Held, ')")
    assert browser.value("document.getElementById('restore').disabled")
    browser.value("document.getElementById('stop').click()")
    assert browser.value(status) == "Stopped."
    held.clear()
    browser.value("document.getElementById('restore').click()")
    browser.wait(f"{status} === 'alone.png could not be restored.'")
    assert browser.value("document.getElementById('stop').hidden")


def check_stop_before_faces_are_found(browser: Any, site: Site, held: threading.Event, photo: Path) -> None:
    """The photograph stays on the page although its job was deleted while faces were looked for: it is sent again."""
    going_on, looking = threading.Event(), threading.Event()

    def detector(images: Tensor) -> Faces:
        if not looking.is_set():
            looking.set()
            assert going_on.wait(90)
            raise FileNotFoundError("It was deleted.")
        return BlockDetector()(images)

    site.preview.detector = detector
    held.set()
    browser.choose("#photo", photo)
    assert looking.wait(90)
    browser.wait("document.getElementById('restore').textContent === 'Restore'")
    browser.value("document.getElementById('restore').click()")
    browser.wait("document.getElementById('status').textContent.startsWith('ben.png: Held, ')")
    browser.value("document.getElementById('stop').click()")
    held.clear()
    going_on.set()
    browser.wait("document.querySelectorAll('.box').length === 1")
    assert browser.value("document.getElementById('status').textContent") == "Stopped."
    assert not browser.value("document.getElementById('restore').disabled")


def check_events(browser: Any, url: str) -> None:
    """Nothing was asked of anybody else, and the console is silent."""
    asked = [e["params"]["request"]["url"] for e in browser.events if e["method"] == "Network.requestWillBeSent"]
    assert len(asked) > 10
    assert [one for one in asked if not one.startswith((url, f"blob:{url}", "data:"))] == []
    # a photograph whose job was deleted meanwhile is sent again, after a 404 that the browser logs
    told = [e for e in browser.events if e["method"] in ("Log.entryAdded", "Runtime.exceptionThrown")]
    assert [e for e in told if "404" not in e["params"].get("entry", {}).get("text", "")] == []


def picture(browser: Any, name: str) -> None:
    """A picture of the page to look at, where SERVING_PICTURES names a folder."""
    folder = os.environ.get("SERVING_PICTURES")
    if folder:
        import base64

        time.sleep(0.7)  # it scrolls
        data = browser.tell("Page.captureScreenshot", captureBeyondViewport=True)["data"]
        (Path(folder) / name).write_bytes(base64.b64decode(data))


PROGRAM = """
import sys
from headsup.command_options import ServeOptions
from headsup.serving.serve import serve_page
from faceops.command_line import run_command
options = ServeOptions(host=sys.argv[1], port=0, weights=(sys.argv[2],), device="cpu")
run_command("headsup", lambda: serve_page(options))
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("host", "end"), [("127.0.0.1", signal.SIGINT), ("0.0.0.0", signal.SIGTERM), ("127.0.0.1", signal.SIGHUP)]
)
def test_it_ends_cleanly_and_leaves_nothing(weights: Path, tmp_path: Path, host: str, end: signal.Signals) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, host, str(weights)],
        env={**os.environ, "TMPDIR": str(tmp_path), "FACEOPS_CACHE": str(tmp_path / "cache"), "OMP_NUM_THREADS": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        line = process.stdout.readline()
        port = int(re.fullmatch(r"Restore photographs at http://\S+:(\d+) \(Ctrl-C ends it\)\.\n", line)[1])
        photo = write(tmp_path / "a.png").read_bytes()

        def ask(method: str, path: str, body: bytes | None = None) -> dict:
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
            connection.request(method, path, body)
            told = json.loads(connection.getresponse().read())
            connection.close()
            return told

        assert ask("GET", "/settings")["threshold"] is None
        path = f"/jobs/{ask('POST', '/jobs')['id']}"
        ask("PUT", f"{path}/photo?name=a.png", photo)
        ask("POST", f"{path}/start", b'{"scale": 30}')  # 1200 x 1200 pixels: it takes a while
        while ask("GET", path)["state"] == "waiting":
            time.sleep(0.1)
        assert ask("GET", path)["state"] == "working"
        # the name tells the next server whose it is, if this one is killed
        assert list(tmp_path.glob(f"headsup-serve-{machine_name()}-{process.pid}-*/*/photo/a.png"))
        process.send_signal(end)
        _, told = process.communicate(timeout=180)
    finally:
        process.kill()
    assert process.returncode == 0
    assert told.endswith("Ended; photographs and results are removed.\n")
    assert "References are not compared with faces" in told
    assert ("With --host 0.0.0.0, everybody" in told) == (host == "0.0.0.0")
    assert "Traceback" not in told
    assert not list(tmp_path.glob("headsup-*"))
