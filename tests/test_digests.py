"""The digests that seqdigits_tfds/README.md publishes are those of the code."""

import concurrent.futures
import os
import re

import numpy as np
import pytest

from helpers import ROOT
from seqdigits_tfds import Sequences
from seqdigits_tfds.configs import CONFIGS, find_config
from seqdigits_tfds.records import digest_examples, to_hex

README = (ROOT / "seqdigits_tfds" / "README.md").read_text()
PUBLISHED = dict(re.findall(r"`(\w+)`[^\n`]*`([0-9a-f]{64})`", README))
BLOCK = 250


def digest(name, manual_dir):
    """Makes and digests all examples of a config, without files."""
    config = find_config(name)
    source = Sequences(config, manual_dir=manual_dir).source
    splits = {
        split: Sequences(config, split, source=source)
        for split in config.splits
    }
    blocks = [
        (split, np.arange(start, min(start + BLOCK, len(sequences))))
        for split, sequences in splits.items()
        for start in range(0, len(sequences), BLOCK)
    ]

    def digest_block(block):
        split, indices = block
        examples = splits[split].make_examples(indices)
        return digest_examples(split, indices, examples)

    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as executor:
        return to_hex(sum(executor.map(digest_block, blocks)) % 2**256)


def test_each_config_has_a_published_digest():
    assert PUBLISHED.keys() == {config.name for config in CONFIGS}


def test_the_digest_of_optdigits_is_published():
    assert digest("optdigits", None) == PUBLISHED["optdigits"]


@pytest.mark.long
@pytest.mark.parametrize("name", [config.name for config in CONFIGS])
def test_digests_are_published(name, request):
    is_whole = request.config.getoption("whole_trainings")
    if name == "mnist_large" and not is_whole:
        pytest.skip("takes half an hour; runs with --whole-trainings")
    folder = None
    if find_config(name).source == "mnist":
        folder = str(request.getfixturevalue("mnist_dir"))
    assert digest(name, folder) == PUBLISHED[name]
