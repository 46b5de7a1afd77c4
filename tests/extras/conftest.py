"""What the tests of extras have in common."""

from pathlib import Path

import pytest


@pytest.fixture(scope="session", autouse=True)
def shared_memory():
    """Processes of MPICH that are killed leave their shared memory behind, megabytes each."""
    before = set(Path("/dev/shm").glob("mpich_shm_*"))
    yield
    for left in set(Path("/dev/shm").glob("mpich_shm_*")) - before:
        left.unlink(missing_ok=True)
