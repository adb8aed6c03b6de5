import json

import pytest

from seqdigits_tfds import InputError
from trainer.config import TrainConfig


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"jit": True}, "jit needs --strategy=one_device, got mirrored"),
        (
            {"jit": True, "strategy": "multi_worker"},
            "can't compile with XLA",
        ),
        (
            {"jit": True, "strategy": "one_device", "model": "seed_cnn"},
            "jit needs another model than seed_cnn: max pooling's gradient",
        ),
        (
            {"virtual_devices": 2, "strategy": "multi_worker"},
            "virtual_devices must be 0 with the strategy multi_worker, got 2",
        ),
        (
            {"model": "vit"},
            "model must be one of slot_resnet, seed_cnn, got 'vit'",
        ),
        (
            {"global_batch_size": 0},
            "global_batch_size must be at least 1, got 0",
        ),
        (
            {"global_batch_size": -8},
            "global_batch_size must be at least 1, got -8",
        ),
        ({"seed": 2**32}, "below 2**32, got 4294967296"),
        ({"virtual_devices": 100}, "at most 16, got 100"),
        ({"virtual_devices": -1}, "at least 0, got -1"),
        ({"ensemble_size": 0}, "ensemble_size must be at least 1, got 0"),
        ({"epochs": 0}, "epochs must be at least 1, got 0"),
        ({"learning_rate": -1.0}, "learning_rate must be a number above 0"),
        ({"precision": "int4"}, "precision must be one of float32"),
        ({"clip_norm": 0.0}, "clip_norm must be a number above 0, got 0.0"),
        ({"clip_norm": float("nan")}, "clip_norm must be a number above 0"),
        (
            {"checkpoint_every_seconds": -1.0},
            "checkpoint_every_seconds must be a number above 0, got -1.0",
        ),
        (
            {"checkpoint_every_steps": 0},
            "checkpoint_every_steps must be at least 1, got 0",
        ),
        ({"input": "disk"}, "input must be one of memory, records, got 'disk'"),
        (
            {"train_source": "fresh"},
            "train_source must be one of records, recomposed, got 'fresh'",
        ),
        ({"distortion": -0.1}, "distortion must be a number of at least 0"),
        ({"distortion": float("nan")}, "at least 0, got nan"),
        (
            {"validate_every_steps": 0},
            "validate_every_steps must be at least 1, got 0",
        ),
        ({"precision": "float16"}, "mixed_float16, got 'float16'"),
        ({"profile": "20"}, "profile must be start:stop"),
        ({"profile": "20:10"}, "got '20:10'"),
    ],
)
def test_impossible_settings_are_refused(settings, message):
    with pytest.raises(InputError) as caught:
        TrainConfig(**settings)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_training_breaks_where_something_is_due():
    config = TrainConfig(
        log_every_steps=10, checkpoint_every_steps=25, profile="13:17"
    )
    breaks, step = [], 0
    while step < 52:
        step = config.find_break(step, 52)
        breaks.append(step)
    assert breaks == [10, 13, 17, 20, 25, 30, 40, 50, 52]


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        # An epoch of 103 examples ends within the 9th, 18th, ... batch of 12.
        ({}, [9, 18, 26, 35, 40]),
        ({"validate_every_steps": 15}, [15, 30, 40]),
        ({"validate_every_steps": 20}, [20, 40]),
        ({"validate_every_steps": 50}, [40]),
    ],
)
def test_validation_comes_after_epochs_or_steps(settings, expected):
    config = TrainConfig(global_batch_size=12, **settings)
    assert config.find_validations(103, 40) == expected


def test_no_distortion_is_a_choice():
    assert TrainConfig().recipe.distortion > 0
    assert TrainConfig(distortion=0.0).recipe.distortion == 0


def test_settings_without_effect_on_the_result_may_change():
    settings = TrainConfig().what_decides()
    assert TrainConfig(
        checkpoint_every_steps=7, log_every_steps=3, profile="1:2"
    ).what_decides() == json.loads(json.dumps(settings))
    assert TrainConfig(clip_norm=1.0).what_decides() != settings
