import dataclasses
import json
import re

import pytest
from absl import flags

from helpers import ROOT
from seqdigits_tfds import InputError
from trainer import settings
from trainer.config import TrainConfig
from trainer.run.schedule import Schedule


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (
            {"virtual_devices": 2, "strategy": "multi_worker"},
            "virtual_devices must be 0 with --strategy=multi_worker, got 2",
        ),
        (
            {"model": "vit"},
            "model must be one of auto, slot_resnet, slot_resnet_fine",
        ),
        (
            {"global_batch_size": 0},
            "global_batch_size must be at least 1, got 0",
        ),
        (
            {"global_batch_size": -8},
            "global_batch_size must be at least 1, got -8",
        ),
        ({"seed": 2**32}, "seed must be 0 to 4294967295, got 4294967296"),
        ({"virtual_devices": 100}, "virtual_devices must be 0 to 16, got 100"),
        ({"virtual_devices": -1}, "must be 0 to 16, got -1"),
        ({"ensemble_size": 0}, "ensemble_size must be at least 1, got 0"),
        ({"epochs": 0}, "epochs must be at least 1, got 0"),
        ({"learning_rate": -1.0}, "learning_rate must be a number above 0"),
        ({"precision": "int4"}, "precision must be one of float32"),
        ({"learning_rate": float("inf")}, "above 0, got inf"),
        ({"learning_rate": 0.0}, "learning_rate must be a number above 0"),
        (
            {"checkpoint_every_seconds": -1.0},
            "checkpoint_every_seconds must be a number above 0, got -1.0",
        ),
        (
            {"checkpoint_every_steps": 0},
            "checkpoint_every_steps must be at least 1, got 0",
        ),
        ({"input": "ram"}, "input must be one of memory, disk, got 'ram'"),
        (
            {"input": "records"},
            "input=records was renamed; use input=disk",
        ),
        ({"distortion": -0.1}, "distortion must be at least 0, got -0.1"),
        ({"distortion": float("nan")}, "at least 0, got nan"),
        (
            {"validate_every_steps": 0},
            "validate_every_steps must be at least 1, got 0",
        ),
        ({"precision": "float16"}, "mixed_float16, got 'float16'"),
        ({"workdir": ""}, "workdir must be any text, got ''"),
        ({"profile": "20"}, "profile must be start:stop"),
        ({"profile": "20:10"}, "got '20:10'"),
    ],
)
def test_invalid_settings_are_rejected(given, message):
    with pytest.raises(InputError) as caught:
        TrainConfig(**given)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_training_pauses_at_periods_and_extra_breaks():
    config = _make_config(
        log_every_steps=10, checkpoint_every_steps=25, profile="13:17"
    )
    schedule = Schedule.from_config(config, 60_000)
    breaks, step = [], 0
    while step < 52:
        step = schedule.next_break(step, 52)
        breaks.append(step)
    assert breaks == [10, 13, 17, 20, 25, 30, 40, 50, 52]


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        # An epoch of 103 examples ends within the 9th, 18th, ... batch of 12.
        ({}, [9, 18, 26, 35, 40]),
        ({"validate_every_steps": 15}, [15, 30, 40]),
        ({"validate_every_steps": 20}, [20, 40]),
        ({"validate_every_steps": 50}, [40]),
    ],
)
def test_validation_comes_after_epochs_or_steps(given, expected):
    config = _make_config(global_batch_size=12, max_steps=40, **given)
    schedule = Schedule.from_config(config, 103)
    assert schedule.total_steps == 40
    assert schedule.validations == expected
    assert [schedule.epoch_of(step) for step in (1, 9, 10, 18, 19)] == [
        *(0, 0, 1, 1, 2)
    ]


def _make_config(**given):
    return TrainConfig(model="slot_resnet", **given)


def test_folders_do_not_depend_on_the_current_one(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    config = _make_config(data_dir="data", manual_dir="gs://bucket/mnist")
    resolved = config.resolve("seqdigits/mnist/2.0.0", "tiled")
    assert resolved.data_dir == str(tmp_path / "data")
    assert resolved.manual_dir == "gs://bucket/mnist"


def test_distortion_can_be_turned_off():
    assert _make_config().recipe.distortion > 0
    assert _make_config(distortion=0.0).recipe.distortion == 0


def test_settings_without_effect_on_the_result_may_change():
    default = TrainConfig().result_settings()
    assert TrainConfig(
        checkpoint_every_steps=7, log_every_steps=3, profile="1:2"
    ).result_settings() == json.loads(json.dumps(default))
    assert TrainConfig(learning_rate=1.0).result_settings() != default


def test_the_number_of_epochs_determines_the_steps():
    schedule = Schedule.from_config(
        _make_config(global_batch_size=12, epochs=3), 103
    )
    assert schedule.total_steps == 26
    assert schedule.validations == [9, 18, 26]
    with pytest.raises(InputError, match="at most the number of training"):
        Schedule.from_config(_make_config(global_batch_size=104), 103)


def test_given_values_override_the_recipe():
    resolved = TrainConfig(epochs=3, distortion=0.0).resolve(
        "seqdigits/a/1", "tiled"
    )
    default = _make_config().recipe
    assert (resolved.recipe.epochs, resolved.recipe.distortion) == (3, 0.0)
    assert resolved.learning_rate == default.learning_rate
    assert resolved.recipe.warmup_steps == default.warmup_steps
    assert resolved.dataset == "seqdigits/a/1"
    assert (
        resolved.run_path
        == TrainConfig(
            dataset="seqdigits/a/1",
            **{
                name: getattr(resolved, name)
                for name in (
                    *("model", "epochs", "distortion"),
                    *("learning_rate", "workdir"),
                )
            },
        ).run_path
    )


@pytest.mark.parametrize(
    ("given", "layout", "chosen"),
    [
        ("auto", "tiled", "slot_resnet"),
        ("auto", "scattered", "sequence_reader"),
        ("seed_cnn", "scattered", "seed_cnn"),
    ],
)
def test_the_model_is_chosen_by_the_layout(given, layout, chosen):
    config = TrainConfig(model=given).resolve("seqdigits/a/1", layout)
    assert config.model == chosen
    assert chosen in str(config.run_path)


def test_each_setting_has_a_flag_and_is_in_a_group():
    values = flags.FlagValues()
    settings.define_flags(TrainConfig, values)
    values(["program", "--input=disk", "--epochs=2", "--learning_rate=0.5"])
    names = {field.name for field in dataclasses.fields(TrainConfig)}
    assert names <= set(values)
    config = TrainConfig(**{name: values[name].value for name in names})
    assert config == TrainConfig(input="disk", epochs=2, learning_rate=0.5)
    listed = settings.make_help(TrainConfig)
    assert names == set(re.findall(r"\b[a-z_]+\b(?!:)", listed))


def test_the_documentation_has_all_settings():
    """If this fails, copy the table from the message into docs/trainer.md."""
    text = (ROOT / "docs" / "trainer.md").read_text()
    table = text.split("<!-- flags: begin -->\n")[1]
    table = table.split("<!-- flags: end -->")[0]
    assert table.strip() == settings.make_table(TrainConfig).strip()
