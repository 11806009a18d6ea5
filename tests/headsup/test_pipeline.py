"""The diffusers pipeline of a merged restorer gives what `headsup restore` gives."""

import io
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from diffusers import DiffusionPipeline
from diffusers.utils import dynamic_modules_utils
from PIL import Image

from faceops.images.files import Picture, decode_picture, load_picture, save_picture
from headsup import HeadsUpPipeline, RestoreOptions
from headsup.command_options import MergeOptions, RestoreFilesOptions
from headsup.model.backbone import load_backbone
from headsup.model.merged_restorer import MergedRestorer
from headsup.restoring import photographs
from headsup.restoring.files import restore_files
from headsup.restoring.jobs import plan_request
from headsup.restoring.pillow_images import encoded
from headsup.weights.merging import merge_weights

DOCUMENT = Path(__file__).parents[2] / "docs" / "restore-photos.md"


@pytest.fixture(scope="module")
def merged(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pipeline") / "merged"
    merge_weights(MergeOptions("tiny", output=folder))
    return folder


@pytest.fixture(scope="module")
def pipeline(merged: Path) -> HeadsUpPipeline:
    loaded = HeadsUpPipeline.from_pretrained(merged)
    assert isinstance(loaded, HeadsUpPipeline)
    return loaded


def restored_by_the_command(source: Path, options: RestoreOptions, references: tuple[Path, ...] = ()) -> np.ndarray:
    output = source.with_name("by_the_command.png")
    jobs = plan_request([source], output, None, None, references, ("tiny",))
    told = RestoreFilesOptions([source], output=output, reference=references, weights="tiny", device="cpu")
    assert restore_files(jobs, options, told) == 0
    return np.asarray(Image.open(output)).astype(int)


@pytest.fixture
def photograph(tmp_path: Path) -> Path:
    generator = torch.Generator().manual_seed(0)
    save_picture(Picture(torch.rand(3, 24, 36, generator=generator)), tmp_path / "a.png")
    return tmp_path / "a.png"


@pytest.mark.parametrize("options", [RestoreOptions(), RestoreOptions(scale=3.0, fidelity=0.3, colour="adain")])
def test_it_gives_the_picture_of_the_command(
    pipeline: HeadsUpPipeline, photograph: Path, options: RestoreOptions
) -> None:
    found = pipeline(Image.open(photograph), options=options)
    expected = restored_by_the_command(photograph, options)
    (image,) = found.images
    assert np.abs(np.asarray(image).astype(int) - expected).max() <= 1
    assert (np.asarray(image) != expected).mean() < 1e-3
    assert found.notes == []


@pytest.mark.assets
def test_so_it_does_with_a_reference(
    pipeline: HeadsUpPipeline, assets: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache = tmp_path / "cache"
    cache.mkdir()
    shutil.copy(assets / "weights/identity/mobilefacenet_foamliu.pt", cache)
    monkeypatch.setenv("FACEOPS_CACHE", str(cache))
    london = assets / "images/portraits/london_ccby4"
    Image.open(london / "013_neutral.jpg").resize((128, 128)).save(tmp_path / "small.png")
    options, reference = RestoreOptions(scale=2.0), london / "013_smiling.jpg"
    found = pipeline(Image.open(tmp_path / "small.png"), [Image.open(reference)], options).images[0]
    expected = restored_by_the_command(tmp_path / "small.png", options, (reference,))
    without = np.asarray(pipeline(Image.open(tmp_path / "small.png"), options=options).images[0]).astype(int)
    assert np.abs(np.asarray(found).astype(int) - expected).max() <= 1
    assert np.abs(without - expected).max() > 20


def test_references_without_strength_are_none(
    pipeline: HeadsUpPipeline, photograph: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(photographs, "load_recognition", lambda fetch: pytest.fail("nobody is to be recognised"))
    image = Image.open(photograph)
    found = pipeline(image, [image], RestoreOptions(reference_strength=0.0))
    assert found.notes == ["The strength of the references is 0, so they are not used."]
    assert np.array_equal(found.images[0], pipeline(image).images[0])


def test_diffusers_loads_it_by_the_file_in_the_folder(
    merged: Path, pipeline: HeadsUpPipeline, photograph: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dynamic_modules_utils, "HF_MODULES_CACHE", str(tmp_path / "modules"))
    loaded = DiffusionPipeline.from_pretrained(merged, custom_pipeline=str(merged), trust_remote_code=True)
    assert type(loaded) is HeadsUpPipeline
    image = Image.open(photograph)
    assert np.array_equal(loaded(image).images[0], pipeline(image).images[0])


def test_what_a_used_pipeline_saves_is_the_same(pipeline: HeadsUpPipeline, photograph: Path, tmp_path: Path) -> None:
    image = Image.open(photograph)
    before = pipeline(image).images[0]
    pipeline.save_pretrained(tmp_path / "saved")
    again = HeadsUpPipeline.from_pretrained(tmp_path / "saved")
    assert (again.config.timestep, again.config.layout) == (249, "placed")
    assert np.array_equal(again(image).images[0], before)


def test_in_bfloat16_the_last_convolution_is_precise(merged: Path, photograph: Path) -> None:
    half = HeadsUpPipeline.from_pretrained(merged).to(torch.bfloat16)
    restorer = half.restorer().restorer
    assert restorer.unet.conv_out.inner.weight.dtype == torch.float32
    assert half.unet.conv_out.weight.dtype == restorer.unet.conv_in.weight.dtype == torch.bfloat16
    assert half(Image.open(photograph)).images[0].size == (144, 96)


def test_transparency_and_orientation_are_those_of_the_image(pipeline: HeadsUpPipeline) -> None:
    image = Image.new("RGBA", (10, 20), (200, 100, 50, 128))
    image.getexif()[0x0112] = 6  # to be turned by a quarter
    (found,) = pipeline(image, options=RestoreOptions(scale=1.0)).images
    assert (found.mode, found.size) == ("RGBA", (20, 10))
    assert np.unique(np.asarray(found)[..., 3]).tolist() == [128]
    (found,) = pipeline(Image.new("CMYK", (9, 7)), options=RestoreOptions(scale=1.0)).images
    assert (found.mode, found.size) == ("RGB", (9, 7))


@pytest.mark.parametrize("mode", ["I", "I;16", "I;16B", "I;16L"])
def test_deep_grey_keeps_its_values_its_profile_and_its_orientation(mode: str) -> None:
    values = np.arange(6, dtype=np.uint16).reshape(2, 3) * 13_000
    stored = {"I": values.astype(np.int32), "I;16B": values.astype(">u2")}.get(mode, values)
    image = Image.frombytes(mode, (3, 2), stored.tobytes())
    image.getexif()[0x0112] = 3  # upside down
    image.info["icc_profile"] = b"a profile"
    with Image.open(io.BytesIO(encoded(image))) as written:
        assert (written.getexif()[0x0112], written.info["icc_profile"]) == (3, b"a profile")
    del image.info["icc_profile"]
    picture = decode_picture(encoded(image), "the image")
    assert picture.bits == 16
    assert picture.grey
    np.testing.assert_allclose(picture.pixels[0].numpy()[::-1, ::-1], values / 65535, atol=1e-6)


@pytest.mark.parametrize(
    ("image", "sentence"),
    [
        (Image.new("F", (2, 2), 0.5), "An image of mode F does not say which number is white"),
        (Image.new("I", (2, 2), 65536), "must have values from 0 to 65535, got 65536 to 65536"),
        (Image.new("I", (2, 2), -1), "must have values from 0 to 65535, got -1 to -1"),
    ],
)
def test_numbers_of_no_known_range_are_refused(image: Image.Image, sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        encoded(image)


@pytest.mark.parametrize("mode", ["RGBa", "PA", "La"])
def test_transparency_of_every_mode_is_kept(mode: str) -> None:
    image = Image.new("RGBA", (2, 2), (100, 100, 100, 128))
    picture = decode_picture(encoded((image.convert("LA") if mode == "La" else image).convert(mode)), "the image")
    assert picture.alpha is not None
    np.testing.assert_allclose(picture.alpha.numpy(), 128 / 255, atol=1e-6)
    np.testing.assert_allclose(picture.pixels.numpy(), 100 / 255, atol=1.5 / 255)


def test_grey_stays_grey(pipeline: HeadsUpPipeline, photograph: Path) -> None:
    found = np.asarray(pipeline(Image.open(photograph).convert("L")).images[0])
    assert (found == found[..., :1]).all()


def test_a_plain_denoiser_is_refused() -> None:
    with pytest.raises(ValueError, match="takes 16 channels; wanted are 33, input, reference and mask"):
        MergedRestorer(load_backbone("random:tiny"), 249)


def test_the_example_of_the_document_runs(
    merged: Path, photograph: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (example,) = re.findall(r"```python\n(from headsup import HeadsUpPipeline.*?)```", DOCUMENT.read_text(), re.DOTALL)
    monkeypatch.chdir(tmp_path)
    shutil.copytree(merged, "merged")
    shutil.copy(photograph, "grandmother.png")
    exec(compile(example, str(DOCUMENT), "exec"), {})
    assert load_picture("restored.png").pixels.shape == (3, 48, 72)
