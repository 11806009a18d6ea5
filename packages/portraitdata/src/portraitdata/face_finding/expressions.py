"""Faces drawn into other expressions: landmarks pulled apart, and the picture around them with them.

A detector that has seen few people learns where a mouth usually is. Where mouths move it has to look.
"""

import cv2
import numpy as np
from jaxtyping import Float, UInt8

from portraitdata.face_finding.views import View

PULL = (0.04, 0.04, 0.06, 0.13, 0.13)
"""Standard deviations of the landmarks' moves along each axis, in distances of the eyes: mouths move most."""

SMILE = 0.1
"""Standard deviation of the move of both corners of the mouth outwards and, with it, upwards, likewise."""

REACH = 0.45
"""Standard deviation of the picture's move around a landmark, likewise."""

LARGEST_MOVE = 0.3
"""Largest move of a landmark, likewise; what moves further folds the picture."""

LEAST_DISTANCE = 10.0
"""Distance of the eyes in pixels from which on an expression can be seen."""


def another_expression(view: View, rng: np.random.Generator) -> View:
    """View whose largest face has another expression; the same view if it is too small for one."""
    apart = np.where(view.sure, np.hypot(*(view.landmarks[:, 1] - view.landmarks[:, 0]).T), 0)
    if apart.max(initial=0) < LEAST_DISTANCE:
        return view
    which = int(apart.argmax())
    landmarks, moves = view.landmarks.copy(), drawn_moves(view.landmarks[which], rng)
    landmarks[which] += moves
    return view._replace(image=pulled(view.image, view.landmarks[which], moves), landmarks=landmarks)


def drawn_moves(landmarks: Float[np.ndarray, "5 2"], rng: np.random.Generator) -> Float[np.ndarray, "5 2"]:
    """Moves of a face's landmarks, x and y in pixels."""
    across = landmarks[1] - landmarks[0]
    unit = float(np.hypot(*across))
    moves = rng.normal(size=(5, 2)) * np.array(PULL)[:, None]
    smile = rng.normal(0, SMILE)
    right, up = across / max(unit, 1e-6), np.array([across[1], -across[0]]) / max(unit, 1e-6)
    moves[3] += smile * (0.4 * up - right)
    moves[4] += smile * (0.4 * up + right)
    far = np.hypot(*moves.T)[:, None]
    return moves * unit * np.minimum(1, LARGEST_MOVE / np.maximum(far, 1e-6))


def pulled(
    image: UInt8[np.ndarray, "h w 3"], landmarks: Float[np.ndarray, "5 2"], moves: Float[np.ndarray, "5 2"]
) -> UInt8[np.ndarray, "h w 3"]:
    """The picture with each landmark moved, and less the further away, the picture around it.

    Args:
        landmarks: Where they are, x and y in pixels.
        moves: How far they go; few tenths of the eyes' distance.
    """
    after = landmarks + moves
    reach = REACH * float(np.hypot(*(landmarks[1] - landmarks[0])))
    apart = ((after[:, None] - after[None]) ** 2).sum(axis=-1)
    # the moves at the landmarks are these sums exactly; a little less where two of them nearly coincide
    shares = np.linalg.solve(np.exp(-apart / (2 * reach**2)) + 1e-3 * np.eye(5), moves).astype(np.float32)
    height, width = image.shape[:2]
    low = np.maximum(np.floor(after.min(axis=0) - 3 * reach), 0).astype(int)
    high = np.minimum(np.ceil(after.max(axis=0) + 3 * reach) + 1, (width, height)).astype(int)
    if (high <= low).any():
        return image
    xs, ys = (np.arange(a, b, dtype=np.float32) for a, b in zip(low, high, strict=True))
    # a Gaussian of two axes is the product of two of one
    bumps_x = np.exp(-((xs[None] - after[:, :1]) ** 2) / (2 * reach**2)).astype(np.float32)
    bumps_y = np.exp(-((ys[None] - after[:, 1:]) ** 2) / (2 * reach**2)).astype(np.float32)
    from_x = xs[None] - (bumps_y.T * shares[:, 0]) @ bumps_x
    from_y = ys[:, None] - (bumps_y.T * shares[:, 1]) @ bumps_x
    out = image.copy()
    out[low[1] : high[1], low[0] : high[0]] = cv2.remap(
        image, from_x, from_y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )
    return out
