import dataclasses

import numpy as np
import pytest

from seqdigits_tfds import InputError
from trainer.run.checkpoints import Checkpoint, Checkpoints, Position


def make(step, best_step=-1):
    return Checkpoint(
        Position(
            step=step, best_step=best_step, loss_sum=float(np.float32(0.1))
        ),
        f"metrics up to {step}\n",
        {"0:kernel": np.full((2, 3), step, np.float32), "1:n": np.array(step)},
    )


def list_names(directory):
    return sorted(path.name.split(".")[0] for path in directory.iterdir())


def flip_byte(directory, pattern):
    (path,) = directory.glob(pattern)
    content = bytearray(path.read_bytes())
    content[len(content) // 3] ^= 1
    path.write_bytes(content)


@pytest.fixture
def saved(tmp_path):
    """The checkpoints of steps 1 to 5; step 2 is the best."""
    checkpoints = Checkpoints(tmp_path)
    for step in range(1, 6):
        checkpoints.save(make(step, best_step=2 if step >= 2 else 1))
    return checkpoints


def test_saved_checkpoints_are_loaded(saved):
    checkpoint, damaged = saved.load_last()
    assert damaged == []
    assert checkpoint.position == make(5, 2).position
    assert checkpoint.metrics == "metrics up to 5\n"
    assert checkpoint.arrays.keys() == {"0:kernel", "1:n"}
    assert (checkpoint.arrays["0:kernel"] == 5).all()
    assert saved.load_best(2).position.step == 2


def test_the_last_few_and_the_best_are_kept(saved, tmp_path):
    expected = [f"step-0000000{step}" for step in (3, 4, 5)]
    assert list_names(tmp_path) == ["best-00000002", *expected]


def test_a_new_run_has_no_checkpoints(tmp_path):
    assert Checkpoints(tmp_path / "nowhere").load_last() == (None, [])


def test_damaged_checkpoints_are_skipped_and_reported(saved, tmp_path):
    flip_byte(tmp_path, "step-00000005.*")
    flip_byte(tmp_path, "step-00000004.*")
    checkpoint, damaged = saved.load_last()
    assert checkpoint.position.step == 3
    assert ["step 5" in damaged[0], "step 4" in damaged[1]] == [True, True]
    # Saving the step again replaces the damaged file.
    saved.save(make(5, best_step=2))
    checkpoint, damaged = saved.load_last()
    assert (checkpoint.position.step, damaged) == (5, [])
    assert list_names(tmp_path).count("step-00000005") == 1


def test_a_damaged_best_checkpoint_is_rejected(saved, tmp_path):
    flip_byte(tmp_path, "best-*")
    with pytest.raises(InputError, match=r"best checkpoint .* of step 2"):
        saved.load_best(2)


def test_the_best_checkpoint_may_be_among_the_last(saved, tmp_path):
    saved.save(make(6, best_step=6))
    assert list_names(tmp_path)[0] == "best-00000006"
    flip_byte(tmp_path, "best-*")
    assert saved.load_best(6).position.step == 6


def test_a_failed_save_keeps_older_checkpoints(saved, tmp_path, monkeypatch):
    before = list_names(tmp_path)

    def write_half(path, content):
        with path.open("wb") as file:
            file.write(content[: len(content) // 2])
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("pathlib.Path.write_bytes", write_half)
    with pytest.raises(OSError, match="No space"):
        saved.save(make(6, best_step=6))
    assert list_names(tmp_path) == before


def test_a_position_is_restored_from_numbers():
    position = Position(7, 5, 0.25, 1.5, 4, 4, 0.75, 0.7)
    numbers = np.array(dataclasses.astuple(position), np.float64)
    assert Position.from_numbers(numbers) == position


def test_the_last_validation_that_is_not_significantly_worse_is_the_best():
    accuracies = (0.5, 0.39, 0.4, 0.6, 0.54, 0.56)
    lows = (0.4, 0.3, 0.3, 0.55, 0.5, 0.5)
    found = []
    position = Position()
    for step, (accuracy, low) in enumerate(zip(accuracies, lows, strict=True)):
        position = dataclasses.replace(position, step=step)
        position = position.after_validation(accuracy, low)
        assert position.validated_step == step
        found.append(position.best_step)
    assert found == [0, 0, 2, 3, 3, 5]
    assert position.best_accuracy == 0.6
