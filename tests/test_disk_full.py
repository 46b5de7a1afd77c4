"""No room, or no right, to write a snapshot: an ``OSError`` that names it, and those before it stay whole.

A limit on the size of files is met like a full disk, and by everyone. Where this process may mount, there are a full
disk and a read-only one too, and for all but root, whom permissions do not stop, a read-only folder. The tests' names
tell which.
"""

import errno
import os
import subprocess
import sys
import textwrap

import pytest

from handbrew.layers import Affine
from handbrew.nets import Sequential
from handbrew.solvers import Snapshots

MOUNT = "mount -t tmpfs -o size=400k tmpfs . && cd $PWD"
IN_ITS_OWN_MOUNTS = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-ec"]


def may_mount():
    try:
        done = subprocess.run(
            [*IN_ITS_OWN_MOUNTS, f"cd /tmp; {MOUNT}; mount -o remount,bind,ro ."], capture_output=True, timeout=20
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0


LIMIT = """
import resource, signal
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (90_000, 90_000))
"""
FILL = """
with open("filler", "wb", 0) as filler:
    try:
        while filler.write(bytes(1000)):
            pass
    except OSError:
        pass
"""
READ_ONLY = """
import subprocess
subprocess.run(["mount", "-o", "remount,bind,ro", "."], check=True)
"""

# What is done first, what happens after two snapshots, and the error of the third.
WAYS = {"file-size limit": ("true", LIMIT, errno.EFBIG)}
if may_mount():
    WAYS |= {"full tmpfs": (MOUNT, FILL, errno.ENOSPC), "read-only tmpfs": (MOUNT, READ_ONLY, errno.EROFS)}
if os.geteuid():
    WAYS["read-only folder"] = ("true", "os.chmod('.', 0o555)", errno.EACCES)

WRITE = """
import os
import numpy as np
from handbrew.solvers import Snapshots, read_snapshot

def tree(step, size=20_000):
    return {"W": np.full(size, step, np.float32), "step": step}

snapshots = Snapshots(os.getcwd(), keep=2)
for step in (1, 2):
    snapshots.write(tree(step), step)
snapshots.write_best(tree(1))
"""
WRITE_MORE = """
before = sorted(os.listdir())
for write in (lambda: snapshots.write(tree(3, 25_000), 3), lambda: snapshots.write_best(tree(3, 25_000))) * 2:
    try:
        write()
    except OSError as error:
        print(error.errno, error.filename, error.strerror, sep="|")
print(sorted(os.listdir()) == before)
found, path, complaints = snapshots.newest()
print(os.path.basename(path), (found["W"] == 2).all(), complaints)
print([read_snapshot(path)["step"] for path in (*snapshots.paths(), snapshots.best)])
"""


@pytest.mark.parametrize("way", WAYS)
def test_what_cannot_be_written_is_an_error_and_costs_nothing(tmp_path, way):
    first, happens, expected = WAYS[way]
    program = tmp_path / "program.py"
    program.write_text(WRITE + happens + WRITE_MORE)
    folder = tmp_path / "snapshots"
    folder.mkdir()
    shell = IN_ITS_OWN_MOUNTS if first == MOUNT else ["sh", "-ec"]
    command = [*shell, f"{first}; exec {sys.executable} -W error {program}"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    said = f"no snapshot was written, those before it are as they were: {os.strerror(expected)}"
    errors = [f"{expected}|{folder / name}.safetensors|{said}" for name in ("step-000000003", "best")] * 2
    assert done.stdout.splitlines() == [*errors, "True", "step-000000002.safetensors True []", "[1, 2, 1]"]


def test_there_is_always_one_way():
    assert "file-size limit" in WAYS


def test_a_folder_that_cannot_be_made(tmp_path):
    """As root, too."""
    (tmp_path / "file").write_text("mine")
    for folder, kind in (("file", FileExistsError), ("file/snapshots", NotADirectoryError)):
        snapshots = Snapshots(tmp_path / folder)
        with pytest.raises(kind, match=f"no snapshot was written.*{folder}/step-000000001.safetensors"):
            snapshots.write({}, 1)
        assert snapshots.newest() is None
    assert (tmp_path / "file").read_text() == "mine"


def test_weights_that_find_no_room_say_which_file(tmp_path):
    program = LIMIT + textwrap.dedent("""
        from handbrew.layers import Affine
        from handbrew.nets import Sequential
        net = Sequential(Affine(1000))
        net.build((100,))
        try:
            net.save("net.safetensors")
        except OSError as error:
            print(error)
    """)
    done = subprocess.run([sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert done.stdout == f"[Errno {errno.EFBIG}] {os.strerror(errno.EFBIG)}: 'net.safetensors'\n"
    assert not list(tmp_path.iterdir())


def test_a_file_in_the_place_of_a_folder_is_left_alone(tmp_path):
    net = Sequential(Affine(2))
    net.build((2,))
    (tmp_path / "step-000000001.safetensors").mkdir()
    with pytest.raises(OSError, match="expected a file or nothing there"):
        Snapshots(tmp_path).write({"net": net.state()}, 1)
