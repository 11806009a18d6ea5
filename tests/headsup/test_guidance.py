"""The branch that guides the decoder."""

from dataclasses import replace

import pytest
import torch

from headsup.model.guidance import FACTOR, Branch, Finish, Join
from headsup.model.one_step import OneStepRestorer, Restoration
from headsup.model.reference_attention import References
from headsup.model.settings import RestorerSettings
from headsup.tiling.tiled_guidance import decode_guided
from headsup.weights.files import load_restorer, save_weights
from headsup.weights.merging import merge_adapters
from headsup.weights.model_card import ModelCard

ADDED = RestorerSettings("random:tiny", rank=2, guidance=8)
ALL = RestorerSettings("random:tiny", timestep=249, trained="all", guidance=8, output="residual")
LEAN = replace(ALL, guidance_blocks=1)


def disturbed(module: torch.nn.Module, size: float = 0.03):
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.add_(size * torch.randn(parameter.shape, generator=generator))
    return module


def restored(restorer: OneStepRestorer, picture: torch.Tensor) -> Restoration:
    prompt = torch.randn(1, 4, 64, generator=torch.Generator().manual_seed(0)).expand(len(picture), -1, -1)
    with torch.no_grad():
        result: Restoration = restorer(picture, prompt)
    return result


def test_a_guided_decoder_gives_at_first_what_it_gave_before():
    picture = torch.rand(2, 3, 32, 48, generator=torch.Generator().manual_seed(2))
    plain, guided = RestorerSettings("random:tiny", rank=2).build(), ADDED.build()
    before, after = restored(plain, picture), restored(guided, picture)
    torch.testing.assert_close(after.picture, before.picture, rtol=0, atol=1e-5)
    torch.testing.assert_close(after.faithful, picture, rtol=0, atol=1e-6)
    assert before.faithful is None


def test_a_residual_is_at_first_nothing():
    picture = torch.rand(1, 3, 32, 32, generator=torch.Generator().manual_seed(2))
    result = restored(ALL.build(), picture)
    torch.testing.assert_close(result.picture, picture, rtol=0, atol=1e-5)
    torch.testing.assert_close(result.faithful, picture, rtol=0, atol=1e-6)


def test_a_residual_needs_a_decoder_that_is_guided_and_trained():
    for settings in (
        RestorerSettings("random:tiny", guidance=8, output="residual"),
        RestorerSettings("random:tiny", trained="all", output="residual"),
    ):
        with pytest.raises(ValueError, match="guided and trained"):
            settings.build()


@pytest.mark.parametrize("blocks", [1, 2])
def test_the_branch_depends_on_nothing_beyond_its_reach(blocks):
    branch = disturbed(Branch(4, blocks), 0.2).double()
    side = 2 * branch.reach + 5 * FACTOR
    picture = torch.rand(1, 3, FACTOR, side, dtype=torch.float64, requires_grad=True)
    guide = branch(picture)
    middle = side // 2 // FACTOR
    columns = slice(middle * FACTOR, (middle + 1) * FACTOR)
    total = guide.features[0][..., middle].sum() + guide.features[1][..., 2 * middle : 2 * middle + 2].sum()
    total = total + guide.features[2][..., 4 * middle : 4 * middle + 4].sum() + guide.picture[..., columns].sum()
    (gradient,) = torch.autograd.grad(total, picture)
    seen = gradient.abs().sum(dim=(0, 1, 2)).nonzero().flatten()
    begin, end = columns.start - branch.reach, columns.stop + branch.reach
    assert begin <= int(seen.min())
    assert int(seen.max()) < end
    # and the reach is not far more than is needed
    assert int(seen.min()) - begin <= 2 * FACTOR


def test_gradients_of_joins_and_finish():
    torch.manual_seed(0)
    join, finish = disturbed(Join(2, 3)).double(), disturbed(Finish(2)).double()
    x, guide = torch.rand(1, 3, 3, 3, dtype=torch.float64), torch.rand(1, 2, 3, 3, dtype=torch.float64)
    assert torch.autograd.gradcheck(join, (x.requires_grad_(), guide.requires_grad_()))
    pictures = tuple(torch.rand(1, 3, 3, 3, dtype=torch.float64, requires_grad=True) for _ in range(3))
    # it adds in float32, which the check must allow for
    assert torch.autograd.gradcheck(finish, pictures, eps=1e-2, atol=1e-3)


