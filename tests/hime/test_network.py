"""The HIME network: shapes, equations, sets of any size."""

import numpy as np
import pytest
import torch
import torchvision
from hypothesis import given, settings
from hypothesis import strategies as st

from faceops.images.luma import BT601_LUMA
from hime.blocks.aggregation import Average, ContentConditioned, Maximum
from hime.blocks.alignment import DeformableAlignment, FlowGuidedAlignment
from hime.blocks.extraction import HighResolutionExtractor
from hime.blocks.reconstruction import Reconstructor
from hime.blocks.residual import ResidualBlock
from hime.blocks.sampling import sample, sample_by_gathering, warp
from hime.network import HIME
from portraitdata.images.resampling import bicubic


def small(scale: int = 4, **arguments) -> HIME:
    torch.manual_seed(0)
    network = HIME(scale, lr_blocks=1, hr_blocks=1, reconstruction_blocks=2, **arguments).eval()
    # A fresh network starts at bicubic with zero offsets; moved weights make every part matter.
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(0.03 * torch.randn_like(parameter))
    return network


def batch(scale: int = 4, sets: int = 2, references: int = 3, side: int = 8) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(1)
    lr = torch.rand(sets, 3, side, side, generator=generator)
    return lr, torch.rand(sets, references, 3, side * scale, side * scale, generator=generator)


@pytest.mark.parametrize(
    ("scale", "alignment", "aggregation"),
    [
        (2, "dcn", "cofa"),
        (4, "flow_dcn", "cofa"),
        (8, "dcn", "average"),
        (8, "flow_dcn", "max"),
        (8, "conv", "cofa"),
        (4, "conv", "max"),
    ],
)
def test_every_variant_has_the_right_shape_and_gradients(scale, alignment, aggregation) -> None:
    network = small(scale, alignment=alignment, aggregation=aggregation)
    lr, references = batch(scale, side=6)
    image = network(lr, references)
    assert image.shape == (2, 3, 6 * scale, 6 * scale)
    image.square().mean().backward()
    without = [name for name, p in network.named_parameters() if p.grad is None]
    assert not without


def test_fresh_network_is_bicubic_but_for_a_small_residual() -> None:
    torch.manual_seed(0)
    lr, references = batch(8)
    residual = HIME(8)(lr, references) - bicubic(lr, 64, 64)
    assert residual.abs().max() < 0.25


@settings(max_examples=5, deadline=None, derandomize=True)
@given(order=st.permutations(range(4)))
def test_order_of_the_references_does_not_matter(order) -> None:
    network = small()
    lr, references = batch(references=4)
    torch.testing.assert_close(network(lr, references[:, list(order)]), network(lr, references), rtol=0, atol=1e-5)


@pytest.mark.parametrize("aggregation", ["average", "max", "cofa"])
@pytest.mark.parametrize("there", [0, 1, 2])
def test_padding_of_a_set_changes_nothing(aggregation, there) -> None:
    network = small(aggregation=aggregation)
    lr, references = batch()
    present = torch.arange(3).expand(2, 3) < there
    expected = network(lr, references[:, :there])
    torch.testing.assert_close(network(lr, references, present), expected, rtol=0, atol=1e-5)


def test_sets_of_different_sizes_share_a_batch() -> None:
    network = small()
    lr, references = batch(sets=4)
    sizes = [0, 1, 2, 3]
    present = torch.arange(3)[None] < torch.tensor(sizes)[:, None]
    together = network(lr, references, present)
    for index, size in enumerate(sizes):
        alone = network(lr[index : index + 1], references[index : index + 1, :size])
        torch.testing.assert_close(together[index : index + 1], alone, rtol=0, atol=1e-5)


def test_a_set_without_references_has_finite_gradients() -> None:
    network = small()
    lr, references = batch()
    network(lr, references, torch.zeros(2, 3, dtype=torch.bool)).sum().backward()
    assert all(p.grad is None or p.grad.isfinite().all() for p in network.parameters())


def test_seven_references_in_a_network_that_never_saw_as_many() -> None:
    lr, references = batch(references=7)
    result = small().explain(lr, references)
    assert result.similarity.shape == result.weight.shape == (2, 7, 8, 8)
    torch.testing.assert_close(result.weight.sum(dim=1), torch.ones(2, 8, 8))


