"""The random streams of a run."""

import itertools

from trainer.data.randomness import Purpose, make_seed

EXPECTED = [[-1197927508, 4], [1295548487, 4], [-823133931, 4]]


def test_each_purpose_seed_and_index_has_its_own_stream():
    seeds = [
        tuple(make_seed(seed, purpose, *indices).numpy())
        for seed, purpose, indices in itertools.product(
            (0, 1, 2), Purpose, ((), (0,), (1,), (2,), (0, 1), (1, 0))
        )
    ]
    assert len(set(seeds)) == len(seeds)


def test_the_streams_never_change():
    """Every published result depends on them."""
    found = [make_seed(3, purpose, 4).numpy().tolist() for purpose in Purpose]
    assert [purpose.value for purpose in Purpose] == [0, 1, 2]
    assert found == EXPECTED
