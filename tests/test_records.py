from tensorflow_datasets.core import hashing

from seqdigits_tfds import records


def test_the_order_is_that_of_tfds():
    hasher = hashing.Hasher("validation")
    expected = sorted(range(1_000), key=hasher.hash_key)
    assert records.order_examples("validation", 1_000).tolist() == expected
