"""The two backbones of RetinaFace: each gives feature maps of strides 8, 16 and 32."""

import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn


def conv_unit(
    inputs: int, outputs: int, window: int, *, stride: int = 1, groups: int = 1, slope: float | None
) -> nn.Sequential:
    """Convolution, batch normalisation and, unless `slope` is None, a leaky ReLU; the size is kept at stride one."""
    layers: list[nn.Module] = [
        nn.Conv2d(inputs, outputs, window, stride, window // 2, groups=groups, bias=False),
        nn.BatchNorm2d(outputs),
    ]
    return nn.Sequential(*layers, *([] if slope is None else [nn.LeakyReLU(slope)]))


def separable_unit(inputs: int, outputs: int, stride: int, slope: float) -> nn.Sequential:
    """Depthwise convolution of 3 pixels, then one of 1 pixel across the channels."""
    depthwise = conv_unit(inputs, inputs, 3, stride=stride, groups=inputs, slope=slope)
    return nn.Sequential(*depthwise, *conv_unit(inputs, outputs, 1, slope=slope))


class MobileNetQuarter(nn.Module):
    """MobileNet v1 (Howard et al., 2017) of a quarter of the channels, without its classifier."""

    widths = (64, 128, 256)
    """Channels of the feature maps."""

    def __init__(self) -> None:
        super().__init__()
        slope = 0.1
        first = [
            conv_unit(3, 8, 3, stride=2, slope=slope),
            separable_unit(8, 16, 1, slope),
            separable_unit(16, 32, 2, slope),
            separable_unit(32, 32, 1, slope),
            separable_unit(32, 64, 2, slope),
            separable_unit(64, 64, 1, slope),
        ]
        second = [separable_unit(64, 128, 2, slope), *(separable_unit(128, 128, 1, slope) for _ in range(5))]
        third = [separable_unit(128, 256, 2, slope), separable_unit(256, 256, 1, slope)]
        self.stages = nn.ModuleList(nn.Sequential(*units) for units in (first, second, third))

    def forward(self, x: Float[Tensor, "b 3 h w"]) -> list[Tensor]:
        """Feature maps, fine to coarse."""
        maps = []
        for stage in self.stages:
            x = stage(x)
            maps.append(x)
        return maps


class Bottleneck(nn.Module):
    """Residual block of three convolutions (He et al., CVPR 2016), the stride in the middle one.

    Args:
        inputs: Channels in.
        width: Channels in the middle; four times as many go out.
    """

    def __init__(self, inputs: int, width: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, width, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, stride, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.conv3 = nn.Conv2d(width, 4 * width, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(4 * width)
        changes = stride > 1 or inputs != 4 * width
        self.downsample = conv_unit(inputs, 4 * width, 1, stride=stride, slope=None) if changes else nn.Identity()

    def forward(self, x: Float[Tensor, "b c h w"]) -> Float[Tensor, "b d k m"]:
        """Map of the block's stride."""
        out = F.relu(self.bn1(self.conv1(x)))
        out = F.relu(self.bn2(self.conv2(out)))
        return F.relu(self.bn3(self.conv3(out)) + self.downsample(x))


class ResNet50Stages(nn.Module):
    """ResNet-50 without its classifier; the parts have the names that torchvision gives them."""

    widths = (512, 1024, 2048)
    """Channels of the feature maps."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 64, 7, 2, 3, bias=False)
        self.bn1 = nn.BatchNorm2d(64)
        self.layer1 = residual_stage(64, 64, 3, stride=1)
        self.layer2 = residual_stage(256, 128, 4, stride=2)
        self.layer3 = residual_stage(512, 256, 6, stride=2)
        self.layer4 = residual_stage(1024, 512, 3, stride=2)

    def forward(self, x: Float[Tensor, "b 3 h w"]) -> list[Tensor]:
        """Feature maps, fine to coarse."""
        x = F.max_pool2d(F.relu(self.bn1(self.conv1(x))), 3, 2, 1)
        fine = self.layer2(self.layer1(x))
        middle = self.layer3(fine)
        return [fine, middle, self.layer4(middle)]


def residual_stage(inputs: int, width: int, blocks: int, stride: int) -> nn.Sequential:
    """Blocks after another, the first of which changes size and channels."""
    rest = [Bottleneck(4 * width, width, 1) for _ in range(blocks - 1)]
    return nn.Sequential(Bottleneck(inputs, width, stride), *rest)