def test_the_non_reference_baseline_has_no_reference_branch() -> None:
    baseline = HIME(8, alignment="none")
    assert not [name for name, _ in baseline.named_parameters() if name.startswith(("hr_", "align", "aggr"))]
    lr, references = batch(8)
    torch.testing.assert_close(baseline(lr, references), baseline(lr))


def test_references_of_the_wrong_size_are_refused() -> None:
    lr, references = batch()
    with pytest.raises(ValueError, match=r"must be \(2, n, 3, 32, 32\), got \(2, 3, 3, 31, 32\)"):
        small()(lr, references[..., 1:, :])
    with pytest.raises(ValueError, match="whether it is there"):
        small()(lr, references, torch.ones(2, 2, dtype=torch.bool))
    with pytest.raises(ValueError, match="whole number of at least 2, got 1"):
        HIME(1)
    with pytest.raises(ValueError, match="32 channels cannot be split into 5"):
        HIME(4, offset_groups=5)


def test_bfloat16_autocast_and_channels_last_run() -> None:
    network = small().to(memory_format=torch.channels_last)
    lr, references = batch()
    exact = network(lr, references)
    with torch.autocast("cpu", torch.bfloat16):
        rough = network(lr.to(memory_format=torch.channels_last), references)
        rough.float().mean().backward()
    torch.testing.assert_close(rough.float(), exact, rtol=0, atol=0.1)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::UserWarning")
def test_torch_compile_gives_the_same() -> None:
    network = small()
    lr, references = batch()
    torch.testing.assert_close(torch.compile(network)(lr, references), network(lr, references), rtol=0, atol=1e-5)


@pytest.mark.gpu
@pytest.mark.parametrize("alignment", ["dcn", "flow_dcn"])
def test_cuda_gives_the_same(alignment) -> None:
    network = small(alignment=alignment)
    lr, references = batch()
    expected = network(lr, references)
    network.cuda()
    torch.testing.assert_close(network(lr.cuda(), references.cuda()).cpu(), expected, rtol=0, atol=1e-4)
    with torch.autocast("cuda", torch.bfloat16):
        network(lr.cuda(), references.cuda()).float().mean().backward()


def test_cofa_is_equation_5_and_7() -> None:
    torch.manual_seed(0)
    cofa = ContentConditioned(4)
    aligned, lr_features = torch.randn(1, 2, 4, 3, 3), torch.randn(1, 4, 3, 3)
    result = cofa(aligned, lr_features, torch.ones(1, 2, dtype=torch.bool))
    g1 = [cofa.g1(aligned[:, i]).detach().numpy()[0] for i in range(2)]
    g2 = cofa.g2(lr_features).detach().numpy()[0]
    mu = [1 / (1 + np.exp(-(g * g2).sum(0))) for g in g1]
    expected = sum(m * aligned[0, i].numpy() for i, m in enumerate(mu)) / sum(mu)
    np.testing.assert_allclose(result.features[0].detach().numpy(), expected, atol=1e-5)
    np.testing.assert_allclose(result.similarity[0].detach().numpy(), np.stack(mu), atol=1e-6)


def test_cofa_where_every_sigmoid_underflows() -> None:
    cofa = ContentConditioned(4)
    with torch.no_grad():
        for conv, sign in ((cofa.g1, 1), (cofa.g2, -1)):
            conv.weight.zero_()
            conv.bias.fill_(sign * 10.0)
    aligned = torch.randn(1, 2, 4, 3, 3)
    result = cofa(aligned, torch.zeros(1, 4, 3, 3), torch.ones(1, 2, dtype=torch.bool))
    torch.testing.assert_close(result.features, aligned.mean(dim=1))


def test_average_and_maximum() -> None:
    aligned = torch.tensor([1.0, 5.0, 3.0]).reshape(1, 3, 1, 1, 1)
    present = torch.tensor([[True, False, True]])
    assert Average()(aligned, aligned[:, 0], present).features.item() == 2
    assert Maximum()(aligned, aligned[:, 0], present).features.item() == 3
    assert Maximum()(aligned, aligned[:, 0], present).weight.flatten().tolist() == [0, 0, 1]


