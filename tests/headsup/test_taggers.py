"""RAM and DAPE, against outputs of the public implementation on the same random weights."""

import tomllib
from importlib import import_module
from pathlib import Path
from zlib import crc32

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from faceops.weights.cache import MissingWeightsError
from headsup.model.taggers.ram import DapeTagger, NetworkTagger, RamTagger
from headsup.model.taggers.ram_checkpoint import merged, ram_from, read_dape, read_ram
from headsup.model.taggers.ram_network import RamNetwork, RamSettings
from headsup.model.taggers.tag_list import TagList, read_tag_list
from portraitdata.restoration.index.taggers import GROUP, Tagger

SMALL = RamSettings(
    tags=5,
    side=64,
    channels=8,
    depths=(2, 2),
    heads=(2, 4),
    window=4,
    label_width=12,
    width=16,
    decoder_heads=4,
    decoder_hidden=32,
    decoder_depth=2,
)

RAM_LOGITS = [
    [-0.180745, -0.242251, -0.180208, -0.360453, -0.262904],
    [-0.757472, -0.781347, -0.714688, -0.739052, -0.803104],
]
DAPE_LOGITS = [
    [0.173382, 0.080571, -0.151312, -0.267893, -0.052189],
    [0.315776, 0.192168, 0.027492, -0.011723, 0.305276],
]
"""Of OSEDiff's `ram_lora` (commit fcc4f09, loralib 0.1.2) with the sizes above, without and with adapters."""


def tensor(name: str, *shape: int) -> Tensor:
    """Random numbers that depend on a name; around one for the weights of normalisations."""
    random = np.random.RandomState(crc32(name.encode()))
    values = random.standard_normal(shape) * 0.4
    return torch.from_numpy(values + ("norm" in name.lower() and name.endswith("weight"))).float()


def published() -> dict[str, Tensor]:
    """State of the public implementation with the sizes above, adapters included."""
    shapes: dict[str, tuple[int, ...]] = {"label_embed": (5, 12)}

    def add(prefix: str, out: int, *into: int, rank: tuple[int, int] | None = None) -> None:
        shapes[f"{prefix}.weight"], shapes[f"{prefix}.bias"] = (out, *into), (out,)
        if rank is not None:
            shapes[f"{prefix}.lora_A"], shapes[f"{prefix}.lora_B"] = (rank[0], *into), (rank[1], 8)

    swin = "visual_encoder"
    add(f"{swin}.patch_embed.proj", 8, 3, 4, 4)
    add(f"{swin}.patch_embed.norm", 8)
    add(f"{swin}.norm", 16)
    for stage, (width, heads) in enumerate(((8, 2), (16, 4))):
        for block in (f"{swin}.layers.{stage}.blocks.{number}" for number in (0, 1)):
            shapes[f"{block}.attn.relative_position_bias_table"] = (49, heads)
            add(f"{block}.norm1", width)
            add(f"{block}.norm2", width)
            add(f"{block}.attn.qkv", 3 * width, width, rank=(16, 2 * width))
            add(f"{block}.attn.proj", width, width)
            add(f"{block}.mlp.fc1", 4 * width, width)
            add(f"{block}.mlp.fc2", width, 4 * width)
    shapes[f"{swin}.layers.0.downsample.reduction.weight"] = (16, 32)
    add(f"{swin}.layers.0.downsample.norm", 32)
    for layer in (f"tagging_head.encoder.layer.{number}" for number in (0, 1)):
        add(f"{layer}.crossattention.self.query", 16, 16, rank=(8, 16))
        add(f"{layer}.crossattention.self.key", 16, 12, rank=(8, 16))
        add(f"{layer}.crossattention.self.value", 16, 12)
        add(f"{layer}.crossattention.output.dense", 16, 16)
        add(f"{layer}.crossattention.output.LayerNorm", 16)
        add(f"{layer}.intermediate.dense", 32, 16)
        add(f"{layer}.output.dense", 16, 32)
        add(f"{layer}.output.LayerNorm", 16)
    for name, out, into in (("wordvec_proj", 16, 12), ("fc", 1, 16), ("image_proj", 12, 16)):
        add(name, out, into)
    return {name: tensor(name, *shape) for name, shape in shapes.items()}


@pytest.fixture
def ram() -> dict[str, Tensor]:
    return {name: value for name, value in published().items() if ".lora_" not in name}


@pytest.fixture
def dape() -> dict[str, Tensor]:
    return {name: value for name, value in published().items() if ".lora_" in name}


@pytest.fixture
def images() -> Tensor:
    return torch.from_numpy(np.random.RandomState(7).random_sample((2, 3, 64, 64))).float()


def test_ram_is_the_public_one(ram, images):
    torch.testing.assert_close(ram_from(ram, SMALL)(images), torch.tensor(RAM_LOGITS), rtol=0, atol=3e-6)


def test_dape_is_the_public_one(ram, dape, images):
    network = ram_from(merged(ram, dape), SMALL)
    torch.testing.assert_close(network(images), torch.tensor(DAPE_LOGITS), rtol=0, atol=3e-6)


