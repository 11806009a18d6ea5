"""What the stages decide about single images, without networks."""

import io
import json
import sys
import tarfile
import zlib
from dataclasses import replace
from importlib.util import find_spec
from itertools import pairwise
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from faceops.images.files import Picture, save_picture
from portraitdata.builder.build import build
from portraitdata.builder.candidates import candidates
from portraitdata.builder.config import (
    BuildConfig,
    LocalSource,
    MetadataColumns,
    MetadataSource,
    PairSettings,
    QualitySettings,
    Scorer,
    SizeRule,
)
from portraitdata.builder.engines import InThisProcess
from portraitdata.builder.layout import (
    DEDUPLICATE,
    FACES,
    FACES_SCHEMA,
    IMAGES_SCHEMA,
    KEPT,
    PAIRS,
    PAIRS_SCHEMA,
    SINGLE_FILE,
    SPLIT,
    SPLIT_FACTS,
    part_path,
    read_stage,
    write_rows,
)
from portraitdata.builder.plan import plan
from portraitdata.builder.stages.alike_hashes import alike_hashes, sorted_hashes
from portraitdata.builder.stages.download_stage import Download, command_line
from portraitdata.builder.stages.index_stage import Index, fits, may_fit
from portraitdata.builder.stages.mine_pairs import NOT_ALIKE, ONE_SHOT, mine_pairs
from portraitdata.builder.stages.perceptual_hash import perceptual_hash
from portraitdata.builder.stages.q_align import QAlign
from portraitdata.builder.stages.quality_stage import Quality, build_judge
from portraitdata.builder.stages.split_people import one_reference, split_images
from portraitdata.restoration.index.similar_faces import split_people

ANY_SIZE = SizeRule(longer_above=10, shorter_from=10)


def textured(height, width, seed=0):
    coarse = torch.rand(1, 3, 6, 6, generator=torch.Generator().manual_seed(seed))
    return torch.nn.functional.interpolate(coarse, size=(height, width), mode="bicubic").clamp(0, 1)[0]


def indexed(config, number=0):
    part = plan(config).to_pylist()[number]
    (source,) = (source for source in config.sources if source.name == part["source"])
    return Index(config)(candidates(part, source))


def by_path(batch, *names):
    return {
        path or url: tuple(batch[name][row] for name in names)
        for row, (path, url) in enumerate(zip(batch["path"], batch["url"], strict=True))
    }


SIDES = st.integers(1, 9000)


@given(SIDES, SIDES)
def test_the_two_readings_of_the_size_rule(width, height):
    either, literal = SizeRule(), SizeRule(reading="literal")
    longer = max(width, height)
    # With these aspects the bound of 2160 never binds: the shorter side is above 0.6 * 3840.
    assert fits(width, height, either) == (longer > 3840 and 0.6 <= width / height <= 1.6)
    assert fits(width, height, literal) == (fits(width, height, either) and width >= 3840 and height >= 2160)
    assert may_fit(width, height, either) == (fits(width, height, either) or fits(height, width, either))


def test_a_uhd_frame_is_no_portrait():
    assert not fits(3840, 2160, SizeRule())
    assert not fits(7680, 4320, SizeRule())


def test_index_of_local_files_gives_each_its_reason(tmp_path):
    folder = tmp_path / "photographs"
    folder.mkdir()
    save_picture(Picture(textured(60, 40)), folder / "good.png")
    save_picture(Picture(textured(60, 20)), folder / "narrow.png")
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(np.zeros((25, 60, 3), np.uint8)).save(folder / "turned.jpg", exif=exif)  # 25 x 60 upright
    (folder / "empty.jpg").write_bytes(b"")
    (folder / "text.png").write_text("no picture")
    huge = io.BytesIO()
    Image.new("1", (1, 1)).save(huge, "png")
    data = bytearray(huge.getvalue())
    data[16:24] = (100_000).to_bytes(4, "big") * 2
    data[29:33] = zlib.crc32(data[12:29]).to_bytes(4, "big")
    (folder / "huge.png").write_bytes(data)
    rule = SizeRule(longer_above=30, shorter_from=10, aspect=(0.6, 2.6))
    config = BuildConfig(output=tmp_path / "build", sources=(LocalSource("local", folder, "CC0-1.0"),), size=rule)
    batch = indexed(config)
    assert by_path(batch, "status", "reason") == {
        "empty.jpg": ("dropped", "empty file"),
        "good.png": ("kept", ""),
        "huge.png": ("dropped", "announces too many pixels"),
        "narrow.png": ("dropped", "size or aspect"),
        "text.png": ("dropped", "no image"),
        "turned.jpg": ("dropped", "size or aspect"),
    }
    assert by_path(batch, "width", "height")["turned.jpg"] == (25, 60)
    assert set(batch["licence"]) == {"CC0-1.0"}
    assert "20 x 60 pixels" in by_path(batch, "detail")["narrow.png"][0]


