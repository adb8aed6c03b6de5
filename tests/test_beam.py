"""Builds with Apache Beam: the same bytes as a local build."""

import concurrent.futures
import os
import signal
import time

import pytest
import tensorflow_datasets as tfds
from apache_beam.options.pipeline_options import PipelineOptions
from test_tfds_build import hash_files

import seqdigits_tfds
from helpers import TINY, build_custom
from seqdigits_tfds import InputError, SeqDigitsConfig

TWENTY_THOUSAND = {
    "name": "twenty",
    "num_train": 20_000,
    "num_validation": 200,
    "num_test": 200,
}


def build_with_beam(folder, settings, *flags):
    config = SeqDigitsConfig(source="optdigits", **settings)
    builder = seqdigits_tfds.Builder(data_dir=folder, config=config)
    builder.download_and_prepare(
        download_config=tfds.download.DownloadConfig(
            beam_options=PipelineOptions(list(flags))
        )
    )


def test_the_direct_runner_writes_equal_bytes(tiny_data_dir, tmp_path):
    build_with_beam(tmp_path, TINY, "--runner=DirectRunner")
    assert hash_files(tmp_path) == hash_files(tiny_data_dir)


def test_an_unknown_runner_is_refused_in_one_line(tmp_path):
    with pytest.raises(InputError, match=r"Beam .*Unexpected pipeline runner"):
        build_with_beam(tmp_path, TINY, "--runner=Nobody")
    assert not list(tmp_path.rglob("incomplete*"))


@pytest.fixture(scope="module")
def local(tmp_path_factory):
    folder = tmp_path_factory.mktemp("local")
    build_custom(folder, **TWENTY_THOUSAND)
    return hash_files(folder)


@pytest.fixture
def cluster():
    """A Dask cluster of two processes."""
    distributed = pytest.importorskip("distributed")
    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, dashboard_address=None
    ) as cluster:
        yield cluster


def build_with_dask(folder, cluster):
    build_with_beam(
        folder,
        TWENTY_THOUSAND,
        "--runner=apache_beam.runners.dask.dask_runner.DaskRunner",
        f"--dask_client_address={cluster.scheduler_address}",
        "--dask_partition_size=1",
    )


@pytest.mark.long
def test_the_direct_runner_writes_equal_bytes_of_many_examples(local, tmp_path):
    build_with_beam(tmp_path, TWENTY_THOUSAND, "--runner=DirectRunner")
    assert hash_files(tmp_path) == local


@pytest.mark.long
def test_a_cluster_writes_equal_bytes(local, cluster, tmp_path):
    build_with_dask(tmp_path, cluster)
    assert hash_files(tmp_path) == local


@pytest.mark.long
def test_a_killed_worker_does_no_harm(local, cluster, tmp_path):
    """Its shards are written by the other one."""
    distributed = pytest.importorskip("distributed")
    with distributed.Client(cluster) as client:
        pids = list(client.run(os.getpid).values())
    assert len(pids) == 2
    with concurrent.futures.ThreadPoolExecutor() as executor:
        building = executor.submit(build_with_dask, tmp_path, cluster)
        # The first shard is being written.
        while not list(tmp_path.rglob("incomplete.*/*tfrecord*")):
            assert not building.done(), building.result()
            time.sleep(0.02)
        os.kill(pids[0], signal.SIGKILL)
        building.result(timeout=300)
    assert hash_files(tmp_path) == local
    assert not list(tmp_path.rglob("incomplete*"))
