"""TFDS's test case for datasets, on both configs with their real data."""

import os

import pytest
import tensorflow_datasets as tfds
from test_prepared_dataset import NUM_EXAMPLES

import seqdigits_tfds


class OptdigitsTest(tfds.testing.DatasetBuilderTestCase):
    DATASET_CLASS = seqdigits_tfds.Builder
    BUILDER_CONFIG_NAMES_TO_TEST = ["optdigits"]
    SPLITS = NUM_EXAMPLES["optdigits"]
    EXAMPLE_DIR = os.path.dirname(__file__)  # Not used: nothing to download.


@pytest.mark.long
@pytest.mark.usefixtures("mnist_dir")
class MnistTest(tfds.testing.DatasetBuilderTestCase):
    DATASET_CLASS = seqdigits_tfds.Builder
    BUILDER_CONFIG_NAMES_TO_TEST = ["mnist"]
    SPLITS = NUM_EXAMPLES["mnist"]
    EXAMPLE_DIR = os.environ.get("SEQDIGITS_MNIST_DIR", ".")