def test_metadata_are_read_by_ranges_and_their_columns_honoured(tmp_path):
    urls = [f"https://example.org/{number}.jpg" for number in range(7)]
    table = {
        "link": [*urls, urls[0]],
        "w": [4000, 4000, 4000, 4000, 100, 2400, None, 4000],
        "h": [3000, 3000, 3000, 3000, 100, 3900, None, 3000],
        "licence": ["CC0", None, "CC BY", "CC0", "CC0", "CC0", "CC0", "CC0"],
        "punsafe": [0.0, 0.9, 0.1, None, 0.0, 0.0, 0.0, 0.0],
        "no_training": [False, False, True, None, False, False, False, False],
        "gone": [False, False, False, True, False, False, False, False],
    }
    pq.write_table(pa.table(table), tmp_path / "list.parquet", row_group_size=3)
    columns = MetadataColumns("link", "w", "h", None, "licence", None, "punsafe", "no_training", "gone")
    source = MetadataSource("web", tmp_path / "list.parquet", columns, licence="unknown")
    config = BuildConfig(output=tmp_path / "build", sources=(source,), unsafe_at_most=0.5)
    batch = indexed(config)
    assert list(zip(batch["url"], batch["reason"], strict=True)) == [
        (urls[0], ""),
        (urls[1], "not safe for work"),
        (urls[2], "opted out"),
        (urls[3], "taken down"),
        (urls[4], "size or aspect"),
        (urls[5], ""),
        (urls[6], ""),
        (urls[0], "listed twice"),
    ]
    assert batch["licence"][:3] == ["CC0", "unknown", "CC BY"]
    ranges = replace(config, output=tmp_path / "ranges", partition=3)
    found = [url for number in range(3) for url in indexed(ranges, number)["url"]]
    assert found == [*urls, urls[0]]
    pa.Table.from_pydict(batch, schema=IMAGES_SCHEMA)


def test_metadata_with_holes(tmp_path):
    """A missing URL is null or empty, a missing side null or what pandas makes of it."""
    urls = [None, "https://example.org/1.jpg", "", None, "https://example.org/2.jpg"]
    sides = {"w": [4000.0, float("nan"), 4000.0, 4000.0, None], "h": [3000.0, float("nan"), 3000.0, 3000.0, 3000.0]}
    pq.write_table(pa.table({"link": urls, **sides}), tmp_path / "list.parquet")
    columns = MetadataColumns("link", "w", "h")
    source = MetadataSource("web", tmp_path / "list.parquet", columns)
    batch = indexed(BuildConfig(output=tmp_path / "build", sources=(source,)))
    assert batch["reason"] == ["no URL", "", "no URL", "no URL", ""]
    assert batch["listed_width"] == [4000, None, 4000, 4000, None]
    pa.Table.from_pydict(batch, schema=IMAGES_SCHEMA)