@pytest.mark.parametrize("settings", [pytest.param(ADDED, marks=pytest.mark.slow), ALL, LEAN])
def test_tiles_give_what_one_piece_gives(settings):
    restorer = disturbed(settings.build())
    picture = torch.rand(2, 3, 416, 320, generator=torch.Generator().manual_seed(3))
    with torch.no_grad():
        z = restorer.encode(picture)
        assert restorer.guidance is not None
        whole = decode_guided(restorer.vae, restorer.guidance, z, picture)
        expected = restorer.decode_guided(restorer.guidance, z, picture)
        tiles = decode_guided(restorer.vae, restorer.guidance, z, picture, 190e6)
    torch.testing.assert_close(whole.restored, expected.restored, rtol=0, atol=1e-5)
    torch.testing.assert_close(whole.faithful, expected.faithful, rtol=0, atol=1e-5)
    torch.testing.assert_close(tiles.restored, whole.restored, rtol=0, atol=2e-5)
    torch.testing.assert_close(tiles.faithful, whole.faithful, rtol=0, atol=2e-5)


def test_too_little_memory_is_said_before_the_work():
    restorer = ALL.build()
    picture = torch.rand(1, 3, 64, 64)
    assert restorer.guidance is not None
    with pytest.raises(ValueError, match="beyond the weights"):
        decode_guided(restorer.vae, restorer.guidance, torch.zeros(1, 16, 8, 8), picture, 1e6)


def test_checkpointing_changes_no_gradient():
    picture = torch.rand(1, 3, 32, 32, generator=torch.Generator().manual_seed(2))
    prompt = torch.randn(1, 4, 64, generator=torch.Generator().manual_seed(0))
    gradients = []
    for checkpointed in (False, True):
        restorer = disturbed(ALL.build()).train()
        if checkpointed:
            restorer.checkpoint_activations()
        restorer(picture, prompt).picture.square().mean().backward()
        gradients.append({n: p.grad.clone() for n, p in restorer.named_parameters() if p.grad is not None})
    assert gradients[0].keys() == gradients[1].keys()
    for name, gradient in gradients[0].items():
        torch.testing.assert_close(gradients[1][name], gradient, rtol=1e-3, atol=1e-5, msg=name)


def test_everything_is_trained_but_the_first_convolution_of_the_base():
    restorer = ALL.build()
    restorer(torch.rand(1, 3, 32, 32), torch.randn(1, 4, 64)).picture.mean().backward()
    left = {name for name, parameter in restorer.named_parameters() if not parameter.requires_grad}
    assert left == {"unet.conv_in.base.weight", "unet.conv_in.base.bias"}
    assert not restorer.regularizer_parameters()


def test_a_base_in_bfloat16_of_which_all_is_trained_is_float32():
    restorer = ALL.build(bfloat16=True)
    restorer(torch.rand(1, 3, 32, 32), torch.randn(1, 4, 64)).picture.mean().backward()
    assert {parameter.dtype for parameter in restorer.parameters()} == {torch.float32}


def test_the_prior_stays_what_it_was_while_all_is_trained():
    restorer = ALL.build()
    restorer.keep_prior()
    restorer.keep_prior()
    z, t, prompt = torch.randn(1, 16, 4, 4), torch.tensor([300]), torch.randn(1, 4, 64)
    with torch.no_grad():
        teacher = restorer.predict_with(None, z, t, prompt)
        untrained = restorer.predict_with("regularizer", z, t, prompt)
        torch.testing.assert_close(untrained, teacher, rtol=0, atol=1e-4)
        for parameter in restorer.generator_parameters().values():
            parameter.add_(0.05)
        torch.testing.assert_close(restorer.predict_with(None, z, t, prompt), teacher, rtol=0, atol=1e-5)
        for parameter in restorer.regularizer_parameters().values():
            parameter.add_(0.05)
        assert (restorer.predict_with("regularizer", z, t, prompt) - teacher).abs().max() > 1e-3
    names = {name for name, p in restorer.named_parameters() if p.requires_grad and name.startswith("prior.")}
    assert names == restorer.regularizer_parameters().keys()


