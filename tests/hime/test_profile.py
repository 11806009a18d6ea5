"""Parameter and operation counts against Table 1 of the paper."""

import json

import pytest
import torch
from torch import nn

from hime.blocks.deformable import DeformableConv2d
from hime.evaluation.profile_report import PARTS, print_profile, profile_network, report_profile
from hime.network import HIME
from hime.variants import TABLE_1, Variant, build_variant

MEASURED = {
    ("small", 32, 4): (837387, 1_572_323_328),
    ("small", 64, 4): (837387, 6_289_293_312),
    ("small", 16, 8): (892827, 414_425_088),
    ("large", 32, 4): (2277687, 5_501_950_848),
    ("large", 64, 4): (2277687, 22_007_803_392),
    ("large", 16, 8): (2333127, 4_344_052_608),
}
"""By variant, input size and scale: parameters, and MACs with three references."""


@pytest.mark.parametrize(("variant", "lr_size", "scale"), MEASURED)
def test_counts_are_at_or_under_table_1(variant: Variant, lr_size: int, scale: int) -> None:
    profile = profile_network(build_variant(variant, scale), lr_size, references=3)
    assert (profile.parameters, profile.macs) == MEASURED[variant, lr_size, scale]
    paper = TABLE_1[variant, lr_size, scale]
    assert profile.parameters <= paper.parameters * 1e6
    assert profile.macs <= paper.macs * 1e9
    assert sum(profile.macs_by_part.values()) == profile.macs
    assert set(profile.macs_by_part) == set(PARTS)


@pytest.mark.parametrize(
    ("scale", "lr_size", "parameters", "gmacs"),
    [(4, 32, 0.6552, 1.013), (4, 64, 0.6552, 4.053), (8, 16, 0.7106, 0.2746)],
)
def test_lean(scale: int, lr_size: int, parameters: float, gmacs: float) -> None:
    profile = profile_network(build_variant("lean", scale), lr_size)
    assert profile.parameters / 1e6 == pytest.approx(parameters, abs=1e-4)
    assert profile.macs / 1e9 == pytest.approx(gmacs, rel=1e-3)


@pytest.mark.parametrize("alignment", ["conv", "dcn", "flow_dcn", "none"])
@pytest.mark.parametrize("references", [0, 1, 2])
def test_parity_with_hooks_on_a_real_pass(alignment: str, references: int) -> None:
    network = HIME(4, alignment, lr_blocks=1, reconstruction_blocks=1)  # type: ignore[arg-type]
    counted = 0

    def count(module: nn.Module, inputs: tuple, output: torch.Tensor) -> None:
        nonlocal counted
        counted += output.numel() * module.weight[0].numel()

    for module in network.modules():
        if isinstance(module, nn.Conv2d | DeformableConv2d):
            module.register_forward_hook(count)
    with torch.inference_mode():
        network(torch.zeros(1, 3, 12, 12), torch.zeros(1, references, 3, 48, 48))
    assert profile_network(network, 12, references).macs == counted


def test_the_network_is_left_alone() -> None:
    network = build_variant("lean", 4)
    before = list(network.named_modules())
    profile_network(network, 8)
    assert list(network.named_modules()) == before
    assert not any(module._forward_hooks for module in network.modules())


def test_errors() -> None:
    with pytest.raises(ValueError, match=r"got 0 and 3"):
        profile_network(build_variant("lean", 4), 0)


def test_report(capsys: pytest.CaptureFixture[str]) -> None:
    print_profile(report_profile("small", 8, 16, 3), as_json=True)
    report = json.loads(capsys.readouterr().out)
    assert report["parameters"] == 892827
    assert report["macs_by_part"]["flow"] == 0
    assert (report["paper_parameters_in_millions"], report["paper_gmacs"]) == (0.9, 0.49)
    assert report_profile("small", 8, 16, 1).paper_gmacs is None
    print_profile(report_profile("large", 4, 32, 3), as_json=False)
    table = capsys.readouterr().out
    for number in ("2.278", "9.23", "5.502", "6.06"):
        assert number in table
