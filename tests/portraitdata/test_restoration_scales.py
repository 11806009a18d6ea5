"""Batches whose items are reduced by different factors."""

import pytest
import torch

from portraitdata.images.resampling import bicubic, to_8_bit
from portraitdata.restoration.batches import collate, finish
from portraitdata.restoration.index.portrait_index import PortraitIndex
from portraitdata.restoration.index.synthetic_index import write_synthetic_portrait_index
from portraitdata.restoration.training_pairs import RestorationPairs

SIZE = 64


@pytest.fixture(scope="module")
def index(tmp_path_factory) -> PortraitIndex:
    return PortraitIndex.read(write_synthetic_portrait_index(tmp_path_factory.mktemp("drawn"), 4, 2, SIZE))


def items(index: PortraitIndex, scales, degrade_on="workers", preset="jpeg"):
    sets = [RestorationPairs(index, SIZE, scale, preset, references=False, degrade_on=degrade_on) for scale in scales]
    return [pairs[serial, serial] for serial, pairs in enumerate(sets)]


def test_lq_of_several_sizes_are_enlarged(index):
    drawn = items(index, (4, 2, 1))
    batch = finish(collate(drawn))
    for number, item in enumerate(drawn):
        wanted = to_8_bit(bicubic(item.lq.float() / 255, SIZE, SIZE))
        assert (batch.lq[number] - wanted).abs().max() <= 1.01 / 255
        assert (batch.lq[number] - wanted).abs().mean() < 1e-4
    assert batch.lq[2].mul(255).round().byte().equal(drawn[2].lq)


def test_lq_of_one_size_stay_as_they_are(index):
    drawn = items(index, (2, 2))
    assert collate(drawn).lq.equal(torch.stack([item.lq for item in drawn]))


def test_the_device_enlarges_too(index):
    here = finish(collate(items(index, (4, 1, 2, 4), preset="clean"))).lq
    there = finish(collate(items(index, (4, 1, 2, 4), "device", "clean"))).lq
    assert here.shape == there.shape == (4, 3, SIZE, SIZE)
    assert (here - there).abs().max() < 2.1 / 255
    assert finish(collate(items(index, (2, 2), "device", "clean"))).lq.shape == (2, 3, SIZE // 2, SIZE // 2)


@pytest.mark.parametrize("preset", ["mild", "realesrgan", "clean", "jpeg"])
def test_every_preset_reduces_by_one_two_and_four(index, preset):
    sizes = [tuple(item.lq.shape) for item in items(index, (1, 2, 4), preset=preset)]
    assert sizes == [(3, SIZE, SIZE), (3, SIZE // 2, SIZE // 2), (3, SIZE // 4, SIZE // 4)]
