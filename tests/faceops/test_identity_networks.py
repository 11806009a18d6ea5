from pathlib import Path

import numpy as np
import pytest
import torch

from faceops.recognition.identity import build_identity, encoder_from
from faceops.recognition.identity_networks import arcface_gray, edgeface, ir, kprpe, mobilefacenet
from faceops.recognition.identity_networks.checkpoint import fill, numbered, read_checkpoint, without_prefixes
from faceops.recognition.identity_networks.edgeface import EdgeFace, Stage, merge_low_rank
from faceops.recognition.identity_networks.mobilefacenet import MobileFaceNet

SMALL_STAGES = (Stage(8, 3, 2), Stage(12, 5, 1, 1, 2, position=True), Stage(18, 7, 1, 2, 2), Stage(24, 9, 1, 3, 4))

NETWORKS = {
    "ir": (lambda: ir.IR((1, 2, 1, 1), 4, 16), ir.KEYS, ir.ir_from, (3, 112)),
    "mobilefacenet": (MobileFaceNet, mobilefacenet.KEYS, mobilefacenet.mobilefacenet_from, (3, 112)),
    "edgeface": (lambda: EdgeFace(SMALL_STAGES, 16), edgeface.KEYS, edgeface.edgeface_from, (3, 112)),
    "grey": (
        lambda: arcface_gray.ArcFaceGray((1, 2, 1, 1), 4, 16),
        arcface_gray.KEYS,
        arcface_gray.arcface_gray_from,
        (1, 128),
    ),
    "kprpe": (
        lambda: kprpe.KeypointTransformer(14, 32, 2, 2, 96, 8),
        kprpe.KEYS,
        kprpe.kprpe_from,
        (3, 112),
    ),
}  # fmt: skip


def randomised(build, seed=0):
    """A small network whose weights and statistics are random, so that no two parts can be mistaken."""
    torch.manual_seed(seed)
    network = build().eval()
    with torch.no_grad():
        for value in network.state_dict().values():
            if value.is_floating_point():
                value.copy_(torch.rand_like(value) * 0.5 + 0.2)
    return network


def published(network, keys):
    return {keys.theirs(n): v for n, v in network.state_dict().items() if not n.endswith("num_batches_tracked")}


@pytest.mark.parametrize("name", NETWORKS)
def test_key_table_leads_there_and_back(name):
    build, keys, *_ = NETWORKS[name]
    network = build()
    for ours in network.state_dict():
        theirs = keys.theirs(ours)
        assert theirs is not None, ours
        assert keys.ours(theirs) == ours


@pytest.mark.parametrize("name", NETWORKS)
def test_a_network_is_read_from_its_published_weights(name):
    build, keys, read, (channels, side) = NETWORKS[name]
    network = randomised(build)
    again = read(published(network, keys)).eval()
    x = torch.rand(1, channels, side, side)
    torch.testing.assert_close(again(x), network(x))


@pytest.mark.parametrize("name", NETWORKS)
def test_no_face_gives_no_embedding(name):
    build, _, _, (channels, side) = NETWORKS[name]
    network = randomised(build)
    assert network(torch.zeros(0, channels, side, side)).shape == (
        0,
        network(torch.rand(1, channels, side, side)).shape[1],
    )


def test_layouts_of_the_published_files():
    # names of the files themselves: CVLFace's safetensors, foamliu's and GFPGAN's state dicts, timm's EdgeNeXt
    assert ir.KEYS.ours("body.0.shortcut_layer.1.running_var") == "blocks.0.shortcut.norm.running_var"
    assert ir.KEYS.ours("output_layer.4.running_mean") == "whiten.running_mean"
    assert mobilefacenet.KEYS.ours("features.14.conv.1.0.weight") == "blocks.14.depthwise.conv.weight"
    assert arcface_gray.KEYS.ours("layer3.1.bn0.bias") == "stage3.1.norm1.bias"
    assert edgeface.KEYS.ours("stages.3.blocks.1.convs.2.bias") == "stages.3.blocks.1.splits.2.bias"
    assert kprpe.KEYS.ours("blocks.23.mlp.fc2.bias") == "blocks.23.narrow.bias"
    assert kprpe.KEYS.ours("keypoint_linear.weight") == "by_landmarks.weight"
    assert edgeface.KEYS.ours("stages.1.blocks.1.gamma") == "stages.1.blocks.1.gamma"


@pytest.mark.parametrize(
    ("build", "millions"),
    [
        (lambda: ir.IR(ir.BLOCKS_OF[18]), 24.02),
        (lambda: ir.IR(ir.BLOCKS_OF[50]), 43.57),
        (lambda: ir.IR(ir.BLOCKS_OF[101]), 65.15),
        (MobileFaceNet, 1.00),
        (lambda: arcface_gray.ArcFaceGray(), 25.63),
        (lambda: kprpe.KeypointTransformer(14, 512, 24, 16, 1536), 115.08),
    ],
)
def test_sizes_are_the_published_ones(build, millions):
    with torch.device("meta"):
        network = build()
    assert sum(weight.numel() for weight in network.parameters()) / 1e6 == pytest.approx(millions, abs=0.02)