@pytest.mark.parametrize("edge", [False, True])
def test_gathering_equals_grid_sample(edge) -> None:
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(2, 3, 5, 7, dtype=torch.float64, generator=generator, requires_grad=True)
    right = (torch.rand(2, 4, 6, dtype=torch.float64, generator=generator) * 11 - 2).requires_grad_()
    down = (torch.rand(2, 4, 6, dtype=torch.float64, generator=generator) * 9 - 2).requires_grad_()
    torch.testing.assert_close(sample_by_gathering(x, right, down, edge), sample(x, right, down, edge))
    ours, theirs = (
        torch.autograd.grad(function(x, right, down, edge).square().sum(), (x, right, down))
        for function in (sample_by_gathering, sample)
    )
    torch.testing.assert_close(ours, theirs)
    assert torch.autograd.gradcheck(lambda *inputs: sample_by_gathering(*inputs, edge), (x, right, down))


def test_convention_flow_is_right_then_down() -> None:
    image = torch.arange(20.0).reshape(1, 1, 4, 5)
    flow = torch.zeros(1, 2, 4, 5)
    flow[:, 0], flow[:, 1] = 1, 2
    # Pixel (row 0, column 0) comes from row 2, column 1; with the order swapped it would be row 1, column 2: 7.
    torch.testing.assert_close(warp(image, flow)[0, 0, 0, 0], torch.tensor(11.0))


def test_convention_flow_guides_every_tap() -> None:
    """With a kernel that only looks at its centre, flow-guided sampling is the backward warp (Eq. 2 and 4)."""
    alignment = FlowGuidedAlignment(8)
    with torch.no_grad():
        alignment.conv.weight.zero_()
        alignment.conv.weight[:, :, 1, 1] = 2 * torch.eye(8)  # a fresh mask is one half
    flow = torch.zeros(1, 2, 6, 7)
    flow[:, 0], flow[:, 1] = 1.5, -0.5
    alignment.estimate_flow = lambda references, lr: flow
    features = torch.randn(1, 8, 6, 7)
    aligned = alignment(features, torch.zeros(1, 8, 6, 7), torch.rand(1, 3, 24, 28), torch.rand(1, 3, 6, 7))
    torch.testing.assert_close(aligned.features, warp(features, flow), rtol=0, atol=1e-5)


def test_alignment_is_equations_2_to_4() -> None:
    """Flow-guided alignment beside the same equations with torchvision's operator; unguided is their case o = 0."""
    torch.manual_seed(0)
    guided, direct = FlowGuidedAlignment(8), DeformableAlignment(8)
    torch.nn.init.normal_(guided.estimator.head.weight, std=0.05)
    direct.estimator, direct.conv = guided.estimator, guided.conv
    reference, lr = torch.randn(2, 2, 8, 6, 7)
    images = torch.rand(2, 3, 24, 28), torch.rand(2, 3, 6, 7)
    for alignment, flow in ((guided, torch.randn(2, 2, 6, 7)), (direct, torch.zeros(2, 2, 6, 7))):
        guided.estimate_flow = lambda references, lr, flow=flow: flow
        place = torch.stack(torch.meshgrid(torch.arange(6.0), torch.arange(7.0), indexing="ij")) + flow.flip(1)
        grid = torch.stack(((2 * place[:, 1] + 1) / 7 - 1, (2 * place[:, 0] + 1) / 6 - 1), dim=-1)
        warped = torch.nn.functional.grid_sample(reference, grid, align_corners=False)  # Eq. 2
        g = guided.estimator
        estimate = g.head(g.hidden(torch.cat((warped, lr), dim=1)))  # Eq. 3
        phi, mask = estimate[:, :144].clone(), estimate[:, 144:].sigmoid()
        phi[:, 0::2] += flow[:, 1:]
        phi[:, 1::2] += flow[:, :1]
        kernel = guided.conv.weight, guided.conv.bias
        wanted = torchvision.ops.deform_conv2d(reference, phi, *kernel, padding=1, mask=mask)  # Eq. 4
        aligned = alignment(reference, lr, *images)
        torch.testing.assert_close(aligned.offset, phi, rtol=0, atol=1e-5)
        torch.testing.assert_close(aligned.features, wanted, rtol=0, atol=1e-4)