@pytest.mark.parametrize(
    ("preset", "names"),
    [
        ("laion", {"URL": ["u"], "TEXT": ["t"], "WIDTH": [4000], "HEIGHT": [3000], "LICENSE": ["?"], "punsafe": [0.2]}),
        (
            "pd12m",
            {"url": ["u"], "caption": ["t"], "width": [4000], "height": [3000], "license": ["?"], "source": ["s"]},
        ),
        ("photo-concept-bucket", {"url": ["u"], "cogvlm_caption": ["t"], "width": [4000], "height": [3000]}),
    ],
)
def test_presets_of_metadata(tmp_path, preset, names):
    pq.write_table(pa.table(names), tmp_path / "list.parquet")
    config = BuildConfig(output=tmp_path / "build", sources=(MetadataSource("web", tmp_path, preset, "unknown"),))
    batch = indexed(config)
    assert (batch["url"], batch["prompt"], batch["listed_width"], batch["status"]) == (["u"], ["t"], [4000], ["kept"])
    assert batch["licence"] == (["unknown"] if preset == "photo-concept-bucket" else ["?"])


def test_a_metadata_table_without_a_column(tmp_path):
    pq.write_table(pa.table({"link": ["u"]}), tmp_path / "list.parquet")
    config = BuildConfig(output=tmp_path / "build", sources=(MetadataSource("web", tmp_path, "pd12m"),))
    with pytest.raises(
        ValueError, match=r"lacks the columns url, width, height, caption, license, source; it has link"
    ):
        indexed(config)


def test_takedown_lists_by_path_and_digest(tmp_path):
    folder = tmp_path / "photographs"
    folder.mkdir()
    for number in range(3):
        save_picture(Picture(textured(30, 30, number)), folder / f"{number}.png")
    config = BuildConfig(output=tmp_path / "build", sources=(LocalSource("local", folder),), size=ANY_SIZE)
    digest = Quality(config)(indexed(config))["sha256"][1]
    (tmp_path / "build" / "takedown.txt").write_text(f"# asked on Monday\n0.png\n\n{digest}\n")
    batch = indexed(config)
    assert [batch["reason"][row] for row in range(3)] == ["taken down", "", ""]
    batch = Quality(config)(batch)
    assert [batch["reason"][row] for row in range(3)] == ["taken down", "taken down", ""]
    assert batch["stage"] == ["index", "quality", ""]
    with pytest.raises(FileNotFoundError, match="list of images to take down"):
        Index(replace(config, takedown=tmp_path / "absent"))


def test_a_takedown_list_may_be_there_before_the_build(tmp_path):
    (tmp_path / "build").mkdir()
    (tmp_path / "build" / "takedown.txt").write_text("0.png\n")
    config = BuildConfig(output=tmp_path / "build", sources=(LocalSource("local", tmp_path / "absent"),))
    with pytest.raises(FileNotFoundError, match="There is no folder or archive"):  # not: holds other things
        build(config, InThisProcess())


def test_takedown_lists_of_spreadsheets_and_other_locales(tmp_path, monkeypatch):
    folder = tmp_path / "photographs"
    folder.mkdir()
    names = ("a.png", "b.png", "c.png", "d.png", "Zoë.png")
    for number, name in enumerate(names):
        save_picture(Picture(textured(30, 30, number)), folder / name)
    config = BuildConfig(output=tmp_path / "build", sources=(LocalSource("local", folder),), size=ANY_SIZE)
    batch = Quality(config)(indexed(config))
    (digest,), (uid,) = by_path(batch, "sha256")["b.png"], by_path(batch, "uid")["c.png"]
    listed = tmp_path / "list.txt"
    listed.write_bytes(f"a.png\r\n{digest.upper()}\r\n{uid.upper()}\r\nZoë.png\r\n".encode("utf-8-sig"))
    config = replace(config, takedown=listed)
    reading = Path.open

    def in_latin_1(path, mode="r", buffering=-1, encoding=None, **options):
        given = encoding if "b" in mode or encoding not in (None, "locale") else "latin-1"
        return reading(path, mode, buffering, given, **options)

    monkeypatch.setattr(Path, "open", in_latin_1)
    batch = Quality(config)(indexed(config))
    assert by_path(batch, "reason") == {name: ("taken down",) for name in names} | {"d.png": ("",)}
    listed.write_bytes("a.png\n".encode("utf-16"))
    with pytest.raises(
        ValueError, match=r"list\.txt is no list of images to take down in UTF-8 \(.*\); save it as UTF-8"
    ):
        Index(config)


