"""A Ray cluster of two nodes on this machine."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

CLUSTER = """
import sys
from ray.cluster_utils import Cluster
node = {"num_cpus": 2, "num_gpus": 1, "include_dashboard": False}
cluster = Cluster(initialize_head=True, head_node_args=node)
cluster.add_node(num_cpus=2, num_gpus=1)
print(cluster.address, flush=True)
sys.stdin.read()
cluster.shutdown()
"""
"""Each node says that it has a GPU; nobody looks whether it has."""

SETTINGS = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_raylet_start_wait_time_s": "300",  # of a busy machine, as the next
    "RAY_agent_register_timeout_ms": "300000",
    "RAY_worker_niceness": "0",
}


@contextmanager
def ray_cluster() -> Iterator[dict[str, str]]:
    """Environment that leads Ray to a cluster, which ends with the context."""
    command = [sys.executable, "-c", CLUSTER]
    running = subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={**os.environ, **SETTINGS},
    )
    assert running.stdin is not None
    assert running.stdout is not None
    try:
        address = running.stdout.readline().decode().strip()
        assert address, "the cluster did not start"
        yield {**SETTINGS, "RAY_ADDRESS": address}
    finally:
        running.stdin.close()
        running.stdout.close()
        running.wait(120)
