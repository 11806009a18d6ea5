"""Tags of an index: what is written, and how a killed run goes on."""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch
from PIL import Image

from faceops.images.files import Picture, save_picture
from portraitdata import cli
from portraitdata.builder.build import remove_leftovers, start_again
from portraitdata.builder.config import BuildConfig, LocalSource
from portraitdata.builder.kept_tags import TAGS_FILE
from portraitdata.builder.stages.write_shards import write_shards
from portraitdata.commands.build_options import TakedownOptions
from portraitdata.commands.index_options import PortraitIndexOptions
from portraitdata.commands.portrait_index import run_portrait_index
from portraitdata.commands.tag import run_tag
from portraitdata.commands.tag_options import TagOptions
from portraitdata.commands.takedown import run_takedown
from portraitdata.restoration.index import taggers
from portraitdata.restoration.index.portrait_index import PortraitIndex
from portraitdata.restoration.index.tag_journal import JOURNAL, TagJournal
from portraitdata.restoration.index.taggers import build_tagger
from portraitdata.restoration.index.tagging import SquarePictures, tag_index
from portraitdata.restoration.index.takedown_list import read_takedown_list
from portraitdata.storage.single_run import only_run
from tests.support.synthetic_build import write_synthetic_build


class Brightness:
    """Says how bright images are in tenths, and that the darkest are nothing; a kill comes before batch `killed`."""

    side = 8

    def __init__(self, killed: int | None = None) -> None:
        self.killed, self.batches = killed, []

    def __call__(self, images: torch.Tensor) -> list[str]:
        if len(self.batches) == self.killed:
            raise KeyboardInterrupt
        self.batches.append(len(images))
        tenths = [round(image.mean().item() * 10) for image in images]
        return [f"picture, {tenth} tenths" if tenth else "" for tenth in tenths]


@pytest.fixture
def index(tmp_path: Path) -> Path:
    (tmp_path / "photographs").mkdir()
    for number in range(5):
        save_picture(Picture(torch.full((3, 12, 10 + number), number / 10)), tmp_path / f"photographs/{number}.png")
    options = PortraitIndexOptions(
        tmp_path / "photographs", output=tmp_path / "index", no_faces=True, note="five", workers=1
    )
    run_portrait_index(options)
    return tmp_path / "index"


TAGS = [[], ["picture", "1 tenths"], ["picture", "2 tenths"], ["picture", "3 tenths"], ["picture", "4 tenths"]]


def test_tags_are_added_and_all_else_stays(index):
    before = pq.read_table(index / "images.parquet")
    tagging = tag_index(index, Brightness(), "b", batch=2)
    assert tagging == (5, 0, [])
    after = pq.read_table(index / "images.parquet")
    assert after["tags"].to_pylist() == TAGS
    assert after.drop_columns("tags").equals(before)
    assert (
        after.schema.metadata[b"portraitdata.portrait_index"] == before.schema.metadata[b"portraitdata.portrait_index"]
    )
    read = PortraitIndex.read(index)
    assert [read.prompt(number) for number in (0, 4)] == ["", "picture, 4 tenths"]
    assert read.has_text
    assert not (index / JOURNAL).exists()


def test_photographs_that_have_tags_keep_them(index):
    table = pq.read_table(index / "images.parquet")
    some = table.append_column("tags", [[["mine"], [], None, None, None]])
    pq.write_table(some, index / "images.parquet")
    tagger = Brightness()
    assert tag_index(index, tagger, "b")[:2] == (3, 2)
    assert tagger.batches == [3]
    assert pq.read_table(index / "images.parquet")["tags"].to_pylist() == [["mine"], [], *TAGS[2:]]
    assert tag_index(index, tagger, "b")[:2] == (0, 5)
    assert tagger.batches == [3]
    assert tag_index(index, tagger, "b", again=True)[:2] == (5, 0)
    assert pq.read_table(index / "images.parquet")["tags"].to_pylist() == TAGS


def test_a_run_that_was_killed_is_continued(index):
    with pytest.raises(KeyboardInterrupt):
        tag_index(index, Brightness(killed=2), "b", batch=2)
    assert "tags" not in pq.read_table(index / "images.parquet").column_names
    with (index / JOURNAL).open("a") as journal:
        journal.write('{"uid": "half a li')
    with pytest.raises(ValueError, match=r"holds tags that b has found in a run that did not end"):
        tag_index(index, Brightness(), "other", batch=2)
    with pytest.raises(KeyboardInterrupt):  # killed at once: the whole lines are still there
        tag_index(index, Brightness(killed=0), "b", batch=2)
    tagger = Brightness()
    assert tag_index(index, tagger, "b", batch=2)[:2] == (5, 0)
    assert tagger.batches == [1]
    assert pq.read_table(index / "images.parquet")["tags"].to_pylist() == TAGS


