"""``write_atomically``: whatever happens, there is the old file or the new one, whole."""

import os
import signal
import subprocess
import sys
import textwrap
import threading
import time

import pytest

from handbrew.nets import write_atomically

OLD = b"old" * 1000


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "net.npz"
    path.write_bytes(OLD)
    return path


def only(path):
    """Whether nothing but ``path`` is in its folder."""
    return [p.name for p in path.parent.iterdir()] == [path.name]


def start(code, *arguments):
    """Start Python on ``code``; it says so on stdout when it has come somewhere."""
    program = "import os, sys, time\nfrom handbrew.nets import write_atomically\n" + textwrap.dedent(code)
    return subprocess.Popen([sys.executable, "-c", program, *map(str, arguments)], stdout=subprocess.PIPE)


def test_the_new_file_takes_the_old_ones_place(path):
    with write_atomically(path) as file:
        file.write(b"new")
        file.flush()
        assert path.read_bytes() == OLD
    assert path.read_bytes() == b"new"
    assert only(path)


def test_a_file_that_was_not_there(tmp_path):
    with write_atomically(str(tmp_path / "new.csv")) as file:
        file.write(b"1")
        assert not (tmp_path / "new.csv").exists()
    assert (tmp_path / "new.csv").read_bytes() == b"1"
    assert only(tmp_path / "new.csv")


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, GeneratorExit, SystemExit])
def test_an_exception_in_between(path, error):
    def fail(file):
        file.write(b"new")
        raise error

    with pytest.raises(error), write_atomically(path) as file:
        fail(file)
    assert path.read_bytes() == OLD
    assert only(path)


def test_killed_at_any_moment_the_old_file_stays_whole(path):
    child = """
        with write_atomically(sys.argv[1]) as file:
            for piece in range(4):
                print(piece, flush=True)
                file.write(b"new" * 100_000)
                file.flush()
                time.sleep(0.02)
            print("written", flush=True)
            time.sleep(60)
    """
    for moment in (0, 2, 4):
        with start(child, path) as process:
            for _ in range(moment + 1):
                process.stdout.readline()
            process.send_signal(signal.SIGKILL)
            process.wait()
        assert process.returncode == -signal.SIGKILL
        assert path.read_bytes() == OLD
    with write_atomically(path) as file:  # what the dead have left is in nobody's way
        file.write(b"new")
    assert path.read_bytes() == b"new"


def test_interrupted_by_a_signal_it_tidies_up(path):
    child = """
        with write_atomically(sys.argv[1]) as file:
            file.write(b"new")
            print("written", flush=True)
            time.sleep(60)
    """
    with start(child, path) as process:
        process.stdout.readline()
        process.send_signal(signal.SIGINT)
        process.stdout.close()
        process.wait()
    assert process.returncode != 0
    assert path.read_bytes() == OLD
    assert only(path)


def test_a_full_disk(path):
    # A file size limit is met like a full disk: the write fails after a part of it.
    child = """
        import resource, signal
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
        from handbrew.layers import Affine
        from handbrew.nets import Sequential
        net = Sequential(Affine(1000))
        net.build((100,))
        for save in (lambda: net.save(sys.argv[1]), lambda: net.save(sys.argv[2])):
            try:
                save()
            except OSError as error:
                print(type(error).__name__, error.errno, flush=True)
    """
    other = path.parent / "net.safetensors"
    other.write_bytes(OLD)
    with start(child, path, other) as process:
        said = process.stdout.read().decode().split()
    assert said == ["OSError", "27"] * 2
    assert process.returncode == 0
    assert path.read_bytes() == other.read_bytes() == OLD
    assert sorted(p.name for p in path.parent.iterdir()) == ["net.npz", "net.safetensors"]


def test_the_limit_that_shows_at_the_last_flush(path):
    child = """
        import resource, signal
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (10, 10))
        try:
            with write_atomically(sys.argv[1]) as file:
                file.write(b"more than ten bytes, all of them in the buffer")
        except OSError as error:
            print(error.errno)
    """
    with start(child, path) as process:
        assert process.stdout.read() == b"27\n"
    assert path.read_bytes() == OLD
    assert only(path)


def test_two_writers_at_once(path):
    contents = [b"a" * 300_000, b"b" * 300_000]
    seen, done = set(), threading.Event()

    def write(content):
        for _ in range(8):
            with write_atomically(path) as file:
                for i in range(0, len(content), 100_000):
                    file.write(content[i : i + 100_000])
                    time.sleep(0.001)

    def watch():
        while not done.is_set():
            seen.add(path.read_bytes())

    writers = [threading.Thread(target=write, args=(content,)) for content in contents]
    watcher = threading.Thread(target=watch)
    for thread in (*writers, watcher):
        thread.start()
    for thread in writers:
        thread.join()
    done.set()
    watcher.join()
    assert seen <= {OLD, *contents}
    assert path.read_bytes() in contents
    assert only(path)


@pytest.mark.parametrize("umask", [0o022, 0o077, 0o002])
def test_the_mode_follows_the_umask(tmp_path, umask):
    before = os.umask(umask)
    try:
        with write_atomically(tmp_path / "a") as file:
            file.write(b"1")
        assert os.umask(umask) == umask
    finally:
        os.umask(before)
    assert (tmp_path / "a").stat().st_mode & 0o777 == 0o666 & ~umask


def test_a_symbolic_link_stays_one(path):
    link, deep = path.parent / "latest.npz", path.parent / "runs"
    deep.mkdir()
    (deep / "3.npz").write_bytes(OLD)
    link.symlink_to("runs/3.npz")
    with write_atomically(link) as file:
        file.write(b"new")
    assert link.is_symlink()
    assert (deep / "3.npz").read_bytes() == b"new"
    assert only(deep / "3.npz")
    dangling = path.parent / "next.npz"
    dangling.symlink_to("runs/4.npz")
    with write_atomically(dangling) as file:
        file.write(b"4")
    assert (deep / "4.npz").read_bytes() == b"4"


def test_what_is_no_file_is_refused_at_once(tmp_path):
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe")
    for name in ("folder", "pipe"):
        with pytest.raises(OSError, match=f"{name}: expected a file"), write_atomically(tmp_path / name):
            pytest.fail("it was opened")
    with pytest.raises(FileNotFoundError), write_atomically(tmp_path / "nowhere" / "net.npz"):
        pytest.fail("it was opened")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["folder", "pipe"]
