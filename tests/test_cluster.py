"""TF_CONFIG, the flags for workers, and the agreement between workers."""

import json
import socket

import pytest
import tensorflow as tf

import trainers
from seqdigits_tfds import InputError
from trainer.distribution import collectives
from trainer.distribution.cluster import (
    Cluster,
    check_port_free,
    find_cluster,
)
from trainer.distribution.strategy import make_strategy

TWO = {"worker": ["a:1", "b:2"]}


def to_text(cluster, job="worker", index=0):
    return json.dumps(
        {"cluster": cluster, "task": {"type": job, "index": index}}
    )


@pytest.fixture
def read(monkeypatch):
    """Reads a cluster from a value of TF_CONFIG."""

    def set_and_read(text):
        monkeypatch.setenv("TF_CONFIG", text)
        return find_cluster()

    return set_and_read


def test_tf_config_defines_the_workers(read):
    cluster = read(to_text(TWO, index=1))
    assert (cluster.address, len(cluster)) == ("b:2", 2)
    assert not cluster.is_chief
    assert read(to_text(TWO)).is_chief


def test_a_task_of_the_job_chief_is_the_chief(read):
    tasks = {"chief": ["a:1"], "worker": ["b:1", "c:1"]}
    assert read(to_text(tasks, "chief")).is_chief
    assert not read(to_text(tasks)).is_chief


def test_flags_define_the_workers(monkeypatch):
    monkeypatch.delenv("TF_CONFIG", raising=False)
    cluster = find_cluster("a:1, b:2", 1)
    assert (cluster.address, len(cluster)) == ("b:2", 2)
    assert cluster.source == "--workers"
    with pytest.raises(InputError, match="--workers must be host:port"):
        find_cluster("a:1,b", 0)
    with pytest.raises(InputError, match="no task 2 among the 2"):
        find_cluster("a:1,b:2", 2)
    with pytest.raises(InputError, match=r"set --workers=.*SLURM's srun"):
        find_cluster()


def test_tf_config_wins(read, monkeypatch):
    monkeypatch.setenv("SLURM_STEP_NODELIST", "n1")
    assert read(to_text(TWO)).source == "TF_CONFIG"
    assert find_cluster("c:1,d:2", 1).address == "a:1"


def test_the_operators_tf_config_is_read(read):
    """As Kubeflow's TFJob sets it for a chief and workers."""
    tasks = {
        "chief": ["seqdigits-chief-0.ml.svc:2222"],
        "worker": [f"seqdigits-worker-{i}.ml.svc:2222" for i in range(2)],
    }
    for job, index in (("chief", 0), ("worker", 0), ("worker", 1)):
        content = {
            "cluster": tasks,
            "task": {"type": job, "index": index},
            "environment": "cloud",
        }
        cluster = read(json.dumps(content))
        assert cluster.address == tasks[job][index]
        assert cluster.is_chief == (job == "chief")
        assert len(cluster) == 3


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("{}", "no workers are defined"),
        ("{cluster", "Expecting property name"),
        ("[]", "its value can't be used"),
        ('{"cluster": {"worker": ["a:1"]}}', "no task None"),
        (to_text(TWO, index=2), "no task 2 among the 2 tasks of type 'worker'"),
        (to_text(TWO, index=-1), "no task -1"),
        (to_text(TWO, index="x"), "invalid literal"),
        (to_text(TWO, job="ps"), "of type 'ps'"),
        (to_text({**TWO, "ps": ["c:1"]}), "job ps is neither chief nor worker"),
        (to_text({"worker": ["a:1", "a:1"]}), "have the same address"),
        (to_text({"worker": ["a"]}), "'a' is not host:port"),
        (to_text({"worker": ["a:b"]}), "'a:b' is not host:port"),
        (to_text({"worker": ["a:70000"]}), "'a:70000' is not host:port"),
        (to_text({"chief": ["a:1", "b:1"]}, "chief"), "exactly one chief"),
    ],
)
def test_an_invalid_tf_config_is_rejected(read, text, reason):
    with pytest.raises(InputError, match="TF_CONFIG") as caught:
        read(text)
    assert reason in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_trainer_needs_the_workers_addresses(
    train_here, tmp_path, monkeypatch
):
    monkeypatch.delenv("TF_CONFIG", raising=False)
    with pytest.raises(InputError, match="needs the workers' addresses"):
        train_here(tmp_path / "run", strategy="multi_worker")
    assert not (tmp_path / "run").exists()


def test_a_port_in_use_is_reported():
    (port,) = trainers.find_ports(1)
    cluster = Cluster(
        {"worker": [f"localhost:{port}"]}, "worker", 0, "--workers"
    )
    check_port_free(cluster)
    with socket.socket() as taken:
        taken.bind(("", port))
        taken.listen()
        with pytest.raises(InputError, match=rf"port {port}.*already in use"):
            make_strategy("multi_worker", cluster=cluster)


def test_the_values_of_the_first_replica_are_broadcast():
    strategy = make_strategy("mirrored", 2)
    values = [3, [[0.5, -1.0]], 2.0**47 + 1]
    found = collectives.broadcast(strategy, values)
    assert [value.tolist() for value in found] == values


def test_a_worker_that_disagrees_with_the_chief_is_rejected(monkeypatch):
    strategy = tf.distribute.OneDeviceStrategy("/CPU:0")
    collectives.check_agreement(strategy, {"seed": 0})
    digests = []
    broadcast = collectives.broadcast

    def chief(strategy, values):
        digests.append(values)
        return broadcast(strategy, digests[0])

    monkeypatch.setattr(collectives, "broadcast", chief)
    collectives.check_agreement(strategy, {"seed": 0})
    with pytest.raises(InputError, match="must have the same settings"):
        collectives.check_agreement(strategy, {"seed": 1})


def test_a_failed_collective_is_a_lost_worker_error():
    cluster = Cluster(TWO, "worker", 1, "TF_CONFIG")
    error = tf.errors.UnavailableError(None, None, "gone")
    with (
        pytest.raises(collectives.LostWorkerError, match="worker b:2 lost"),
        collectives.detect_lost_workers(cluster),
    ):
        raise error
    with (
        pytest.raises(tf.errors.UnavailableError),
        collectives.detect_lost_workers(None),
    ):
        raise error