def test_quality_decodes_judges_and_says_why(tmp_path):
    folder = tmp_path / "photographs"
    folder.mkdir()
    random = torch.rand(3, 40, 40, generator=torch.Generator().manual_seed(0))
    save_picture(Picture(random * 0.5), folder / "dark.png")
    save_picture(Picture(random * 0.5 + 0.5), folder / "light.png")
    save_picture(Picture(textured(40, 40)), folder / "soft.png")
    data = (folder / "dark.png").read_bytes()
    (folder / "torn.png").write_bytes(data[: len(data) // 2])
    quality = QualitySettings(
        sharpness_at_least=100.0, scorers=(Scorer("aesthetic", "test_judge.Brightness", 0.5, {"gain": 1.0}),)
    )
    config = BuildConfig(
        output=tmp_path / "build", sources=(LocalSource("local", folder),), size=ANY_SIZE, quality=quality
    )
    (tmp_path / "test_judge.py").write_text(
        "class Brightness:\n"
        "    def __init__(self, gain):\n        self.gain = gain\n"
        "    def __call__(self, image):\n        return image.mean() * self.gain\n"
    )
    sys.path.insert(0, str(tmp_path))
    try:
        batch = Quality(config)(indexed(config))
    finally:
        sys.path.remove(str(tmp_path))
    assert by_path(batch, "reason") == {
        "dark.png": ("low aesthetic",),
        "light.png": ("",),
        "soft.png": ("not sharp",),
        "torn.png": ("damaged",),
    }
    assert batch["aesthetic"][0] == pytest.approx(0.25, abs=0.01)
    assert batch["aesthetic"][2] is None
    assert "torn.png" in batch["detail"][3]


def test_judges_that_are_not_there():
    with pytest.raises(ValueError, match=r"no judge of images portraitdata\.nothing\.Here"):
        build_judge(Scorer("quality", "portraitdata.nothing.Here"))
    if find_spec("pyiqa") is None:
        with pytest.raises(ImportError, match=r"portraitdata\[pyiqa\]"):
            QAlign()


@settings(deadline=None, max_examples=30)
@given(st.lists(st.integers(0, 2**64 - 1), min_size=2, max_size=40), st.integers(0, 63), st.integers(0, 12))
def test_alike_hashes_are_those_of_counted_bits(hashes, bit, at_most):
    hashes = [*hashes, hashes[0] ^ (1 << bit)]
    found = alike_hashes(np.array(hashes, np.uint64), at_most)
    wanted = [
        (a, b)
        for a in range(len(hashes))
        for b in range(a + 1, len(hashes))
        if (hashes[a] ^ hashes[b]).bit_count() <= at_most
    ]
    assert list(zip(found.a.tolist(), found.b.tolist(), strict=True)) == wanted
    by_sorting = sorted_hashes(np.array(hashes, np.uint64), at_most)
    assert [column.tolist() for column in by_sorting] == [column.tolist() for column in found]


def test_no_negative_number_of_bits():
    assert len(alike_hashes(np.array([5, 5], np.uint64), -1).a) == 0


def test_perceptual_hash_knows_an_image_again():
    grey = [(textured(200, 160, seed).mean(0) * 255).byte().numpy() for seed in range(6)]
    hashes = [perceptual_hash(image) for image in grey]
    for image, known in zip(grey, hashes, strict=True):
        small = torch.nn.functional.interpolate(
            torch.from_numpy(image)[None, None].float(), size=(90, 70), mode="bilinear", antialias=True
        )
        again = perceptual_hash((small[0, 0] * 0.8 + 20).byte().numpy())
        assert (known ^ again).bit_count() <= 8
        others = [(known ^ other).bit_count() for other in hashes if other != known]
        assert min(others) > 8


def test_perceptual_hash_against_a_transform_written_out():
    grey = (textured(64, 64).mean(0) * 255).byte().numpy()
    small = grey.reshape(32, 2, 32, 2).astype(np.float64).mean(axis=(1, 3)).round()
    n = np.arange(32)
    basis = np.cos(np.pi * (2 * n[None] + 1) * n[:, None] / 64)
    low = (basis @ small @ basis.T)[1:9, 1:9]
    bits = "".join("1" if value > np.median(low) else "0" for value in low.ravel())
    assert (perceptual_hash(grey) ^ int(bits, 2)).bit_count() <= 2  # rounding of the reduced image


def test_a_face_for_testing_keeps_its_most_similar_reference():
    rows = [("a:0", "b:0", 0.9), ("a:0", "c:0", 0.8), ("b:0", "c:0", 0.7), ("x:0", "y:0", 0.7), ("x:0", "z:0", 0.9)]
    table = pa.Table.from_pylist(
        [
            {"face_a": a, "face_b": b, "cosine": cosine, "status": "kept", "stage": "", "reason": ""}
            for a, b, cosine in rows
        ],
        schema=PAIRS_SCHEMA,
    )
    marked = one_reference(table, {"a", "b", "c"})
    # b and c: b's best is a, c's best is a; x, y and z are for training.
    assert marked["status"].to_pylist() == ["kept", "kept", "dropped", "kept", "kept"]


SERVED = """
import sys, tarfile, json, os
import pyarrow as pa, pyarrow.parquet as pq
options = dict(word[2:].split("=", 1) for word in sys.argv[1:])
rows = pq.read_table(options["url_list"]).to_pylist()
out = options["output_folder"]
os.makedirs(out + "/00000")
answers = []
for number, row in enumerate(reversed(rows)):
    key = f"{number:05d}"
    good = row["url"].endswith("good")
    message = None if good else row["url"].rpartition("/")[2].replace("-", " ")
    if good:
        open(f"{out}/00000/{key}.jpg", "wb").write(row["url"].encode())
        open(f"{out}/00000/{key}.json", "w").write("{}")
    answers.append({"uid": row["uid"], "key": key, "status": "success" if good else "failed", "error_message": message})
pq.write_table(pa.Table.from_pylist(answers), out + "/00000.parquet")
"""


def test_download_reads_back_what_the_program_fetched(tmp_path, capfd):
    urls = ["h/1/good", "h/HTTP-Error-404:-Not-Found", "h/2/good", "h/disallowed-by-X-Robots-Tag", "h/timed-out"]
    pq.write_table(pa.table({"url": urls}), tmp_path / "list.parquet")
    (tmp_path / "fetch.py").write_text(SERVED)
    config = BuildConfig(
        output=tmp_path / "build",
        sources=(MetadataSource("web", tmp_path / "list.parquet", MetadataColumns("url"), None),),
    )
    config = replace(config, download=replace(config.download, command=(sys.executable, str(tmp_path / "fetch.py"))))
    batch = Download(config)(indexed(config))
    reasons = ["", "HTTP error 404", "", "opted out by X-Robots-Tag", "timed out"]
    assert batch["reason"] == reasons
    assert "fetch.py --url_list=" in capfd.readouterr().err
    for row in (0, 2):
        with (config.output / batch["archive"][row]).open("rb") as archive:
            archive.seek(batch["offset"][row])
            assert archive.read(batch["size"][row]).decode() == urls[row]
    with tarfile.open(config.output / "20_download" / "part-00000.tar") as tar:
        assert [member.mtime for member in tar] == [0, 0]
    assert [path.name for path in (config.output / "20_download").iterdir()] == ["part-00000.tar"]


@pytest.mark.parametrize("one", ["", "h/HTTP-Error-404:-Not-Found", "h/good"])
def test_a_network_that_is_down_ends_the_run(tmp_path, one):
    """Rather than dropping all that it would have fetched; one answer shows that it is up."""
    urls = [f"h/{number}/<urlopen-error-[Errno--3]>" for number in range(2)] + ["h/timed-out"]
    pq.write_table(pa.table({"url": [*urls, one] if one else urls}), tmp_path / "list.parquet")
    (tmp_path / "fetch.py").write_text(SERVED)
    source = MetadataSource("web", tmp_path / "list.parquet", MetadataColumns("url", None))
    config = BuildConfig(output=tmp_path / "build", sources=(source,))
    config = replace(config, download=replace(config.download, command=(sys.executable, str(tmp_path / "fetch.py"))))
    if one:
        assert Download(config)(indexed(config))["reason"][:3] == ["download failed"] * 2 + ["timed out"]
        return
    with pytest.raises(OSError, match="No server answered for any of 3 addresses"):
        Download(config)(indexed(config))
    assert list((config.output / "20_download").iterdir()) == []
    (config.output / "takedown.txt").write_text("\n".join(urls))
    assert set(Download(config)(indexed(config))["reason"]) == {"taken down"}


def test_download_without_or_with_a_failing_program(tmp_path):
    pq.write_table(pa.table({"url": ["h/good"]}), tmp_path / "list.parquet")
    source = MetadataSource("web", tmp_path / "list.parquet", MetadataColumns("url"))
    config = BuildConfig(output=tmp_path / "build", sources=(source,))
    for command, said in ((("no-such-program",), "no program no-such-program"), (("false",), "status 1")):
        changed = replace(config, download=replace(config.download, command=command))
        with pytest.raises(OSError, match=said):
            Download(changed)(indexed(changed))
    given = replace(config.download, user_agent="me", options=("--retries=5",))
    assert command_line(tmp_path, 1, given)[-2:] == ["--user_agent_token=me", "--retries=5"]


def rows_of(schema, rows):
    """A table of these rows, with nothing of its type in the columns that they do not name."""
    empty = {pa.string(): "", pa.bool_(): False, pa.int32(): 0, pa.int64(): 0, pa.float32(): 0.0}
    blank = {
        field.name: empty.get(field.type, [0.0] * getattr(field.type, "list_size", 0))
        for field in schema
        if not field.nullable
    }
    return pa.Table.from_pylist([blank | row for row in rows], schema)


STRANGERS = 10
"""Images of nobody else: enough that two alike images are no giant group, whose threshold is raised."""


def write_faces(config, cosine):
    """Two images whose faces are that similar, and strangers, each with a face at right angles to all others."""
    axes = np.eye(STRANGERS + 2)
    axes[1] = cosine * axes[0] + np.sqrt(1 - cosine**2) * axes[1]
    uids = [f"u{number:02d}" for number in range(len(axes))]
    images = [{"uid": uid, "status": KEPT} for uid in uids]
    faces = [{"uid": uid, "embedding": axis.tolist()} for uid, axis in zip(uids, axes, strict=True)]
    write_rows(rows_of(IMAGES_SCHEMA, images), config.output / DEDUPLICATE / SINGLE_FILE[DEDUPLICATE])
    write_rows(rows_of(FACES_SCHEMA, faces), part_path(config.output, FACES, 0))
    return uids


@pytest.mark.parametrize("cosine", [0.5, 0.6])
def test_faces_that_are_alike_but_no_pair_are_noted_and_not_torn_apart_by_the_split(tmp_path, cosine):
    """Between the threshold of the split and that of pairs."""
    config = BuildConfig(output=tmp_path / "build", sources=(LocalSource("local", tmp_path, "CC0-1.0"),))
    one, other, *strangers = write_faces(config, cosine)
    mine_pairs(config)
    (pair,) = read_stage(config.output, PAIRS).to_pylist()
    assert (pair["face_a"], pair["face_b"], pair["reason"]) == (f"{one}:0", f"{other}:0", NOT_ALIKE)
    assert pair["cosine"] == pytest.approx(cosine, abs=1e-3)
    tested = set()
    for seed in range(8):
        split_images(replace(config, split=replace(config.split, test_share=0.4, seed=seed)))
        split = {row["uid"]: row["split"] for row in read_stage(config.output, SPLIT).to_pylist()}
        assert split[one] == split[other]
        tested |= {uid for uid, part in split.items() if part == "test"}
    assert tested >= set(strangers)


@pytest.mark.parametrize(
    ("cosine", "status", "reason"), [(0.7, "kept", ""), (0.94, "kept", ""), (0.96, "dropped", ONE_SHOT)]
)
def test_faces_are_a_pair_up_to_the_similarity_of_one_shot(tmp_path, cosine, status, reason):
    config = BuildConfig(output=tmp_path / "build", sources=(LocalSource("local", tmp_path, "CC0-1.0"),))
    write_faces(config, cosine)
    mine_pairs(config)
    (pair,) = read_stage(config.output, PAIRS).to_pylist()
    assert (pair["status"], pair["reason"]) == (status, reason)


def test_faces_below_the_threshold_of_the_split_are_not_noted(tmp_path):
    config = BuildConfig(output=tmp_path / "build", sources=(LocalSource("local", tmp_path, "CC0-1.0"),))
    write_faces(config, 0.4)
    mine_pairs(config)
    assert read_stage(config.output, PAIRS).num_rows == 0


def test_a_face_is_compared_with_all_on_the_other_side_of_the_split(tmp_path):
    """The facts name the largest similarity across the split, and the groups that the configured threshold makes."""
    config = BuildConfig(output=tmp_path / "build", sources=(LocalSource("local", tmp_path, "CC0-1.0"),))
    one, other, *_ = write_faces(config, 0.42)
    for above, groups in ((0.65, STRANGERS + 2), (0.4, STRANGERS + 1)):
        changed = replace(config, pairs=replace(config.pairs, similarity_above=above))
        mine_pairs(changed)
        crossing = set()
        for seed in range(8):
            split_images(replace(changed, split=replace(config.split, test_share=0.4, seed=seed)))
            table = pq.read_table(config.output / SPLIT / SINGLE_FILE[SPLIT])
            facts = json.loads(table.schema.metadata[SPLIT_FACTS])
            assert (facts["threshold"], facts["groups"]) == (min(above, 0.45), groups)
            assert len(set(table["group"].to_pylist())) == groups
            split = dict(zip(table["uid"].to_pylist(), table["split"].to_pylist(), strict=True))
            torn = split[one] != split[other]
            assert facts["largest_cross_similarity"] == pytest.approx(0.42 if torn else 0, abs=1e-3)
            crossing.add(torn)
        assert crossing == ({True, False} if above == 0.65 else {False})


def test_a_pair_that_the_search_missed_is_not_torn_apart_by_the_split(tmp_path):
    """Both images are for training where they would be on different sides; otherwise the split is as it was drawn."""
    config = BuildConfig(
        output=tmp_path / "build",
        sources=(LocalSource("local", tmp_path, "CC0-1.0"),),
        # so few that not all faces for testing would be compared, were they only measured
        pairs=PairSettings(exact_up_to=1),
    )
    uids = write_faces(config, 0.7)
    write_rows(PAIRS_SCHEMA.empty_table(), config.output / PAIRS / SINGLE_FILE[PAIRS])
    torn = 0
    for seed in range(8):
        split_images(replace(config, split=replace(config.split, test_share=0.4, seed=seed)))
        table = pq.read_table(config.output / SPLIT / SINGLE_FILE[SPLIT])
        found, drawn = table["split"].to_pylist(), list(split_people(uids, [], 0.4, seed).splits)
        facts = json.loads(table.schema.metadata[SPLIT_FACTS])
        assert facts["largest_cross_similarity"] == pytest.approx(0, abs=1e-3)
        crossed = drawn[0] != drawn[1]
        assert (facts["groups"], facts["largest_group"]) == ((len(uids) - 1, 2) if crossed else (len(uids), 1))
        assert table["group"].to_pylist()[1] == uids[0 if crossed else 1]
        assert found == (["train", "train", *drawn[2:]] if crossed else drawn)
        torn += crossed
    assert 0 < torn < 8


def test_groups_of_a_raised_threshold_are_those_that_were_split(tmp_path):
    """A chain of four is more than a fifth of all: from a threshold of 0.5 on, its likenesses of 0.48 hold no more."""
    config = BuildConfig(output=tmp_path / "build", sources=(LocalSource("local", tmp_path, "CC0-1.0"),))
    uids = write_faces(config, 0.0)
    names = [f"{uid}:0" for uid in uids[:4]]
    rows = [{"face_a": a, "face_b": b, "cosine": 0.48} for a, b in pairwise(names)]
    write_rows(rows_of(PAIRS_SCHEMA, rows), config.output / PAIRS / SINGLE_FILE[PAIRS])
    split_images(config)
    table = pq.read_table(config.output / SPLIT / SINGLE_FILE[SPLIT])
    assert table["group"].to_pylist() == uids
