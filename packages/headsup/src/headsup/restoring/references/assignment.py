"""Pairing rows with columns so that the sum of what the pairs are worth is largest."""

import math
from collections.abc import Sequence


def best_assignment(worth: Sequence[Sequence[float]]) -> list[int | None]:
    """Column of each row, no column twice; None for rows without one.

    The assignment problem, by augmenting paths that are shortest in reduced costs (Kuhn, 1955; Jonker and Volgenant,
    1987). A pair that is worth nothing is not made.

    Args:
        worth: What each pair is worth; a row for each of one kind, all of one length. Not positive forbids a pair.

    Example:
        >>> best_assignment([[0.9, 0.8], [0.8, 0.1], [0.0, 0.0]])
        [1, 0, None]
    """
    rows, columns = len(worth), len(worth[0]) if worth else 0
    # a column of its own for each row, worth nothing: to stay alone
    costs = [[-max(value, 0.0) for value in row] + [0.0] * rows for row in worth]
    owner: list[int | None] = [None] * (columns + rows)
    row_price, column_price = [0.0] * rows, [0.0] * (columns + rows)
    for row in range(rows):
        _augment(costs, row, owner, row_price, column_price)
    chosen: list[int | None] = [None] * rows
    for column, row_of_column in enumerate(owner[:columns]):
        if row_of_column is not None and worth[row_of_column][column] > 0:
            chosen[row_of_column] = column
    return chosen


def _augment(
    costs: Sequence[Sequence[float]],
    row: int,
    owner: list[int | None],
    row_price: list[float],
    column_price: list[float],
) -> None:
    """Give one more row a column, along the path that costs least; `owner` and the prices are changed."""
    count = len(owner)
    distance, before = [math.inf] * count, [-1] * count
    done: list[int] = []
    current, column, reached = row, -1, 0.0
    while True:
        for j in range(count):
            if j in done:
                continue
            step = reached + costs[current][j] - row_price[current] - column_price[j]
            if step < distance[j]:
                distance[j], before[j] = step, column
        column = min((j for j in range(count) if j not in done), key=lambda j: distance[j])
        reached = distance[column]
        done.append(column)
        holder = owner[column]
        if holder is None:
            break
        current = holder
    row_price[row] += reached
    for j in done[:-1]:
        column_price[j] -= reached - distance[j]
        held = owner[j]
        assert held is not None
        row_price[held] += reached - distance[j]
    while column >= 0:
        previous = before[column]
        owner[column] = row if previous < 0 else owner[previous]
        column = previous