def test_merging_keeps_the_picture():
    picture = torch.rand(1, 3, 32, 32, generator=torch.Generator().manual_seed(2))
    for settings in (ADDED, ALL):
        restorer = disturbed(settings.build())
        before = restored(restorer, picture)
        merge_adapters(restorer)
        after = restored(restorer, picture)
        torch.testing.assert_close(after.picture, before.picture, rtol=0, atol=1e-4)


DETAILED = replace(LEAN, references="attention", reference_size=64, reference_details=True)


def seen(side: int = 64, count: int = 1) -> References:
    """References of a face as large as the picture, in the last of so many pictures."""
    faces = torch.rand(1, 3, side, side, generator=torch.Generator().manual_seed(4))
    matrix = torch.tensor([[[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]]])
    own = torch.zeros(1, dtype=torch.long)
    return References(faces, own, own + count - 1, matrix, torch.ones(1, 1, side // 8, side // 8))


def test_details_of_a_reference_change_nothing_at_first_and_only_what_they_cover_later():
    restorer, prompt = DETAILED.build(), torch.zeros(2, 4, 64)
    picture = torch.rand(2, 3, 64, 64, generator=torch.Generator().manual_seed(2))
    attended = replace(DETAILED, reference_details=False).build()
    with torch.no_grad():
        first, before = (model(picture, prompt, seen(count=2)).faithful for model in (restorer, attended))
        torch.testing.assert_close(first, before, rtol=0, atol=1e-6)
        disturbed(restorer.guidance)
        with_it, without = (restorer(picture, prompt, r).faithful for r in (seen(count=2), None))
    torch.testing.assert_close(with_it[0], without[0], rtol=0, atol=1e-6)
    assert (with_it[1] - without[1]).abs().mean() > 1e-4


def test_the_branch_sees_the_values_of_a_placed_face_from_minus_one_to_one():
    branch = Branch(1, 1, details=True)
    assert branch.reference_stem is not None
    noticed: list[torch.Tensor] = []
    branch.reference_stem.register_forward_pre_hook(lambda _, given: noticed.append(given[0]))
    face, cover = torch.rand(1, 3, 8, 8), torch.rand(1, 1, 8, 8)
    with torch.no_grad():
        branch(torch.rand(1, 3, 8, 8), torch.cat([face * cover, cover], dim=1))
    whole = torch.nn.functional.pixel_shuffle(noticed[0], 2)
    torch.testing.assert_close(whole[:, :3], (2 * face - 1) * cover)
    torch.testing.assert_close(whole[:, 3:], cover)


def test_tiles_give_what_one_piece_gives_with_references_on_it():
    restorer = disturbed(DETAILED.build())
    assert restorer.guidance is not None
    picture = torch.rand(1, 3, 416, 416, generator=torch.Generator().manual_seed(3))
    with torch.no_grad():
        z, placed = restorer.encode(picture), restorer.place(seen(416), (1, 416, 416))
        whole = decode_guided(restorer.vae, restorer.guidance, z, picture, placed=placed)
        tiles = decode_guided(restorer.vae, restorer.guidance, z, picture, 190e6, placed)
        plain = decode_guided(restorer.vae, restorer.guidance, z, picture)
    torch.testing.assert_close(tiles.restored, whole.restored, rtol=0, atol=2e-5)
    torch.testing.assert_close(tiles.faithful, whole.faithful, rtol=0, atol=2e-5)
    assert (whole.faithful - plain.faithful).abs().mean() > 1e-4


def test_details_need_the_branch():
    with pytest.raises(ValueError, match="through the guiding branch"):
        replace(DETAILED, guidance=0, output="decoded").build()


def test_weights_with_details_are_loaded_again(tmp_path):
    restorer = disturbed(DETAILED.build())
    tensors = {name: value.detach() for name, value in restorer.generator_parameters().items()}
    save_weights(tensors, DETAILED, tmp_path / "w.safetensors", ModelCard())
    again, settings = load_restorer(tmp_path / "w.safetensors")
    assert settings == DETAILED
    picture, prompt = torch.rand(1, 3, 64, 64), torch.zeros(1, 4, 64)
    with torch.no_grad():
        expected = restorer.eval()(picture, prompt, seen()).picture
        torch.testing.assert_close(again(picture, prompt, seen()).picture, expected, rtol=0, atol=1e-5)