def test_what_cannot_be_decoded_is_named_and_has_no_tags(index, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(taggers, "entry_points", lambda group: [SimpleNamespace(name="b", load=lambda: Brightness)])
    (tmp_path / "photographs/3.png").write_bytes(b"")
    run_tag(TagOptions(index, tagger="b", workers=0, device="cpu"))
    out, err = capsys.readouterr()
    assert "4 photographs tagged, 0 had tags" in out
    assert "left out: 3.png" in err
    assert pq.read_table(index / "images.parquet")["tags"].to_pylist()[3] is None


def test_a_photograph_that_can_no_longer_be_read_keeps_its_tags(index, tmp_path):
    tag_index(index, Brightness(), "b")
    (tmp_path / "photographs/3.png").write_bytes(b"")
    tagging = tag_index(index, Brightness(), "b", again=True)
    assert (tagging.tagged, tagging.there, len(tagging.left_out)) == (4, 1, 1)
    assert pq.read_table(index / "images.parquet")["tags"].to_pylist() == TAGS


class Meanwhile(Brightness):
    """Does something when it sees the first images."""

    def __init__(self, act: Callable[[], object]) -> None:
        super().__init__()
        self.act = act

    def __call__(self, images: torch.Tensor) -> list[str]:
        if not self.batches:
            self.act()
        return super().__call__(images)


def test_a_takedown_and_a_second_run_are_refused_meanwhile(index):
    uid = PortraitIndex.read(index).uid(0)

    def others() -> None:
        with pytest.raises(OSError, match="Another run works at"):
            run_takedown(TakedownOptions(index, uid=[uid]))
        with pytest.raises(OSError, match="Another run works at"):
            tag_index(index, Brightness(), "b")

    assert tag_index(index, Meanwhile(others), "b") == (5, 0, [])
    assert run_takedown(TakedownOptions(index, uid=[uid])) == 0
    assert uid not in pq.read_table(index / "images.parquet")["uid"].to_pylist()
    with only_run(index), pytest.raises(OSError, match="Another run works at"):
        run_takedown(TakedownOptions(index, uid=["another"]))


def test_a_build_that_is_continued_lets_the_lock_of_its_index_be(tmp_path):
    shards = tmp_path / "build" / "shards"
    shards.mkdir(parents=True)
    with only_run(shards):
        remove_leftovers(tmp_path / "build")
        with pytest.raises(OSError, match="Another run works at"), only_run(shards):
            pass


def test_a_build_that_is_continued_lets_be_the_tags_of_a_run_that_did_not_end(index):
    with pytest.raises(KeyboardInterrupt):
        tag_index(index, Brightness(killed=2), "b", batch=2)
    remove_leftovers(index.parent)
    tagger = Brightness()
    tag_index(index, tagger, "b", batch=2)
    assert tagger.batches == [1]


def test_an_index_that_is_made_again_keeps_its_tags(index):
    tag_index(index, Brightness(), "b")
    photographs = index.parent / "photographs"
    save_picture(Picture(torch.full((3, 12, 10), 0.9)), photographs / "0.png")
    run_portrait_index(PortraitIndexOptions(photographs, output=index, no_faces=True, workers=1))
    assert pq.read_table(index / "images.parquet")["tags"].to_pylist() == [None, *TAGS[1:]]


def test_shards_that_are_made_again_keep_their_tags_and_their_takedowns(tmp_path):
    """Even if the run is killed between."""
    folder = write_synthetic_build(tmp_path / "build", people=3, portraits=2, size=48)
    shards, config = folder / "shards", BuildConfig(output=folder, sources=(LocalSource("local", tmp_path),))
    tag_index(shards, Brightness(), "b")
    uid = PortraitIndex.read(shards).uid(2)
    run_takedown(TakedownOptions(shards, uid=[uid]))
    before = {row["uid"]: row["tags"] for row in pq.read_table(shards / "images.parquet").to_pylist()}
    with only_run(shards), pytest.raises(OSError, match="Another run works at"):
        start_again(folder, "shards")
    assert (shards / "images.parquet").is_file()
    for _ in range(2):
        start_again(folder, "shards")
        assert not shards.exists()
    write_shards(config)
    after = {row["uid"]: row["tags"] for row in pq.read_table(shards / "images.parquet").to_pylist()}
    assert after == before
    assert any(after.values())
    assert [row.uid for row in read_takedown_list(shards / "takedown.csv")] == [uid]
    assert not (folder / TAGS_FILE).exists()


def test_a_tagging_that_did_not_end_is_not_forgotten_by_a_build(tmp_path):
    (tmp_path / "shards").mkdir()
    (tmp_path / "shards" / JOURNAL).write_text('{"tagger": "b"}\n')
    with pytest.raises(ValueError, match=r"A run of `portraitdata tag .*shards` did not end .* finish it first"):
        start_again(tmp_path, "split")


@pytest.mark.parametrize("text", ['{"uid": "a", "tags": []}\n', "[]\n", "none\n", '{"tagger": "b"}\n{}\n'])
def test_what_holds_no_tags_of_a_run_is_refused_in_a_sentence(tmp_path, text):
    (tmp_path / JOURNAL).write_text(text)
    with pytest.raises(ValueError, match=r"holds no tags of a run that did not end \(.*\); delete it"):
        TagJournal(tmp_path / JOURNAL, "b")


def test_a_table_that_was_written_anew_meanwhile_stays(index):
    """As by whoever knows nothing of locks."""

    def drop_the_second() -> None:
        table = pq.read_table(index / "images.parquet")
        pq.write_table(table.take([0, 2, 3, 4]), index / "images.parquet")

    tag_index(index, Meanwhile(drop_the_second), "b", batch=2)
    assert pq.read_table(index / "images.parquet")["tags"].to_pylist() == [TAGS[0], *TAGS[2:]]


def test_processes_read_the_same(index):
    tag_index(index, Brightness(), "b", batch=2, workers=2)
    assert pq.read_table(index / "images.parquet")["tags"].to_pylist() == TAGS
    with pytest.raises(ValueError, match="got 0 and 0"):
        tag_index(index, Brightness(), "b", batch=0)


def test_photographs_are_squeezed_as_by_pillow(tmp_path):
    pixels = np.random.RandomState(0).randint(0, 256, (90, 160, 3)).astype(np.uint8)
    (tmp_path / "photographs").mkdir()
    Image.fromarray(pixels).save(tmp_path / "photographs/a.png")
    run_portrait_index(
        PortraitIndexOptions(tmp_path / "photographs", output=tmp_path / "index", no_faces=True, workers=1)
    )
    picture = SquarePictures(PortraitIndex.read(tmp_path / "index"), [0], 32)[0]
    expected = np.asarray(Image.fromarray(pixels).resize((32, 32), Image.Resampling.BILINEAR)).transpose(2, 0, 1)
    assert np.abs(picture.pixels.numpy().astype(int) - expected).max() <= 1


def test_taggers_are_found_by_name_or_path(tmp_path, monkeypatch):
    (tmp_path / "my_taggers.py").write_text(
        "class Same:\n    side = 4\n    def __call__(self, images):\n        return ['same'] * len(images)\n"
        "class Sideless:\n    def __call__(self, images):\n        return []\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    assert build_tagger("my_taggers.Same")(torch.zeros(2, 3, 4, 4)) == ["same", "same"]
    with pytest.raises(ValueError, match="Sideless is no tagger: it is called with images and says the `side`"):
        build_tagger("my_taggers.Sideless")
    with pytest.raises(ValueError, match=r"There is no class my_taggers\.Other for a tagger"):
        build_tagger("my_taggers.Other")
    with pytest.raises(ValueError, match=r"There is no class no_such\.Other for a tagger"):
        build_tagger("no_such.Other")
    monkeypatch.setattr(taggers, "entry_points", lambda group: [SimpleNamespace(name=group, load=lambda: Brightness)])
    assert build_tagger("portraitdata.taggers").side == 8
    with pytest.raises(
        ValueError, match=r'No tagger is called "nobody"; installed packages offer: portraitdata\.taggers'
    ):
        build_tagger("nobody")


def test_the_command_line_gives_its_options(index, tmp_path, monkeypatch, capsys):
    (tmp_path / "loud_taggers.py").write_text(
        "class Loud:\n    side = 4\n    def __call__(self, images):\n"
        "        return [f'of {len(images)}'] * len(images)\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    words = ["tag", str(index), "--tagger", "loud_taggers.Loud", "--batch", "3", "--workers", "0", "--device", "cpu"]
    monkeypatch.setattr(sys, "argv", ["portraitdata", *words])
    assert cli.run() is None
    assert "5 photographs tagged" in capsys.readouterr().out
    assert json.dumps(pq.read_table(index / "images.parquet")["tags"].to_pylist()) == (
        '[["of 3"], ["of 3"], ["of 3"], ["of 2"], ["of 2"]]'
    )
