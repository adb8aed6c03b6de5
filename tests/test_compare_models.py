import json

from conftest import run_python

PROGRAM = """
import keras
from benchmarks.compare_models import count_multiply_adds
from trainer.models import Shape, build

layers = keras.layers
image = keras.Input((8, 6, 2))
x = layers.Conv2D(3, (3, 2), strides=2, padding="same")(image)
x = layers.Reshape((4, 9))(layers.BatchNormalization()(x))
print(count_multiply_adds(keras.Model(image, layers.Dense(5)(x))))
notebook, _ = build("seed_cnn", Shape((64, 64, 1), 5, 11))
print(count_multiply_adds(notebook))
"""


def test_multiply_adds_are_counted():
    # In a process of its own, since programs' flags have common names.
    done = run_python("-c", PROGRAM)
    small, notebook = map(int, done.stdout.split())
    # 4 x 3 places with 3 outputs of 3 x 2 x 2 pixels; 4 places with 9 x 5.
    assert small == 4 * 3 * 3 * (3 * 2 * 2) + 4 * 9 * 5
    first, second = 64 * 64 * 9 * 32, 62 * 62 * 9 * 32 * 32
    assert notebook == first + second + 31 * 31 * 32 * 128 + 5 * 128 * 11


def test_both_models_are_trained_and_compared(tiny_data_dir, tmp_path):
    done = run_python(
        *("-m", "benchmarks.compare_models", "--dataset=seqdigits/tiny"),
        *(f"--data_dir={tiny_data_dir}", f"--out={tmp_path}"),
        *("--epochs=6", "--validate_every_steps=8"),
    )
    comparison = json.loads((tmp_path / "comparison.json").read_text())
    assert list(comparison) == ["seed_cnn", "slot_resnet"]
    for name, entry in comparison.items():
        results = json.loads((tmp_path / name / "results.json").read_text())
        assert entry["sequence_accuracy"] == results["sequence_accuracy"]
        seconds, images, accuracies = zip(*entry["curve"], strict=True)
        assert list(images) == [8 * 128, 16 * 128, 23 * 128]
        assert list(seconds) == sorted(seconds)
        assert entry["seconds"] == seconds[-1]
        for threshold, reached in entry["reached"].items():
            above = [accuracy >= float(threshold) for accuracy in accuracies]
            assert (reached is not None) == any(above)
            if reached is not None:
                assert reached["images"] == images[above.index(True)]
    final = str(comparison["seed_cnn"]["curve"][-1][2])
    assert comparison["slot_resnet"]["reached"][final] is not None
    assert (
        f"| parameters | 3,953,047 | {entry['parameters']:,} |" in done.stdout
    )
    assert (tmp_path / "comparison.svg").read_text().count("<path") > 10


def test_a_trainer_that_fails_ends_the_comparison(tmp_path):
    done = run_python(
        *("-m", "benchmarks.compare_models", "--dataset=seqdigits/none"),
        f"--out={tmp_path}",
        check=False,
    )
    assert done.returncode == 1
    assert "seqdigits/none" in done.stderr
    assert not (tmp_path / "comparison.json").exists()
