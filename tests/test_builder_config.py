import copy
import dataclasses
import pickle

import pytest

from seqdigits_tfds import InputError, SeqDigitsConfig


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"max_digits": 0}, r"max_digits must be an integer 1\.\.100, got 0"),
        ({"image_height": -1}, "image_height must be an integer .* got -1"),
        ({"image_width": 0}, "image_width must be an integer"),
        ({"num_train": -5}, "num_train must be an integer"),
        ({"num_test": True}, "num_test must be an integer .* got True"),
        ({"max_digits": "5"}, "max_digits must be an integer .* got '5'"),
        ({"seed": -1}, "seed must be an integer of at least 0, got -1"),
        ({"source": "svhn"}, "source must be one of mnist, optdigits"),
        ({"name": "a/b"}, "a name made of letters, .* got 'a/b'"),
        ({"max_digit": 3}, "unknown key 'max_digit'.* max_digits,"),
    ],
)
def test_invalid_values_are_rejected_in_one_line(fields, message):
    with pytest.raises(InputError, match=message) as caught:
        SeqDigitsConfig(**{"name": "custom", **fields})
    assert "\n" not in str(caught.value)


def test_a_name_is_required():
    with pytest.raises(InputError, match=r"needs a name made of .* got ''"):
        SeqDigitsConfig(max_digits=3)


def test_a_config_can_be_copied_and_pickled():
    config = SeqDigitsConfig(name="custom", max_digits=3)
    for copied in (copy.deepcopy(config), pickle.loads(pickle.dumps(config))):
        assert dataclasses.asdict(copied) == dataclasses.asdict(config)
