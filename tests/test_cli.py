"""The command itself: help, versions, errors in one line, and the entry point in a process of its own."""

import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from cases_cli import runner

import handbrew.cli.train
from handbrew.cli import main
from handbrew.cli.command import VERBS, describe, name_of

WITHOUT_EXTRAS = """
import sys
sys.modules.update(rich=None, matplotlib=None)
from handbrew.cli import main
sys.exit(main())
"""


def in_process(*command, cwd, **options):
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=120, **options)


def test_help_shows_every_verb(capsys):
    with pytest.raises(SystemExit) as exit_:
        main(["--help"])
    assert exit_.value.code == 0
    out = capsys.readouterr().out
    for verb in VERBS:
        assert f"handbrew {name_of(verb)} " in out  # in an example


@pytest.mark.parametrize("verb", [name_of(verb) for verb in VERBS])
def test_help_of_a_verb(capsys, verb):
    with pytest.raises(SystemExit) as exit_:
        main([verb, "--help"])
    assert exit_.value.code == 0
    assert "--debug" in capsys.readouterr().out


def test_without_a_verb_it_helps(capsys):
    assert main([]) == 2
    assert "examples" in capsys.readouterr().err


def test_wrong_usage_is_2(capsys):
    with pytest.raises(SystemExit) as exit_:
        main(["brew"])
    assert exit_.value.code == 2
    assert "brew" in capsys.readouterr().err


def test_version(capsys):
    ran = runner(capsys)("--version")
    assert ran.code == 0
    pyproject = Path(__file__).parents[1] / "pyproject.toml"
    assert ran.out == f"handbrew {tomllib.loads(pyproject.read_text())['project']['version']}\n"


def test_debug_shows_the_traceback(tmp_path):
    with pytest.raises(FileNotFoundError):
        main(["test", str(tmp_path / "nothing"), "--debug"])


def test_errors_say_what_the_user_can_mend(tmp_path):
    with pytest.raises(FileNotFoundError) as caught:
        (tmp_path / "x").read_bytes()
    assert describe(caught.value) == f"{tmp_path / 'x'}: No such file or directory"
    error = ValueError("wrong")
    error.add_note("in affine1")
    assert describe(error) == "wrong; in affine1"
    assert describe(MemoryError()) == "MemoryError"


def test_handbrews_own_mistakes_are_not_hidden(monkeypatch):
    def broken(*arguments):
        raise AttributeError("a mistake")

    monkeypatch.setattr(handbrew.cli.train, "read_parts", broken)
    with pytest.raises(AttributeError):
        main(["train"])


def test_ctrl_c(capsys, monkeypatch, tmp_path):
    def interrupted(*arguments):
        raise KeyboardInterrupt

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(handbrew.cli.train, "read_parts", interrupted)
    ran = runner(capsys)("train")
    assert ran.code == 130
    assert ran.err.strip() == "handbrew: interrupted"
    assert not (tmp_path / "run").exists()


def test_the_entry_point(tmp_path):
    command = shutil.which("handbrew", path=Path(sys.executable).parent)
    ran = in_process(command, "train", "--epochs", "3", "--no-plots", cwd=tmp_path)
    assert (ran.returncode, "Traceback" in ran.stderr) == (0, False)
    ran = in_process(command, "predict", "run/", cwd=tmp_path)
    assert len(ran.stdout.splitlines()) == 10
    ran = in_process(command, "predict", "absent", cwd=tmp_path)
    assert (ran.returncode, ran.stdout, len(ran.stderr.splitlines())) == (1, "", 1)


def test_as_a_module(tmp_path):
    ran = in_process(sys.executable, "-m", "handbrew.cli", "summary", "--net", "4-3", cwd=tmp_path)
    assert "total" in ran.stdout


def test_a_reader_that_has_had_enough():
    read, write = os.pipe()
    os.close(read)
    command = [sys.executable, "-m", "handbrew.cli", "summary", "--net", "4-3"]
    ran = subprocess.run(command, stdout=write, stderr=subprocess.PIPE)
    os.close(write)
    assert (ran.returncode, ran.stderr) == (1, b"")


def test_without_extras_training_finishes_and_says_what_is_missing(tmp_path):
    ran = in_process(sys.executable, "-c", WITHOUT_EXTRAS, "train", "--epochs", "3", cwd=tmp_path)
    assert ran.returncode == 0
    assert 'pip install "handbrew[plot]"' in ran.stdout
    assert "epoch 3/3" in ran.stderr
    assert not list((tmp_path / "run").glob("*.png"))
