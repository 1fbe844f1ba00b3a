"""Long work tells how far it is, and Ctrl+C ends it with the last epoch's state kept."""

from __future__ import annotations

import io
import signal
import subprocess
import sys
import time
from pathlib import Path

from PIL import Image

from her2core.training import progress
from her2core.training.loop import STATE_FILE
from tests.tiny_bundles import noise
from training import train

ROOT = Path(__file__).resolve().parents[2]


class Terminal(io.StringIO):
    """Standard error as a terminal."""

    def isatty(self) -> bool:
        """It is one."""
        return True


def work(pause: float = 0.0) -> None:
    with progress.progress_bar("epoch 2/5", "steps") as told:
        for number in range(1, 5):
            time.sleep(pause)
            told(number, 4, f"loss {1 / number:.3f}")


def test_a_terminal_shows_steps_loss_and_time_left(monkeypatch):
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    work(pause=0.15)  # a bar is drawn ten times a second at most
    shown = terminal.getvalue()
    assert "epoch 2/5: " in shown
    assert "4/4 steps, 00:00 left, loss 0.250" in shown


def test_a_log_gets_a_line_now_and_then(monkeypatch, capsys):
    work()
    assert capsys.readouterr().err == ""  # not before half a minute has gone
    monkeypatch.setattr(progress, "_SECONDS_BETWEEN_LINES", 0.0)
    work()
    lines = capsys.readouterr().err.splitlines()
    assert [line.split(",")[0] for line in lines] == [
        f"epoch 2/5: {number}/4 steps" for number in (1, 2, 3)
    ]
    assert all(" left, loss " in line for line in lines)


def test_ctrl_c_in_an_epoch_keeps_the_last_one_and_no_library_speaks(tmp_path, capsys):
    for number, picture in enumerate(noise(24)):
        folder = tmp_path / "data" / ("0", "1+", "2+", "3+")[number % 4]
        folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray(picture).save(folder / f"{number}.png")
    (tmp_path / "r.toml").write_text("epochs = 500\nsteps_per_epoch = 2\nbatch = 8\n")
    names = {"arch": "cnn", "data": "data", "out": "ours", "config": "r.toml"}
    command = [
        f"--{key}={value if key == 'arch' else tmp_path / value}" for key, value in names.items()
    ]
    started = subprocess.Popen(
        [sys.executable, "-m", "training.train", *command],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert started.stdout is not None
    while not started.stdout.readline().startswith("epoch 1/500"):
        assert started.poll() is None
    started.send_signal(signal.SIGINT)
    _, said = started.communicate(timeout=120)
    assert started.returncode == 130
    assert said.splitlines()[-1] == (
        "Stopped; the same command with --resume goes on at the last epoch."
    )
    assert "oneDNN" not in said
    assert "absl" not in said
    assert not (tmp_path / "ours").exists()
    assert (tmp_path / "ours.run" / STATE_FILE).is_file()

    assert train.main(command) == 1
    assert "holds an unfinished run; --resume goes on" in capsys.readouterr().err
