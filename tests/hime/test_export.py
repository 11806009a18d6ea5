"""From checkpoints to weights files and ONNX."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import onnx
import onnxruntime
import pytest
import torch
from torch import nn

from faceops.weights.model_card import merge_cards
from hime.command_options import ExportOptions
from hime.network import HIME
from hime.weights.export import export_files, load_checkpoint
from hime.weights.export_request import check_request
from hime.weights.files import load_network, save_weights
from hime.weights.model_card import ModelCard, read_header
from hime.weights.onnx_export import export_onnx
from portraitdata.images.bicubic_bands import bicubic_bands, kept_bands

SILENT = ModelCard()


def small(alignment: str = "dcn", aggregation: str = "cofa") -> HIME:
    torch.manual_seed(0)
    network = HIME(
        4,
        alignment,  # type: ignore[arg-type]
        aggregation,  # type: ignore[arg-type]
        channels=8,
        hr_blocks=1,
        lr_blocks=1,
        reconstruction_blocks=1,
        offset_channels=8,
        offset_layers=1,
        offset_groups=4,
    )
    for parameter in network.parameters():
        nn.init.normal_(parameter, std=0.1)
    return network.eval()


def checkpoint_of(network: HIME) -> dict[str, Any]:
    """What Lightning and `SuperResolver.on_save_checkpoint` write, with averaged weights."""
    state = {f"network.{name}": tensor for name, tensor in network.state_dict().items()}
    return {
        "state_dict": state | {"quality.lpips.weight": torch.zeros(3)},
        "current_model_state": {name: tensor + 1 for name, tensor in state.items()},
        "global_step": 12,
        "hime": {"arguments": network.arguments._asdict(), "card": {"scale": 4, "lr_size": 8}},
    }


@pytest.mark.parametrize("half", [False, True])
def test_checkpoint_to_weights(tmp_path: Path, half: bool) -> None:
    network = small()
    torch.save(checkpoint_of(network), tmp_path / "last.ckpt")
    output = tmp_path / "net.safetensors"
    export_files(ExportOptions(str(tmp_path / "last.ckpt"), output=output, half=half, card=ModelCard(licence="MIT")))
    for name, tensor in load_network(output).state_dict().items():
        wanted = network.state_dict()[name]
        assert torch.equal(tensor, wanted.half().float() if half else wanted), name  # averaged, not current
    assert read_header(output).card == ModelCard(licence="MIT", lr_size=8, steps=12)


def test_told_fields_win() -> None:
    stored = ModelCard(training_data="LFW", licence="MIT", lr_size=16, steps=10)
    merged = merge_cards(stored, ModelCard(licence="Apache-2.0", metrics={"psnr": 1.0}))
    assert merged == replace(stored, licence="Apache-2.0", metrics={"psnr": 1.0})


class Harmful:
    def __reduce__(self) -> tuple:
        return print, ("executed",)


def test_checkpoints_that_are_none(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "a.ckpt"
    torch.save(Harmful(), path)
    with pytest.raises(ValueError, match=r"a\.ckpt cannot be read safely: .*plain values\.$"):
        load_checkpoint(path)
    assert "executed" not in capsys.readouterr().out
    for content in (b"", b"text", b"junk", b"\x80\x05", b"PK\x03\x04 half a zip"):
        path.write_bytes(content)
        with pytest.raises(ValueError, match="cannot be read safely"):
            load_checkpoint(path)
    torch.save([1], path)
    with pytest.raises(ValueError, match="has no state_dict"):
        load_checkpoint(path)
    torch.save({"state_dict": {}}, path)
    with pytest.raises(ValueError, match="does not say how its network was built"):
        load_checkpoint(path)
    broken = checkpoint_of(small())
    del broken["state_dict"]["network.aggregation.g1.bias"]
    torch.save(broken, path)
    with pytest.raises(ValueError, match=r"a\.ckpt lacks weights .*aggregation\.g1\.bias"):
        load_checkpoint(path)
    with pytest.raises(FileNotFoundError):
        load_checkpoint(tmp_path / "missing.ckpt")


def test_messages(tmp_path: Path) -> None:
    source = tmp_path / "net.safetensors"
    save_weights(small(), source, SILENT)
    with pytest.raises(ValueError, match="Say what to write"):
        check_request(ExportOptions(str(source)))
    with pytest.raises(ValueError, match=r"must end in \.safetensors"):
        check_request(ExportOptions(str(source), output=tmp_path / "a.pt"))
    with pytest.raises(ValueError, match="names no training size; give the input's side by --lr-size"):
        export_files(ExportOptions(str(source), onnx=tmp_path / "a.onnx"))
    with pytest.raises(ValueError, match="at least one pixel, got a side of -1"):
        export_files(ExportOptions(str(source), onnx=tmp_path / "a.onnx", lr_size=-1))


def parity(network: HIME, path: Path, batch: int, references: int, lr_size: int) -> dict[str, float]:
    """Largest difference of every output between PyTorch and ONNX Runtime."""
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    generator = torch.Generator().manual_seed(1)
    lr = torch.rand(batch, 3, lr_size, lr_size, generator=generator)
    images = torch.rand(batch, references, 3, 4 * lr_size, 4 * lr_size, generator=generator)
    feed = {"lr": lr.numpy(), "references": images.numpy()}
    feed = {entry.name: feed[entry.name] for entry in session.get_inputs()}
    with torch.inference_mode():
        result = network.explain(lr, images if "references" in feed else None)
    names = [entry.name for entry in session.get_outputs()]
    return {
        name: (torch.from_numpy(array) - getattr(result, name)).abs().max().item()
        for name, array in zip(names, session.run(names, feed), strict=True)
    }


def test_onnx_has_any_batch_and_any_number_of_references(tmp_path: Path) -> None:
    network, path = small(), tmp_path / "net.onnx"
    # Logits of hundreds: without a stable log-sigmoid the exported softmax gives NaN.
    network.aggregation.g1.weight.data.mul_(300)
    network.aggregation.g2.weight.data.mul_(100)
    export_onnx(network, path, lr_size=8)
    assert [file.name for file in tmp_path.iterdir()] == ["net.onnx"]
    model = onnx.load(path)
    onnx.checker.check_model(model)
    assert model.opset_import[0].version == 20
    for batch, references in ((1, 1), (2, 3), (3, 5)):
        differences = parity(network, path, batch, references, 8)
        assert set(differences) == {"image", "similarity", "weight"}
        assert max(differences.values()) < 1e-4, (batch, references, differences)


def test_export_leaves_no_traced_tensors_behind(tmp_path: Path) -> None:
    kept_bands.cache_clear()
    export_onnx(small(), tmp_path / "net.onnx", lr_size=7, references=False)
    assert bicubic_bands(7, 28).weights.sum() == pytest.approx(28)


def test_onnx_without_references(tmp_path: Path) -> None:
    source, path = tmp_path / "net.safetensors", tmp_path / "net.onnx"
    save_weights(small(), source, ModelCard(lr_size=6))
    export_files(ExportOptions(str(source), onnx=path, without_references=True))
    differences = parity(small(), path, 2, 0, 6)
    assert set(differences) == {"image"}
    assert differences["image"] < 1e-4


@pytest.mark.slow
@pytest.mark.parametrize(("alignment", "aggregation"), [("flow_dcn", "cofa"), ("conv", "average"), ("none", "cofa")])
def test_onnx_of_other_networks(alignment: str, aggregation: str, tmp_path: Path) -> None:
    network = small(alignment, aggregation)
    export_onnx(network, tmp_path / "net.onnx", lr_size=16)
    for batch, references in ((1, 1), (2, 4)):
        assert max(parity(network, tmp_path / "net.onnx", batch, references, 16).values()) < 1e-4


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # Lightning's own
def test_averaged_weights_of_a_real_lightning_run(tmp_path: Path) -> None:
    from lightning.pytorch import LightningModule, Trainer
    from lightning.pytorch.callbacks import WeightAveraging

    class Module(LightningModule):
        def __init__(self) -> None:
            super().__init__()
            self.network = small()

        def training_step(self, batch: torch.Tensor) -> torch.Tensor:
            return self.network(batch).square().mean()

        def configure_optimizers(self) -> torch.optim.Optimizer:
            return torch.optim.SGD(self.parameters(), lr=0.1)

        def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
            checkpoint["hime"] = {"arguments": self.network.arguments._asdict(), "card": {}}

    averaging = WeightAveraging(avg_fn=lambda averaged, current, count: 0.9 * averaged + 0.1 * current)
    trainer = Trainer(
        default_root_dir=tmp_path,
        max_steps=3,
        accelerator="cpu",
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        callbacks=[averaging],
    )
    saved: dict[str, torch.Tensor] = {}

    class Save(torch.utils.data.Dataset):
        def __len__(self) -> int:
            return 3

        def __getitem__(self, index: int) -> torch.Tensor:
            return torch.full((3, 8, 8), 0.5)

    module = Module()
    averaging_end = averaging.on_train_end

    def before_the_swap(trainer: Trainer, pl_module: LightningModule) -> None:
        trainer.save_checkpoint(tmp_path / "last.ckpt")
        assert averaging._average_model is not None
        saved.update({n: t.clone() for n, t in averaging._average_model.module.network.state_dict().items()})
        averaging_end(trainer, pl_module)

    averaging.on_train_end = before_the_swap  # type: ignore[method-assign]
    trainer.fit(module, torch.utils.data.DataLoader(Save()))
    network, card = load_checkpoint(tmp_path / "last.ckpt")
    assert card.steps == 3
    assert any(not torch.equal(tensor, small().state_dict()[name]) for name, tensor in saved.items())
    for name, tensor in network.state_dict().items():
        assert torch.equal(tensor, saved[name]), name
