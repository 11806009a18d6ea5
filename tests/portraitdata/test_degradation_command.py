import json
import os

import numpy as np
import pytest
import torch
from PIL import Image

from faceops.images.files import Picture, load_picture, save_picture
from portraitdata.commands.degradation_jobs import plan_degradation
from portraitdata.commands.degrade import run_degrade
from portraitdata.commands.scoring_options import DegradeOptions
from portraitdata.degradation.cpu_executor import degrade
from portraitdata.degradation.record_files import read_records


def picture(seed, height=64, width=48):
    rough = torch.rand(1, 3, 8, 6, generator=torch.Generator().manual_seed(seed))
    return Picture(torch.nn.functional.interpolate(rough, (height, width), mode="bilinear")[0])


def degrade_files(images, output, **options):
    return run_degrade(plan_degradation(images, output), DegradeOptions(images, output=output, **options))


@pytest.fixture
def album(tmp_path):
    folder = tmp_path / "album"
    (folder / "inner").mkdir(parents=True)
    save_picture(picture(0), folder / "a.png")
    save_picture(picture(1), folder / "inner/b.png")
    save_picture(picture(2, 67, 50), folder / "odd.webp", quality=100)
    return folder


def contents(folder):
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in sorted(folder.rglob("*.png"))}


def test_a_folder_keeps_its_names(album, tmp_path, capsys):
    assert degrade_files([album], tmp_path / "new/lq") == 0
    assert list(contents(tmp_path / "new/lq")) == ["a.png", "inner/b.png", "odd.png"]
    assert load_picture(tmp_path / "new/lq/inner/b.png").pixels.shape == (3, 16, 12)
    assert load_picture(tmp_path / "new/lq/odd.png").pixels.shape == (3, 16, 12)
    assert capsys.readouterr().out == f"{tmp_path / 'new/lq'}: 3 degraded\n"


def test_one_picture_becomes_one_file(album, tmp_path):
    assert degrade_files([album / "a.png"], tmp_path / "new/one.png", scale=2) == 0
    assert load_picture(tmp_path / "new/one.png").pixels.shape == (3, 32, 24)
    (tmp_path / "folder").mkdir()
    assert degrade_files([album / "a.png"], tmp_path / "folder") == 0
    assert list(contents(tmp_path / "folder")) == ["a.png"]
    with pytest.raises(ValueError, match=r"one\.jpg must end in \.png, got '\.jpg'"):
        degrade_files([album / "a.png"], tmp_path / "one.jpg")


def test_face_presets_keep_the_size(album, tmp_path):
    assert degrade_files([album / "odd.webp"], tmp_path / "face.png", preset="codeformer-2") == 0
    assert load_picture(tmp_path / "face.png").pixels.shape == (3, 67, 50)
    with pytest.raises(ValueError, match="its scale is 1, not 4"):
        degrade_files([album / "odd.webp"], tmp_path / "face.png", preset="codeformer-2", scale=4)


def test_what_becomes_of_a_picture_follows_from_seed_and_name(album, tmp_path):
    degrade_files([album], tmp_path / "first")
    save_picture(picture(5), album / "0-more.png")
    degrade_files([album], tmp_path / "second")
    degrade_files([album], tmp_path / "third", seed=1)
    first, second, third = (contents(tmp_path / name) for name in ("first", "second", "third"))
    assert all(second[name] == data for name, data in first.items())
    assert all(third[name] != data for name, data in first.items())
    assert first["a.png"] != second["0-more.png"]


def test_records_are_replayed_to_the_same_bytes(album, tmp_path):
    records = tmp_path / "new/records.jsonl"
    assert degrade_files([album], tmp_path / "lq", preset="stablesr", seed=3, records=records) == 0
    lines = [json.loads(line) for line in records.read_text().splitlines()]
    assert [line["name"] for line in lines] == ["a.png", "inner/b.png", "odd.webp"]
    assert all(line["record"]["sharpen"] and line["record"]["preset"] == "stablesr" for line in lines)
    assert (lines[2]["top"], lines[2]["left"]) == (1, 1)
    assert (lines[2]["record"]["height"], lines[2]["record"]["width"]) == (64, 48)
    assert degrade_files([album], tmp_path / "again", replay=records) == 0
    assert contents(tmp_path / "again") == contents(tmp_path / "lq")
    # From Python, the same.
    window = (load_picture(album / "odd.webp").pixels * 255).round().byte().permute(1, 2, 0).numpy()[1:65, 1:49]
    expected = degrade(np.ascontiguousarray(window), read_records(records)["odd.webp"].record)
    assert (np.asarray(Image.open(tmp_path / "lq/odd.png")) == expected).all()


