"""Metrics that are named by the path of an object, as ``package.module.metric``."""

from importlib import import_module

from portraitdata.scoring.metric import Metric, SetMetric


def own_metric(path: str) -> Metric | SetMetric:
    """The metric of a module.

    Args:
        path: Where it is, as ``package.module.metric``.

    Raises:
        ValueError: If there is none.

    Example:
        >>> own_metric("math.pi")
        Traceback (most recent call last):
        ...
        ValueError: math.pi is no metric: it is called with an ImagePair and has `columns`; \
portraitdata.scoring.metric.TensorMetric makes one of a function.
    """
    module, _, name = path.rpartition(".")
    try:
        metric = getattr(import_module(module), name)
    except (ImportError, AttributeError) as error:
        raise ValueError(f"There is no metric {path}: {error}.") from error
    if isinstance(metric, type) or not isinstance(metric, Metric | SetMetric):
        raise ValueError(
            f"{path} is no metric: it is called with an ImagePair and has `columns`; "
            "portraitdata.scoring.metric.TensorMetric makes one of a function."
        )
    return metric