def test_published_files_are_read(ram, dape, images, tmp_path):
    """With what only captions or training need, the older name of the decoder, and what the network derives."""
    older = {name.replace("tagging_head.", "vision_multi."): value for name, value in ram.items()}
    beside = {
        "visual_encoder.layers.0.blocks.1.attn_mask": torch.zeros(16, 16, 16),
        "visual_encoder.layers.0.blocks.0.attn.relative_position_index": torch.zeros(16, 16, dtype=torch.int64),
        "text_decoder.cls.predictions.bias": torch.zeros(9),
        "tag_encoder.encoder.layer.0.attention.self.query.weight": torch.zeros(16, 16),
    }
    torch.save({"model": older | beside}, tmp_path / "ram.pth")
    torch.save(
        dape | {"text_decoder.bert.encoder.layer.0.attention.self.key.lora_A": torch.ones(8, 3)}, tmp_path / "d.pth"
    )
    assert read_ram(tmp_path / "ram.pth").keys() == ram.keys()
    assert read_dape(tmp_path / "d.pth").keys() == dape.keys()
    network = ram_from(merged(read_ram(tmp_path / "ram.pth"), read_dape(tmp_path / "d.pth")), SMALL)
    torch.testing.assert_close(network(images), torch.tensor(DAPE_LOGITS), rtol=0, atol=3e-6)


def test_what_is_no_ram_is_refused(ram, dape, tmp_path):
    torch.save({"model": {"fc.weight": torch.zeros(1, 2)}}, tmp_path / "other.pth")
    with pytest.raises(ValueError, match=r"other\.pth is no checkpoint of RAM: it has no `label_embed`"):
        read_ram(tmp_path / "other.pth")
    with pytest.raises(ValueError, match=r"other\.pth holds no LoRA of RAM"):
        read_dape(tmp_path / "other.pth")
    with pytest.raises(ValueError, match=r"the first is encoder\.features\.0\.0\.weight, wanted with \(192, 3, 4, 4\)"):
        ram_from(ram, RamSettings())
    key = "tagging_head.encoder.layer.0.crossattention.self.key"
    with pytest.raises(ValueError, match=r"rank 8 and fit \(16, 12\); got \(4, 12\)"):
        merged(ram, dape | {f"{key}.lora_A": torch.zeros(4, 12)})
    with pytest.raises(ValueError, match="the second factor is missing"):
        merged(ram, {name: value for name, value in dape.items() if name != f"{key}.lora_B"})


def test_the_sizes_are_those_of_the_published_network():
    with torch.device("meta"):
        network = RamNetwork(RamSettings())
    shapes = {name: tuple(value.shape) for name, value in network.named_parameters()}
    assert shapes["decoder.labels.weight"] == (4585, 512)
    assert shapes["encoder.features.7.1.attn.relative_position_bias_table"] == (23 * 23, 48)
    swin_large = 195_000_000  # Liu et al., Table 1: 197 M with a head of 1000 classes
    assert sum(p.numel() for p in network.encoder.parameters()) == pytest.approx(swin_large, rel=0.005)


def test_the_tags_are_those_of_ram():
    tags = read_tag_list()
    assert (len(tags.names), tags.names[0], tags.names[-1]) == (4585, "3D CG rendering", "zoo")
    assert tags.thresholds[tags.names.index("man")] == pytest.approx(0.8)
    assert not [name for name in tags.names if "," in name]
    with pytest.raises(ValueError, match="got 2 tags, 1 thresholds"):
        TagList(("a", "b"), torch.zeros(1))


def test_a_tagger_says_what_exceeds_its_threshold(ram, images):
    probabilities = torch.tensor(RAM_LOGITS).sigmoid()
    tags = TagList(("ash", "bay", "cat", "dog", "elm"), probabilities[0] - torch.tensor([0.01, -0.01, 0.01, 0.01, 1.0]))
    tagger = NetworkTagger(ram_from(ram, SMALL), tags)
    assert tagger.side == 64
    assert tagger(images) == ["ash, cat, dog, elm", "elm"]


def test_tags_do_not_depend_on_the_precision_of_the_training(ram, images):
    tagger = NetworkTagger(ram_from(ram, SMALL), TagList(("ash", "bay", "cat", "dog", "elm"), torch.zeros(5)))
    seen = []
    tagger.network.register_forward_pre_hook(lambda *_: seen.append(torch.is_autocast_enabled("cpu")))
    with torch.autocast("cpu", torch.bfloat16):
        tagger(images)
    assert seen == [False]


def test_images_are_squeezed_as_ram_squeezes_them(ram):
    """By Pillow's bilinear, whose results have 8 bits."""
    pixels = np.random.RandomState(3).randint(0, 256, (150, 200, 3)).astype(np.uint8)
    squeezed = np.asarray(Image.fromarray(pixels).resize((64, 64), Image.Resampling.BILINEAR))
    network = ram_from(ram, SMALL)
    large, small = (torch.from_numpy(p.copy()).permute(2, 0, 1)[None].float() / 255 for p in (pixels, squeezed))
    torch.testing.assert_close(network(large), network(small), rtol=0, atol=0.02)
    cropped = network(large[:, :, :64, :64])
    assert (cropped - network(small)).abs().max() > 0.1


@pytest.mark.parametrize(("tagger", "file"), [(RamTagger, "ram_swin_large_14m.pth"), (DapeTagger, "DAPE.pth")])
def test_missing_weights_are_one_sentence(tagger, file, monkeypatch):
    def offline(*_: object, **__: object) -> None:
        raise OSError("no network")

    monkeypatch.setattr("faceops.weights.cache._retrieve", offline)
    with pytest.raises(MissingWeightsError, match=f"Get {file}"):
        tagger()


def test_the_package_offers_its_taggers(ram):
    project = tomllib.loads((Path(__file__).parents[2] / "packages/headsup/pyproject.toml").read_text())["project"]
    offered = project["entry-points"][GROUP]
    modules = {name: place.split(":") for name, place in offered.items()}
    found = {name: getattr(import_module(module), kind) for name, (module, kind) in modules.items()}
    assert found == {"dape": DapeTagger, "ram": RamTagger}
    assert isinstance(NetworkTagger(ram_from(ram, SMALL), read_tag_list()), Tagger)