def test_what_cannot_be_replayed_is_said(album, tmp_path, capsys):
    records = tmp_path / "records.jsonl"
    degrade_files([album], tmp_path / "lq", records=records)
    save_picture(picture(0), album / "unknown.png")
    save_picture(picture(0, 32, 32), album / "a.png")
    assert degrade_files([album], tmp_path / "again", replay=records) == 1
    told = capsys.readouterr().err
    assert f"{album / 'unknown.png'}: Nothing is recorded of unknown.png." in told
    assert "The record of a.png is of a picture of at least 48 x 64 pixels, got 32 x 32." in told
    assert list(contents(tmp_path / "again")) == ["inner/b.png", "odd.png"]


@pytest.mark.parametrize("options", [{"scale": 2}, {"preset": "mild"}, {"seed": 1}, {"sharpen": True}])
def test_a_replay_leaves_nothing_to_choose(album, tmp_path, options):
    degrade_files([album], tmp_path / "lq", records=tmp_path / "records.jsonl")
    with pytest.raises(ValueError, match=f"--replay does not go with --{next(iter(options))};"):
        degrade_files([album], tmp_path / "again", replay=tmp_path / "records.jsonl", **options)


def test_records_with_a_blank_line_and_without_a_scale(album, tmp_path):
    records = tmp_path / "records.jsonl"
    degrade_files([album / "a.png"], tmp_path / "a.png", records=records)
    records.write_text("\n" + records.read_text() + "  \n")
    assert list(read_records(records)) == ["a.png"]
    records.write_text(records.read_text().replace('"scale": 4', '"scale": 0'))
    with pytest.raises(ValueError, match=r"line 2, is no degradation record: scale of a TwoOrderRecord is 1 or more"):
        read_records(records)


def test_finished_pictures_are_skipped(album, tmp_path, capsys):
    records = tmp_path / "records.jsonl"
    degrade_files([album], tmp_path / "lq", records=records)
    before = contents(tmp_path / "lq")
    (tmp_path / "lq/a.png").unlink()
    capsys.readouterr()
    assert degrade_files([album], tmp_path / "lq", seed=9, records=records) == 0
    after = contents(tmp_path / "lq")
    told = capsys.readouterr()
    assert told.out == f"{tmp_path / 'lq'}: 1 degraded, 2 there already\n"
    assert "2 of 3 pictures are there already; --overwrite makes them again." in told.err
    assert [name for name in before if before[name] != after[name]] == ["a.png"]
    assert degrade_files([album], tmp_path / "replayed", replay=records) == 0
    assert contents(tmp_path / "replayed") == after
    assert degrade_files([album], tmp_path / "lq", seed=9, overwrite=True) == 0
    assert all(contents(tmp_path / "lq")[name] != before[name] for name in before)


def test_pictures_without_a_line_are_said(album, tmp_path, capsys):
    degrade_files([album], tmp_path / "lq")
    assert degrade_files([album], tmp_path / "lq", records=tmp_path / "records.jsonl") == 0
    assert "has no line for 3 pictures that were there already, such as a.png" in capsys.readouterr().err


def test_records_that_cannot_be_written_are_refused_before_any_work(album, tmp_path):
    for records, message in (
        (tmp_path, "is a folder"),
        (album / "a.png/records.jsonl", "a.png is a file, but a folder is needed"),
        (album / "a.png", "is a picture and cannot be the file of records too"),
        (tmp_path / "lq/a.png", "is a picture and cannot be the file of records too"),
    ):
        with pytest.raises(ValueError, match=message):
            plan_degradation([album], tmp_path / "lq", records)
    assert len(plan_degradation([album], tmp_path / "lq", tmp_path / "new/records.jsonl")) == 3


