"""What a run may begin with."""

import pytest
import torch

from hime.network import HIME
from hime.training.super_resolver import begin_as
from hime.weights.files import load_network


def test_a_network_with_flow_begins_as_the_one_without() -> None:
    generator = torch.Generator().manual_seed(0)
    lr, references = torch.rand(1, 3, 16, 16, generator=generator), torch.rand(1, 2, 3, 128, 128, generator=generator)
    small, large = load_network("small-x8"), HIME(8, alignment="flow_dcn").eval()
    flow = large.get_parameter("alignment.flow.levels.0.0.weight").clone()
    begin_as(large, "small-x8")
    torch.testing.assert_close(large.get_parameter("alignment.flow.levels.0.0.weight"), flow, rtol=0, atol=0)
    with torch.inference_mode():
        torch.testing.assert_close(large(lr, references), small(lr, references), rtol=0, atol=1e-5)


def test_the_same_kind_is_taken_over_whole() -> None:
    network = HIME(4)
    begin_as(network, "small-x4")
    trained = load_network("small-x4").state_dict()
    assert all(torch.equal(value, trained[name]) for name, value in network.state_dict().items())


@pytest.mark.parametrize(("network", "weights"), [(HIME(4), "small-x8"), (HIME(8), "large-x8")], ids=["scale", "flow"])
def test_another_kind_is_refused(network: HIME, weights: str) -> None:
    with pytest.raises(ValueError, match=f"The weights {weights} are of .* make them equal"):
        begin_as(network, weights)
