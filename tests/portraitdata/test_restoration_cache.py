import pickle

import numpy as np
import pytest
import torch

from portraitdata.exemplars import photograph_crops
from portraitdata.restoration.index.portrait_index import PortraitIndex
from portraitdata.restoration.index.synthetic_index import write_synthetic_portrait_index
from portraitdata.restoration.pixel_cache import PixelCache
from portraitdata.restoration.training_pairs import RestorationPairs


@pytest.fixture(scope="module")
def index(tmp_path_factory) -> PortraitIndex:
    return PortraitIndex.read(write_synthetic_portrait_index(tmp_path_factory.mktemp("drawn"), 4, 2, 64))


def some(count: int) -> np.ndarray:
    return np.zeros(count, np.uint8)


def test_the_least_recently_used_goes_first():
    cache = PixelCache(10e-9)
    for key, count in (("a", 4), ("b", 4), ("a", 4), ("c", 4), ("whole", 11)):
        cache.get(key, lambda count=count: some(count))
    assert cache.keys == ("a", "c")
    cache.get("d", lambda: some(9))
    assert cache.keys == ("d",)
    assert pickle.loads(pickle.dumps(cache)).keys == ()
    with pytest.raises(ValueError, match=r"0 gigabytes or more, got -1\.0"):
        PixelCache(-1.0)


def test_what_is_kept_is_not_made_again():
    cache = PixelCache(1e-6)
    first = cache.get("a", lambda: some(3))
    assert cache.get("a", lambda: some(4)) is first
    assert PixelCache(0.0).get("a", lambda: some(4)).size == 4


@pytest.mark.parametrize("gigabytes", [1.0, 1e-4])
def test_items_are_the_same_with_a_cache(index, gigabytes):
    """With one that holds everything, and with one of two photographs."""
    options = {"size": 48, "drop": 0.0, "stranger": 0.3, "hide_parts": 0.3, "grey": 0.2, "reference_size": 128}
    plain, cached = RestorationPairs(index, **options), RestorationPairs(index, **options, cache=PixelCache(gigabytes))
    for serial in range(12):
        a, b = plain[serial, serial], cached[serial, serial]
        for x, y in zip(a._replace(faces=None), b._replace(faces=None), strict=True):
            assert x.equal(y) if isinstance(x, torch.Tensor) else x == y


def test_photographs_are_decoded_once_for_all_sets(index, monkeypatch):
    decoded = []
    decode = photograph_crops.decode_raster

    def counting(data, name):
        decoded.append(name)
        return decode(data, name)

    monkeypatch.setattr(photograph_crops, "decode_raster", counting)
    cache = PixelCache(1.0)
    for preset in ("clean", "mild"):
        pairs = RestorationPairs(index, size=48, preset=preset, drop=0.0, cache=cache)
        for serial in range(12):
            pairs[serial, serial]
    assert len(decoded) == len(set(decoded)) == 6


def test_writing_to_an_item_leaves_the_cache_alone(index):
    pairs = RestorationPairs(index, size=48, drop=0.0, cache=PixelCache(1.0))
    first = pairs[0, 0]
    kept = first.hq.clone(), first.reference.clone()
    first.hq.zero_()
    first.reference.zero_()
    again = pairs[0, 0]
    assert again.hq.equal(kept[0])
    assert again.reference.equal(kept[1])