def test_a_bad_file_is_one_line_and_the_rest_are_done(album, tmp_path, capsys):
    (album / "text.jpg").write_text("hello")
    save_picture(picture(0, 3, 3), album / "tiny.png")
    assert degrade_files([album], tmp_path / "lq", records=tmp_path / "records.jsonl") == 1
    captured = capsys.readouterr()
    told = [line for line in captured.err.splitlines() if line]
    assert str(album / "text.jpg") in told[0]
    assert f"{album / 'tiny.png'}: A picture of 3 x 3 pixels is too small to be reduced by 4." == told[1]
    assert told[2] == "2 of 5 pictures could not be degraded; the others are done:"
    assert [line.strip() for line in told[3:]] == told[:2]
    assert captured.out.endswith("3 degraded, 2 failed\n")
    assert len(read_records(tmp_path / "records.jsonl")) == 3


def test_the_only_picture_is_refused_in_a_sentence(album, tmp_path):
    (album / "text.jpg").write_text("hello")
    with pytest.raises(ValueError, match=r"text\.jpg"):
        degrade_files([album / "text.jpg"], tmp_path / "lq.png")


def test_exif_orientation_is_applied(tmp_path):
    image = Image.fromarray(np.rint(picture(3).pixels.permute(1, 2, 0).numpy() * 255).astype(np.uint8))
    exif = Image.Exif()
    exif[0x0112] = 6
    image.save(tmp_path / "turned.png", exif=exif)
    assert degrade_files([tmp_path / "turned.png"], tmp_path / "lq.png") == 0
    assert load_picture(tmp_path / "lq.png").pixels.shape == (3, 12, 16)


def test_what_cannot_work_is_refused_before_any_work(album, tmp_path):
    for arguments, message in (
        (([album, album / "inner/../a.png"], tmp_path / "lq"), "lq/a.png would be written twice"),
        (([album], album / "a.png"), "is a file, but a folder is needed"),
        (([album / "a.png"], album / "a.png"), "is an input and would be replaced"),
        (([tmp_path / "lq"], tmp_path / "other.png"), "There is no file .*lq"),
    ):
        with pytest.raises(ValueError, match=message):
            degrade_files(*arguments)
    (tmp_path / "empty/.hidden").mkdir(parents=True)
    save_picture(picture(0), tmp_path / "empty/.hidden/a.png")
    with pytest.raises(ValueError, match="There are no pictures in"):
        degrade_files([tmp_path / "empty"], tmp_path / "lq")
    with pytest.raises(ValueError, match="cannot be reduced by 0"):
        degrade_files([album], tmp_path / "lq", scale=0)
    with pytest.raises(ValueError, match="from zero on"):
        degrade_files([album], tmp_path / "lq", seed=-1)
    with pytest.raises(FileNotFoundError):
        degrade_files([album], tmp_path / "lq", replay=tmp_path / "none.jsonl")
    assert not (tmp_path / "lq").exists()


def test_hidden_colours_of_a_cut_out_do_not_leak(tmp_path):
    alpha = torch.zeros(1, 64, 48)
    alpha[:, 20:50, 10:40] = 1
    for hidden in (0.0, 1.0):
        folder = tmp_path / f"{hidden}"
        folder.mkdir()
        seen = picture(0)
        save_picture(Picture(torch.where(alpha > 0, seen.pixels, hidden), alpha=alpha), folder / "a.png")
        assert degrade_files([folder], tmp_path / f"lq{hidden}") == 0
    assert contents(tmp_path / "lq0.0") == contents(tmp_path / "lq1.0")


def test_any_name(tmp_path):
    (tmp_path / "hq").mkdir()
    name = os.fsdecode(b"a\xe9.png")
    save_picture(picture(0), tmp_path / "hq" / name)
    for folder in ("one", "two"):
        assert degrade_files([tmp_path / "hq"], tmp_path / folder, records=tmp_path / f"{folder}.jsonl") == 0
    assert contents(tmp_path / "one") == contents(tmp_path / "two")
    assert list(read_records(tmp_path / "one.jsonl")) == [name]
    assert degrade_files([tmp_path / "hq"], tmp_path / "again", replay=tmp_path / "one.jsonl") == 0
    assert contents(tmp_path / "again") == contents(tmp_path / "one")
