"""The comparison of models, from the files of their runs."""

import json

import keras
import pytest
from keras import layers

from benchmarks.compare_models import MODELS, compare_models
from benchmarks.time_to_accuracy import (
    compare_runs,
    count_multiply_adds,
    draw_curves,
    format_table,
)
from trainer.data.sequences import ExampleShape
from trainer.model.models import build


def test_multiply_adds_are_counted():
    image = keras.Input((8, 6, 2))
    x = layers.Conv2D(3, (3, 2), strides=2, padding="same")(image)
    x = layers.Reshape((4, 9))(layers.BatchNormalization()(x))
    model = keras.Model(image, layers.Dense(5)(x))
    # 4 x 3 positions with 3 sums of 3 x 2 x 2 inputs; 4 positions with 9 x 5.
    assert count_multiply_adds(model) == 4 * 3 * 3 * (3 * 2 * 2) + 4 * 9 * 5


def test_multiply_adds_of_the_notebooks_network_are_counted():
    model, _ = build("seed_cnn", ExampleShape((64, 64, 1), 5, 11))
    first, second = 64 * 64 * 9 * 32, 62 * 62 * 9 * 32 * 32
    dense = 31 * 31 * 32 * 128 + 5 * 128 * 11
    assert count_multiply_adds(model) == first + second + dense


def write_run(path, accuracies):
    """Writes a finished run, validated every 10 steps and 3 seconds."""
    path.mkdir()
    lines = [{"split": "train", "step": 5, "seconds": 1.5}]
    for index, accuracy in enumerate(accuracies, start=1):
        lines.append(
            {
                "split": "validation",
                "step": 10 * index,
                "seconds": 3.0 * index,
                "sequence_accuracy": accuracy,
            }
        )
    content = {
        "config.json": json.dumps({"config": {"global_batch_size": 128}}),
        "metrics.jsonl": "\n".join(json.dumps(line) for line in lines),
        "results.json": json.dumps(
            {"sequence_accuracy": 0.75, "individual_accuracy": 0.95}
        ),
    }
    for name, text in content.items():
        (path / name).write_text(text)
    image = keras.Input((4,))
    keras.Model(image, layers.Dense(3)(image)).save(path / "model.keras")


def test_the_first_validation_at_a_threshold_counts(tmp_path):
    write_run(tmp_path / "slow", [0.5, 0.91, 0.93])
    write_run(tmp_path / "fast", [0.95, 0.90, 0.99])
    comparison = compare_runs(
        {name: tmp_path / name for name in ("slow", "fast")}
    )
    after = [
        None,
        *({"seconds": 3.0 * n, "images": 1280 * n} for n in (1, 2, 3)),
    ]
    assert comparison["slow"]["reached"] == {
        "0.9": after[2],
        "0.92": after[3],
        "0.98": None,
        "0.93": after[3],
    }
    assert comparison["fast"]["reached"] == {
        "0.9": after[1],
        "0.92": after[1],
        "0.98": after[3],
        "0.93": after[1],
    }
    table = format_table(comparison).splitlines()
    assert table[0] == "|  | slow | fast |"
    assert (
        "| validation reaches 0.9000 | 6.0 s, 2,560 images"
        " | 3.0 s, 1,280 images |" in table
    )
    assert (
        "| validation reaches 0.9800 | never | 9.0 s, 3,840 images |" in table
    )
    assert "| whole training | 9 s | 9 s |" in table
    assert "| test sequence accuracy | 0.7500 | 0.7500 |" in table
    assert "| parameters | 15 | 15 |" in table
    assert "| multiply-adds per image | 12 | 12 |" in table
    draw_curves(comparison, tmp_path / "curves.svg")
    assert (tmp_path / "curves.svg").read_text().count("<path") > 10


@pytest.mark.long
def test_all_models_are_trained_and_compared(tiny_data_dir, tmp_path):
    (models,) = compare_models(
        str(tmp_path),
        tmp_path,
        dataset="seqdigits/tiny",
        data_dir=tiny_data_dir,
        epochs=6,
        validate_every_steps=8,
    )
    assert list(models.comparison) == list(MODELS)
    for name, entry in models.comparison.items():
        results = json.loads((tmp_path / name / "results.json").read_text())
        assert entry["sequence_accuracy"] == results["sequence_accuracy"]
        seconds, images, _ = zip(*entry["curve"], strict=True)
        assert list(images) == [8 * 128, 16 * 128, 23 * 128]
        assert list(seconds) == sorted(seconds)
        assert entry["seconds"] == seconds[-1]
    baseline = models.comparison["seed_cnn"]
    assert baseline["parameters"] == 3_953_047
    assert baseline["reached"][str(baseline["curve"][-1][2])] is not None
    assert models.to_markdown().startswith(f"|  | {' | '.join(MODELS)} |")
    models.draw(tmp_path / "models.svg")
    assert (tmp_path / "models.svg").exists()


def test_a_trainer_that_fails_ends_the_comparison(tmp_path, capfd):
    with pytest.raises(SystemExit) as stopped:
        next(compare_models(str(tmp_path), tmp_path, "seqdigits/none"))
    assert stopped.value.code == 1
    assert "seqdigits/none" in capfd.readouterr().err
