"""Light, colour, blur, noise and compression of scenes; things in front of faces."""

import cv2
import numpy as np
from jaxtyping import UInt8

Image = UInt8[np.ndarray, "h w 3"]


def lit(image: Image, rng: np.random.Generator) -> Image:
    """Picture in other light: gamma, contrast and a cast for each channel; sometimes grey or inverted saturation."""
    gamma, contrast = np.exp(rng.normal(0, 0.35)), np.exp(rng.normal(0, 0.25))
    levels = (np.arange(256) / 255.0) ** gamma
    casts = np.exp(rng.normal(0, 0.1, 3))
    shift = rng.normal(0, 0.08)
    tables = np.stack([((levels - 0.5) * contrast + 0.5 + shift) * cast for cast in casts], axis=-1)
    table = (tables.clip(0, 1) * 255).round().astype(np.uint8).reshape(1, 256, 3)
    image = cv2.LUT(image, table)
    if rng.random() < 0.2:
        grey = cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)[:, :, None].repeat(3, axis=2)
        image = cv2.addWeighted(grey, share := rng.uniform(0.5, 1.0), image, 1 - share, 0)
    return image


def shaded(image: Image, rng: np.random.Generator) -> Image:
    """Picture lit from one side."""
    height, width = image.shape[:2]
    angle, depth = rng.uniform(0, 2 * np.pi), rng.uniform(0.3, 0.9)
    y, x = np.mgrid[0:height, 0:width]
    ramp = (x / width - 0.5) * np.cos(angle) + (y / height - 0.5) * np.sin(angle)
    return (image * (1 - depth * (ramp + 0.5).clip(0, 1))[:, :, None]).astype(np.uint8)


def damaged(image: Image, rng: np.random.Generator) -> Image:
    """Picture with blur, fewer pixels, noise and JPEG, each now and then."""
    height, width = image.shape[:2]
    if rng.random() < 0.25:
        image = cv2.GaussianBlur(image, (0, 0), rng.uniform(0.4, 2.0))
    if rng.random() < 0.2:
        scale = rng.uniform(0.4, 0.9)
        small = cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        image = cv2.resize(small, (width, height), interpolation=cv2.INTER_LINEAR)
    if rng.random() < 0.25:
        noise = rng.standard_normal((height, width, 3), np.float32) * rng.uniform(2, 20)
        image = cv2.add(image, noise, dtype=cv2.CV_8U)
    if rng.random() < 0.5:
        _, code = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(15, 96))])
        image = np.asarray(cv2.imdecode(code, cv2.IMREAD_COLOR), np.uint8)
    return image


def any_colour(rng: np.random.Generator) -> tuple[int, int, int]:
    """A colour; one in two is grey."""
    if rng.random() < 0.5:
        return (int(rng.integers(0, 256)),) * 3
    blue, green, red = (int(value) for value in rng.integers(0, 256, 3))
    return blue, green, red


def cover(image: Image, box: np.ndarray, rng: np.random.Generator) -> None:
    """Draw something over a part of a face, in place: an ellipse, a bar or a piece of the picture itself.

    Args:
        box: Of the face; the part is at most about a third of it.
    """
    sides = box[2:] - box[:2]
    middle = box[:2] + sides * rng.uniform(0.1, 0.9, 2)
    half = np.maximum(1, sides * rng.uniform(0.08, 0.28, 2))
    centre, axes = tuple(int(v) for v in middle), tuple(int(v) for v in np.ceil(half))
    kind = rng.integers(0, 3)
    if kind == 0:
        cv2.ellipse(image, centre, axes, float(rng.uniform(0, 180)), 0, 360, any_colour(rng), -1)
    elif kind == 1:
        low, high = middle - half, middle + half
        cv2.rectangle(image, tuple(int(v) for v in low), tuple(int(v) for v in high), any_colour(rng), -1)
    else:
        height, width = image.shape[:2]
        left, top = (int(np.clip(v, 0, limit - 1)) for v, limit in zip(middle - half, (width, height), strict=True))
        piece = image[top : top + 2 * axes[1], left : left + 2 * axes[0]]
        y, x = rng.integers(0, height - piece.shape[0] + 1), rng.integers(0, width - piece.shape[1] + 1)
        piece[:] = image[y : y + piece.shape[0], x : x + piece.shape[1]].copy()


def scribble(image: Image, rng: np.random.Generator) -> None:
    """Draw rings, discs, lines and words that are no face, in place."""
    side = image.shape[0]
    for _ in range(int(rng.integers(1, 7))):
        x, y = (int(value) for value in rng.integers(0, side, 2))
        size = int(side * rng.uniform(0.02, 0.25)) + 1
        thick = int(rng.integers(1, 6)) if rng.random() < 0.6 else -1
        kind = rng.integers(0, 4)
        if kind == 0:
            axes = (size, max(1, int(size * rng.uniform(0.4, 1.0))))
            cv2.ellipse(image, (x, y), axes, float(rng.uniform(0, 180)), 0, 360, any_colour(rng), thick)
        elif kind == 1:
            cv2.rectangle(image, (x, y), (x + size, y + size), any_colour(rng), thick)
        elif kind == 2:
            end = (int(rng.integers(0, side)), int(rng.integers(0, side)))
            cv2.line(image, (x, y), end, any_colour(rng), abs(thick))
        else:
            text = "".join(chr(value) for value in rng.integers(33, 123, int(rng.integers(1, 9))))
            cv2.putText(image, text, (x, y), int(rng.integers(0, 8)), size / 25, any_colour(rng), abs(thick))