def waved(network, keys):
    """A network with weights by a formula in the order of their published names."""
    names = {keys.theirs(name): value for name, value in network.state_dict().items() if "num_batches" not in name}
    for number, (name, value) in enumerate(sorted(names.items())):
        wave = torch.sin(torch.arange(value.numel(), dtype=torch.float64) * 1.7 + number) * 0.5
        if name.endswith("running_var"):
            wave += 1.5
        elif ("norm" in name and name.endswith("weight")) or name in ("feature.1.weight", "feature.3.weight"):
            wave = wave * 0.2 + 1
        elif "keypoint" in name:
            wave *= 6
        elif value.ndim > 1:
            wave *= (200 / value[0].numel()) ** 0.5
        value.copy_(wave.reshape(value.shape))
    return network.eval()


def test_kprpe_gives_what_its_published_code_gives():
    """Outputs of CVLFace's own code for the same weights and pictures, with the landmarks of the template."""
    pixels = torch.arange(2 * 3 * 112 * 112, dtype=torch.float64)
    pictures = (torch.sin(pixels * 0.37) * torch.cos(pixels * 0.0011)).reshape(2, 3, 112, 112).float()
    with torch.no_grad():
        found = waved(NETWORKS["kprpe"][0](), kprpe.KEYS)(pictures)
    expected = [
        [2.282862, -8.007602, 5.523840, 0.582581, -7.719019, 6.731657, -1.030294, -6.162840],
        [2.316991, -8.078012, 5.563195, 0.601196, -7.795186, 6.782918, -1.023233, -6.228611],
    ]
    torch.testing.assert_close(found, torch.tensor(expected), rtol=0, atol=3e-5)


def ir_by_formula(x, t):
    """IR network in functional form, straight from the published keys: an independent reading of them."""
    import torch.nn.functional as F

    def bn(name, x):
        weight, bias = t.get(f"{name}.weight"), t.get(f"{name}.bias")
        return F.batch_norm(x, t[f"{name}.running_mean"], t[f"{name}.running_var"], weight, bias)

    x = F.prelu(bn("input_layer.1", F.conv2d(x, t["input_layer.0.weight"], padding=1)), t["input_layer.2.weight"])
    widths = [t["input_layer.0.weight"].shape[0]]
    for block in range(numbered(t, "body.#.")):
        p = f"body.{block}.res_layer"
        width = t[f"{p}.4.weight"].shape[0]
        # a stage begins where the width changes, and with the very first block
        stride = 2 if width != widths[-1] or block == 0 else 1
        widths.append(width)
        y = F.conv2d(bn(f"{p}.0", x), t[f"{p}.1.weight"], padding=1)
        y = F.conv2d(F.prelu(bn(f"{p}.2", y), t[f"{p}.3.weight"]), t[f"{p}.4.weight"], stride=stride, padding=1)
        shortcut = f"body.{block}.shortcut_layer"
        if f"{shortcut}.0.weight" in t:
            x = bn(f"{shortcut}.1", F.conv2d(x, t[f"{shortcut}.0.weight"], stride=stride))
        else:
            x = F.max_pool2d(x, 1, stride)
        x = x + bn(f"{p}.5", y)
    x = bn("output_layer.0", x).flatten(1)
    return bn("output_layer.4", F.linear(x, t["output_layer.3.weight"], t["output_layer.3.bias"]))


def test_ir_is_the_published_formula():
    network = randomised(lambda: ir.IR((2, 1, 2, 1), 4, 8))
    x = torch.rand(2, 3, 112, 112)
    torch.testing.assert_close(network(x), ir_by_formula(x, published(network, ir.KEYS)), rtol=1e-4, atol=1e-4)


def test_ir_needs_plain_blocks():
    tensors = published(ir.IR((1, 1, 1, 1), 4, 8), ir.KEYS) | {"body.4.res_layer.4.weight": torch.zeros(5, 4, 3, 3)}
    with pytest.raises(ValueError, match="IR network of another kind"):
        ir.ir_from(tensors)


def test_products_of_thin_matrices_are_multiplied_out():
    network = randomised(lambda: EdgeFace(SMALL_STAGES, 16))
    plain = published(network, edgeface.KEYS)
    layer = "stages.0.blocks.0.mlp.fc1"
    thin = {k: v for k, v in plain.items() if not k.startswith(layer)}
    left, _, right = torch.linalg.svd(plain[f"{layer}.weight"], full_matrices=False)
    scaled = torch.linalg.lstsq(left, plain[f"{layer}.weight"]).solution
    thin |= {
        f"{layer}.linear1.weight": scaled,
        f"{layer}.linear2.weight": left,
        f"{layer}.linear2.bias": plain[f"{layer}.bias"],
    }
    assert right.shape == scaled.shape
    torch.testing.assert_close(merge_low_rank(thin)[f"{layer}.weight"], plain[f"{layer}.weight"])
    x = torch.rand(1, 3, 112, 112)
    torch.testing.assert_close(edgeface.edgeface_from(thin).eval()(x), network(x), rtol=1e-3, atol=1e-3)