def test_image_is_bicubic_and_what_is_made_of_the_sum_of_the_features() -> None:
    """Section 3.4: I^SR is the bicubic input and R(F_a + F^L), with the F_a of Eq. 5 from each reference alone."""
    network = small()
    lr, references = batch(sets=1)
    features = network.lr_extractor(lr)
    aligned = [
        network.alignment(network.hr_extractor(references[:, i]), features, references[:, i], lr).features
        for i in range(3)
    ]
    g2 = network.aggregation.g2(features)
    mu = [(network.aggregation.g1(each) * g2).sum(dim=1, keepdim=True).sigmoid() for each in aligned]
    fused = sum(m * each for m, each in zip(mu, aligned, strict=True)) / sum(mu) + features
    torch.testing.assert_close(
        network(lr, references), bicubic(lr, 32, 32) + network.reconstructor(fused), rtol=0, atol=1e-5
    )


def test_fresh_large_model_has_no_flow() -> None:
    flow = FlowGuidedAlignment(8).estimate_flow(torch.rand(2, 3, 128, 128), torch.rand(2, 3, 16, 16))
    assert flow.shape == (2, 2, 16, 16)
    assert not flow.any()


def test_a_flow_of_odd_sides_is_in_low_resolution_pixels(monkeypatch) -> None:
    """The flow is estimated at half of the references, here 7 pixels; one of that width is as wide as the input."""
    alignment = FlowGuidedAlignment(8)
    monkeypatch.setattr(alignment.flow, "forward", lambda first, second: torch.full_like(first[:, :2], first.shape[3]))
    flow = alignment.estimate_flow(torch.rand(1, 3, 15, 15), torch.rand(1, 3, 5, 5))
    torch.testing.assert_close(flow, torch.full((1, 2, 5, 5), 5.0))


def test_a_graph_of_the_maximum_takes_any_number_of_references() -> None:
    given = torch.rand(2, 3, 4, 5, 5), torch.rand(2, 4, 5, 5), torch.ones(2, 3, dtype=torch.bool)
    count = torch.export.Dim("references", min=1)
    graph = torch.export.export(Maximum().eval(), given, dynamic_shapes=({1: count}, {}, {1: count})).module()
    for references in (1, 5):
        given = torch.rand(2, references, 4, 5, 5), given[1], torch.ones(2, references, dtype=torch.bool)
        torch.testing.assert_close(graph(*given).weight, Maximum()(*given).weight)


def test_fresh_offsets_are_zero() -> None:
    aligned = DeformableAlignment(8)(*torch.randn(2, 1, 8, 5, 5), torch.rand(1, 3, 20, 20), torch.rand(1, 3, 5, 5))
    assert not aligned.offset.any()


def test_icnr_starts_without_a_checkerboard() -> None:
    reconstructor = Reconstructor(8, 1, scale=4)
    image = reconstructor(torch.randn(1, 8, 5, 5))
    cells = image.unfold(2, 4, 4).unfold(3, 4, 4)
    torch.testing.assert_close(cells, cells[..., :1, :1].expand_as(cells))


def test_extractor_starts_as_luma_and_loses_no_pixel() -> None:
    extractor = HighResolutionExtractor(8, 1, scale=2)
    red = torch.zeros(1, 3, 2, 2)
    red[:, 0] = torch.tensor([[1.0, 2.0], [3.0, 4.0]])
    unshuffled = extractor.space_to_depth(extractor.mono(red))
    torch.testing.assert_close(unshuffled.flatten(), BT601_LUMA[0] * torch.tensor([1.0, 2.0, 3.0, 4.0]))


def test_residual_block_by_hand() -> None:
    block = ResidualBlock(1)
    with torch.no_grad():
        for conv, value in ((block.conv1, 2.0), (block.conv2, -1.0)):
            conv.weight.zero_()
            conv.weight[0, 0, 1, 1] = value
    x = torch.tensor([-1.0, 3.0]).reshape(1, 1, 1, 2)
    assert block(x).flatten().tolist() == [-1.0, -3.0]  # x + (-1) relu(2 x)
