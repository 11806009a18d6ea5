"""Base of HIME's recipes: the network, its scores, its checkpoints."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from lightning.pytorch import LightningModule
from lightning.pytorch.utilities import rank_zero_info
from lightning.pytorch.utilities.types import STEP_OUTPUT
from torch import Tensor
from torch.nn import Parameter
from torch.optim import Optimizer

from hime.evaluation.quality import QualityScores
from hime.network import HIME, SuperResolution
from hime.training.initial_weights import begin_as, begin_flow
from hime.training.schedule import WarmupCosine
from portraitdata.exemplars.datamodule import ExemplarBatch
from portraitdata.training.stepping import planned_steps


@dataclass(frozen=True)
class PartRates:
    """Learning rates of the parts that decide where the references are sampled.

    Offsets that move as fast as the other weights leave the image before there are features worth sampling; what is
    sampled outside is zero, the references then have no gradient, and the network stays one without references.

    Args:
        offsets: Learning rate of the offset estimator as a fraction of the optimizer's.
        flow: Learning rate of the optical flow as a fraction of the optimizer's (HIME large).
        flow_freeze_steps: Steps for which the optical flow does not move (HIME large).
    """

    offsets: float = 0.1
    flow: float = 0.25
    flow_freeze_steps: int = 2000


DEFAULT_RATES = PartRates()
"""Defaults of the recipes."""


Explain = Callable[[Tensor, Tensor, Tensor], SuperResolution]
"""`HIME.explain` as torch has compiled it."""


class SuperResolver(LightningModule):
    """Base of the recipes; a recipe calls `prepare` in its constructor."""

    network: HIME
    warmup_steps: int

    def prepare(
        self,
        network: HIME,
        initial_weights: str | None,
        warmup_steps: int,
        flow_weights: str | None = None,
        compiled: bool = False,
    ) -> None:
        """Take the network, and start it from trained weights if any are named, its flow from published ones.

        Args:
            network: The network to train.
            initial_weights: Weights to start from.
            warmup_steps: Steps over which the learning rate rises.
            flow_weights: Published weights of the flow.
            compiled: Let torch compile the network when a fit starts.

        Raises:
            ValueError: If the weights are of another kind of network.
            FileNotFoundError: If there is no such file.
        """
        begun = [] if initial_weights is None else [begin_as(network, initial_weights)]
        begun += [] if flow_weights is None else [begin_flow(network, flow_weights)]
        self.notes = " ".join(begun)
        self.network = network.to(memory_format=torch.channels_last)
        self.warmup_steps, self.compiled = warmup_steps, compiled
        self.compiled_explain: Explain | None = None
        self.quality = QualityScores()
        self.lr_size: int | None = None

    def setup(self, stage: str) -> None:
        """Refuse data of another magnification before a step is spent on them."""
        data = getattr(self.trainer, "datamodule", None)
        if data is None:
            return
        self.lr_size = data.size // data.scale
        if data.scale != self.network.scale:
            raise ValueError(
                f"The network magnifies {self.network.scale} times and the data are reduced {data.scale} times: set "
                "data.scale and model.init_args.network.init_args.scale to the same number."
            )

    def on_fit_start(self) -> None:
        """Compile the network if that is wanted; say once what will not be measured."""
        if self.compiled:  # only now, as moving averages copy the module when they are set up
            self.compiled_explain = torch.compile(self.network.explain)
        if not self.quality.measures_lpips:
            rank_zero_info(self.quality.why_no_lpips)

    def forward(self, batch: ExemplarBatch) -> SuperResolution:
        """Super-resolve a batch and keep its maps."""
        lr = batch.lr.contiguous(memory_format=torch.channels_last)
        explain = self.compiled_explain or self.network.explain
        return explain(lr, batch.references, batch.present)

    def parameter_groups(self, rates: PartRates) -> list[dict[str, Any]]:
        """Parameters of the network, those of the offset estimator and of the optical flow apart."""
        estimator: list[Parameter] = []
        flow: list[Parameter] = []
        rest: list[Parameter] = []
        for name, parameter in self.network.named_parameters():
            if name.startswith("alignment.estimator."):
                estimator.append(parameter)
            else:
                (flow if name.startswith("alignment.flow.") else rest).append(parameter)
        groups: list[dict[str, Any]] = [{"params": rest}]
        if estimator:
            groups.append({"params": estimator, "ratio": rates.offsets})
        if flow:
            groups.append({"params": flow, "ratio": rates.flow, "freeze_steps": rates.flow_freeze_steps})
        return groups

    def schedule(self, optimizer: Optimizer, accumulate: int = 1) -> WarmupCosine:
        """Warm-up and cosine over the whole run, with every group at its share of the learning rate.

        Args:
            accumulate: Batches per step, where the recipe counts them itself.
        """
        for group in optimizer.param_groups:
            group["lr"] *= group.pop("ratio", 1.0)
        steps = planned_steps(self, accumulate)
        return WarmupCosine(optimizer, steps, min(self.warmup_steps, steps // 2))

    def validation_step(self, batch: ExemplarBatch, batch_idx: int) -> STEP_OUTPUT:
        """Score the batch; the panels of a callback draw what is returned."""
        result = self(batch)
        self.quality.update(result.image.float(), batch.hr, batch.lr)
        return {"result": result}

    def on_validation_epoch_end(self) -> None:
        """Log the scores over the whole set."""
        self.log_quality("val")

    test_step = validation_step

    def on_test_epoch_end(self) -> None:
        """Log the scores over the whole set."""
        self.log_quality("test")

    def log_quality(self, stage: str) -> None:
        """Log and forget the scores."""
        scores = self.quality.compute()
        self.log_dict({f"{stage}/{name}": value for name, value in scores.items()}, prog_bar=stage == "val")
        self.quality.reset()

    def predict_step(self, batch: ExemplarBatch, batch_idx: int) -> Tensor:
        """Super-resolve a batch; values in [0, 1]."""
        return self(batch).image.float().clamp(0, 1)

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Leave what `hime export` needs to rebuild the network without Lightning."""
        checkpoint["hime"] = {
            "arguments": dict(self.network.arguments._asdict()),
            "card": {"lr_size": self.lr_size, "steps": int(checkpoint["global_step"]), "notes": self.notes},
        }