def test_a_checkpoint_of_training_code_is_unwrapped(tmp_path):
    path = tmp_path / "last.ckpt"
    weights = {"model.a": torch.ones(2, dtype=torch.float16), "model.num_batches_tracked": torch.tensor(7)}
    torch.save({"epoch": 3, "state_dict": weights | {"head.kernel": torch.zeros(1)}}, path)
    tensors = read_checkpoint(path)
    assert list(tensors) == ["a"]
    assert tensors["a"].dtype == torch.float32
    assert sorted(without_prefixes({"module.x": torch.zeros(1), "module.y": torch.zeros(1)})) == ["x", "y"]


def test_weights_that_do_not_fit_are_named():
    network = ir.IR((1, 1, 1, 1), 4, 8)
    tensors = published(network, ir.KEYS)
    lacking = {name: value for name, value in tensors.items() if name != "input_layer.1.bias"}
    with pytest.raises(ValueError, match=r"for IR lack 1 tensors: stem\.norm\.bias"):
        fill(network, lacking, ir.KEYS)
    with pytest.raises(ValueError, match=r"have unknown 1 tensors: \(extra\)"):
        fill(network, tensors | {"extra": torch.zeros(1)}, ir.KEYS)
    with pytest.raises(ValueError, match=r"output_layer.3.bias must be \(8,\) for IR, got \(9,\)"):
        fill(network, tensors | {"output_layer.3.bias": torch.zeros(9)}, ir.KEYS)


def test_an_onnx_network_gives_the_same_embeddings_but_no_gradients(tmp_path):
    pytest.importorskip("onnx")
    pytest.importorskip("onnxruntime")
    file = tmp_path / "tiny.onnx"
    write_onnx(file)
    encoder = build_identity(file)
    faces = torch.rand(2, 3, 112, 112)
    pooled = torch.nn.functional.normalize((2 * faces - 1).mean(dim=(2, 3)))
    torch.testing.assert_close(encoder(faces), pooled, rtol=1e-4, atol=1e-5)
    with pytest.raises(ValueError, match="gives no gradients"):
        encoder(faces.requires_grad_())


def write_onnx(path: Path):
    """An ONNX network whose features are the mean of each channel."""
    import onnx
    from onnx import TensorProto, helper

    graph = helper.make_graph(
        [
            helper.make_node("GlobalAveragePool", ["faces"], ["pooled"]),
            helper.make_node("Flatten", ["pooled"], ["features"]),
        ],
        "means",
        [helper.make_tensor_value_info("faces", TensorProto.FLOAT, ["n", 3, 112, 112])],
        [helper.make_tensor_value_info("features", TensorProto.FLOAT, ["n", 3])],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.save(model, str(path))


def test_a_file_that_is_no_onnx_network_is_refused(tmp_path):
    pytest.importorskip("onnxruntime")
    file = tmp_path / "x.onnx"
    file.write_bytes(b"nothing")
    with pytest.raises(ValueError, match="no ONNX network that onnxruntime can read"):
        build_identity(file)


def pattern(side=112):
    """A picture that any machine computes alike."""
    y, x = np.mgrid[:side, :side] / side
    image = np.stack([np.sin(7 * x + 3 * y), np.cos(5 * y - 2 * x), np.sin(11 * x * y)]) * 0.5 + 0.5
    return torch.from_numpy(image).float().unsqueeze(0)


# First numbers of the unit embeddings of `pattern()`, by other implementations of the same weights:
# foamliu's mobilefacenet in functional form; timm 1.0.31, create_model("edgenext_xx_small") with reset_classifier(512).
REFERENCE = {
    "mobilefacenet_foamliu.pt": [0.00611, -0.044222, -0.024076, -0.032664],
    "edgeface_xxs_dequant_fp16.safetensors": [-0.00219, -0.047609, 0.050283, 0.012759],
    "edgeface_xs_dequant_fp16.safetensors": [-0.078366, 0.004284, 0.021077, -0.043952],
}


@pytest.mark.assets
@pytest.mark.parametrize("file", REFERENCE)
def test_published_weights_give_the_embeddings_of_their_own_code(assets, file):
    encoder = build_identity(assets / "weights/identity" / file)
    embedding = encoder(pattern())[0]
    assert embedding[:4].tolist() == pytest.approx(REFERENCE[file], abs=2e-5)


def test_the_grey_network_is_told_by_its_keys():
    network = arcface_gray.ArcFaceGray((1, 1, 1, 1), 4, 8)
    encoder = encoder_from(published(network, arcface_gray.KEYS), "test")
    assert encoder.name == "arcface-grey18"
    assert (encoder.input_size, encoder.input_template.name) == (128, "ffhq")
    assert encoder(torch.rand(1, 3, 128, 128)).shape == (1, 8)
