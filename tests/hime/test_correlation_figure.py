import pytest
import torch
import torch.nn.functional as F

from faceops.images.files import load_picture
from hime.command_options import CorrelationMapOptions
from hime.evaluation.correlation_figure import correlation_figure, draw_correlation_map, smoothness_map
from portraitdata.images.resampling import bicubic


def stripes(period):
    """Four quarters: dark, bright and middle grey smooth ones, and vertical stripes."""
    image = torch.full((3, 32, 32), 0.5)
    image[:, :16, :16], image[:, :16, 16:] = 0.0, 1.0
    image[:, 16:, 16:] = ((torch.arange(16) // period) % 2).float()
    return image


def test_is_the_mean_cosine_of_the_neighbours_inside():
    image = torch.rand(3, 4, 5, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    centred = image - image.mean(dim=(1, 2), keepdim=True)
    colours = torch.cat((centred, torch.full((1, 4, 5), 4 / 255, dtype=torch.float64)))
    result = smoothness_map(image, 3, dilation=2)
    for y in range(4):
        for x in range(5):
            near = [(y + i, x + j) for i in (-2, 0, 2) for j in (-2, 0, 2) if 0 <= y + i < 4 and 0 <= x + j < 5]
            cosines = [F.cosine_similarity(colours[:, y, x], colours[:, v, u], dim=0) for v, u in near]
            torch.testing.assert_close(result[y, x], torch.stack(cosines).mean())


def test_smooth_regions_are_one_whatever_their_colour_and_texture_is_less():
    result = smoothness_map(stripes(period=1), 3)
    for quarter in (result[1:15, 1:15], result[1:15, 17:31], result[17:31, 1:15]):
        torch.testing.assert_close(quarter, torch.ones_like(quarter))
    assert result[17:31, 17:31].max() < 0


def test_larger_windows_are_coarser():
    # pixels with an edge inside the window
    textured = [(smoothness_map(stripes(period=16), window) < 0.99).sum() for window in (3, 5, 7)]
    assert textured == sorted(textured)
    assert textured[0] < textured[1] < textured[2]


def test_figure_has_the_image_a_panel_for_every_window_and_its_colour_bar():
    figure = correlation_figure(stripes(2), [3, 5, 7], dilation=2)
    assert [axes.get_title() for axes in figure.axes[:4]] == [
        "32 x 32 pixels",
        "k = 3, d = 2",
        "k = 5, d = 2",
        "k = 7, d = 2",
    ]
    assert len(figure.axes) == 7
    drawn = figure.axes[1].images[0]
    smooth, rough = drawn.to_rgba(0.0), drawn.to_rgba(90.0)
    assert smooth[0] > smooth[2]  # red
    assert rough[2] > rough[0]  # blue


def test_says_what_does_not_fit(tmp_path):
    with pytest.raises(ValueError, match="at least one window, got none"):
        correlation_figure(stripes(2), [])
    with pytest.raises(ValueError, match="odd number of samples on a side, got 4"):
        correlation_figure(stripes(2), [4])
    with pytest.raises(ValueError, match=r"no file .*missing\.png"):
        draw_correlation_map(CorrelationMapOptions(tmp_path / "missing.png", output=tmp_path / "figure.png"))
    with pytest.raises(ValueError, match="is the image itself and would be replaced"):
        draw_correlation_map(CorrelationMapOptions(tmp_path / "a.png", output=tmp_path / "a.png", overwrite=True))


@pytest.mark.assets
def test_draws_a_portrait(assets, tmp_path):
    portrait = assets / "images/portraits/lisa_cc0/lisa1.jpg"
    draw_correlation_map(CorrelationMapOptions(portrait, output=tmp_path / "figure.png", window=[3, 7]))
    assert [file.name for file in tmp_path.iterdir()] == ["figure.png"]
    pixels = load_picture(tmp_path / "figure.png").pixels
    assert pixels.shape[-1] > 2 * pixels.shape[-2]
    # the outline of the hair on the bright wall is texture, the wall above it is smooth
    image = bicubic(load_picture(portrait).pixels, 256, 192).clamp(0, 1)
    smooth = smoothness_map(image, 5)
    assert smooth[20:60, 5:30].mean() > 0.99
    assert smooth[60:70].min() < 0.2
