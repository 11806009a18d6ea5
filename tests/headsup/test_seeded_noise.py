"""Random numbers of samples hang on their place in the run alone."""

import torch

from headsup.model.seeded_noise import draw_noise, draw_shares, draw_timesteps, generators


def test_a_sample_draws_the_same_wherever_it_is():
    z = torch.zeros(4, 2, 3, 3)
    whole = generators(7, 1, range(4), "cpu")
    times, noise = draw_timesteps(whole, 20, 980), draw_noise(whole, z)
    for rank in (0, 1):  # two processes, as SeededSequence deals samples out
        own = generators(7, 1, range(rank, 4, 2), "cpu")
        assert draw_timesteps(own, 20, 980).equal(times[rank::2])
        assert draw_noise(own, z[rank::2]).equal(noise[rank::2])


def test_samples_epochs_and_seeds_differ():
    z = torch.zeros(3, 1, 4, 4)
    drawn = [draw_noise(generators(*key, range(3), "cpu"), z) for key in ((0, 0), (0, 1), (1, 0))]
    flat = torch.cat(drawn).flatten(1)
    assert len({tuple(row) for row in flat.tolist()}) == 9


def test_a_source_goes_on_and_leaves_the_random_state_alone():
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    sources = generators(0, 0, range(2), "cpu")
    z = torch.zeros(2, 1, 4, 4)
    assert not draw_noise(sources, z).equal(draw_noise(sources, z))
    assert torch.rand(3).equal(expected)


def test_distributions():
    sources = generators(0, 0, range(4000), "cpu")
    times, shares = draw_timesteps(sources, 20, 23), draw_shares(sources)
    counts = times.bincount()
    assert counts[:20].sum() == 0
    assert len(counts) == 23
    assert (counts[20:] - 4000 / 3).abs().max() < 150  # five deviations
    assert 0 <= shares.min() < 0.01
    assert 0.99 < shares.max() < 1
    noise = draw_noise(sources, torch.zeros(4000, 1, 2, 2, dtype=torch.float64))
    assert noise.dtype == torch.float64
    assert abs(noise.mean()) < 0.04
    assert abs(noise.std() - 1) < 0.03
