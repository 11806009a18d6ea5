"""Images that no degradation can be computed of."""

import numpy as np
import pytest
import torch

from portraitdata.commands.degradation_jobs import plan_degradation
from portraitdata.commands.degrade import run_degrade
from portraitdata.commands.scoring_options import DegradeOptions
from portraitdata.degradation.batched.executor import degrade_batch
from portraitdata.degradation.cpu_executor import degrade
from portraitdata.degradation.drawing import draw_record
from portraitdata.degradation.presets import preset_of


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_an_image_with_a_value_that_is_not_finite_is_refused(value) -> None:
    record = draw_record(preset_of("realesrgan"), 64, 48, 4, (0, 0, 1))
    image = np.full((64, 48, 3), 0.5, np.float32)
    image[20, 30, 1] = value
    with pytest.raises(ValueError, match=r"The image has values that are not finite \(1 of 9,216\)"):
        degrade(image, record)
    with pytest.raises(ValueError, match=r"The batch has values that are not finite \(1 of 9,216\)"):
        degrade_batch(torch.from_numpy(image).permute(2, 0, 1)[None].contiguous(), [record])


@pytest.mark.parametrize(("broken", "status"), [(["a", "b"], 2), (["a"], 1), ([], 0)])
def test_the_exit_status_is_that_of_the_other_commands(tmp_path, broken, status) -> None:
    folder = tmp_path / "album"
    folder.mkdir()
    for name in ("a", "b"):
        pixels = np.full((64, 48, 3), 99, np.uint8)
        picture = folder / f"{name}.ppm"
        picture.write_bytes(b"P6 48 64 255\n" + pixels.tobytes()[: 10 if name in broken else None])
    options = DegradeOptions([folder], output=tmp_path / "lq")
    assert run_degrade(plan_degradation([folder], tmp_path / "lq"), options) == status
