"""`multi_worker`: what goes wrong among several workers."""

import json
import signal
import socket
import time

import pytest
from trainer.cluster import parse_tf_config

from seqdigits_tfds import InputError
from trainers import find_ports, make_tf_configs, start

TWO = {"worker": ["a:1", "b:2"]}


def to_text(cluster, job="worker", index=0):
    return json.dumps(
        {"cluster": cluster, "task": {"type": job, "index": index}}
    )


def test_tf_config_is_understood():
    cluster = parse_tf_config(to_text(TWO, index=1))
    assert (cluster.address, len(cluster)) == ("b:2", 2)
    assert not cluster.is_chief
    assert parse_tf_config(to_text(TWO)).is_chief


def test_a_chief_of_its_own_is_the_chief():
    workers = {"chief": ["a:1"], "worker": ["b:1", "c:1"]}
    assert parse_tf_config(to_text(workers, "chief")).is_chief
    assert not parse_tf_config(to_text(workers)).is_chief


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (None, "found none"),
        ("", "found none"),
        ("{cluster", "Expecting property name"),
        ("[]", "list indices"),
        ('{"cluster": {}}', "no 'task'"),
        (to_text(TWO, index=2), "no task 2 among its 2 of type 'worker'"),
        (to_text(TWO, index="0"), "no task 0"),
        (to_text(TWO, job="ps"), "of type 'ps'"),
        (to_text({**TWO, "ps": ["c:1"]}), "ps take no part here"),
        (to_text({"worker": ["a:1", "a:1"]}), "two workers have one address"),
        (to_text({"worker": ["a"]}), "'a' is not host:port"),
        (to_text({"worker": ["a:b"]}), "invalid literal"),
        (to_text({"worker": ["a:70000"]}), "'a:70000' is not host:port"),
        (to_text({"chief": ["a:1", "b:1"]}, "chief"), "must be one chief"),
    ],
)
def test_a_malformed_tf_config_is_refused(text, reason):
    with pytest.raises(InputError, match="TF_CONFIG") as caught:
        parse_tf_config(text)
    assert reason in str(caught.value)
    assert "\n" not in str(caught.value)


def get_error(trainer):
    assert trainer.wait() == 1, trainer.output
    assert "Traceback" not in trainer.output
    line = trainer.output.splitlines()[-1]
    assert line.startswith("error: ")
    return line


def test_the_trainer_refuses_a_malformed_tf_config(tmp_path):
    flags = ("--strategy=multi_worker", f"--workdir={tmp_path / 'run'}")
    trainer = start(tmp_path / "log", *flags, TF_CONFIG="{'cluster'")
    assert "TF_CONFIG must be JSON such as" in get_error(trainer)
    trainer = start(tmp_path / "log", *flags, TF_CONFIG="")
    assert "needs the environment variable TF_CONFIG" in get_error(trainer)
    assert not (tmp_path / "run").exists()


def test_a_taken_port_is_refused(tmp_path):
    (port,) = find_ports(1)
    with socket.socket() as taken:
        taken.bind(("", port))
        taken.listen()
        trainer = start(
            tmp_path / "log",
            "--strategy=multi_worker",
            f"--workdir={tmp_path / 'run'}",
            TF_CONFIG=to_text({"worker": [f"localhost:{port}"]}),
        )
        error = get_error(trainer)
    assert f"port {port}" in error
    assert "Address already in use" in error


@pytest.fixture
def start_workers(tiny_data_dir, tmp_path):
    """Starts two workers with the same flags, but for those of the second."""

    def start_both(*second_flags):
        flags = (
            "--strategy=multi_worker",
            "--dataset=seqdigits/tiny",
            f"--data_dir={tiny_data_dir}",
            f"--workdir={tmp_path / 'run'}",
            "--global_batch_size=96",
            "--log_every_steps=2",
        )
        chief, other = make_tf_configs(2)
        return [
            start(tmp_path / "chief.log", *flags, TF_CONFIG=chief),
            start(
                tmp_path / "other.log", *flags, *second_flags, TF_CONFIG=other
            ),
        ]

    return start_both


def test_sigterm_to_one_worker_stops_all(start_workers, tmp_path):
    chief, other = start_workers()
    metrics = tmp_path / "run" / "metrics.jsonl"
    while not metrics.exists() or not metrics.stat().st_size:
        assert chief.process.poll() is None, chief.output
        time.sleep(0.01)
    other.process.send_signal(signal.SIGTERM)
    assert [chief.wait(), other.wait()] == [143, 143]
    line = chief.output.splitlines()[-1]
    assert line.startswith("Stopped by another worker. Step ")
    assert "is saved" in line
    step = int(line.split("Step ")[1].split()[0])
    assert list((tmp_path / "run" / "checkpoints").glob(f"step-*{step}.*"))
    chief, other = start_workers()
    assert [chief.wait(), other.wait()] == [0, 0]
    assert f"going on after {step}" in chief.output
    # The other one leaves it to the chief to speak.
    assert "Epoch" not in other.output
    # Both know that it has ended.
    chief, other = start_workers()
    assert [chief.wait(), other.wait()] == [0, 0]
    assert "has ended before" in chief.output


def test_workers_with_different_settings_are_refused(start_workers):
    chief, other = start_workers("--seed=1")
    assert "must have the same settings" in get_error(other)
    assert "lost another worker" in get_error(chief)
