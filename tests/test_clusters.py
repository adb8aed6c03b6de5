"""Workers from SLURM's variables, and the examples of docs/clusters.md."""

import json
import os
import pathlib
import re
import subprocess
import sys

import pytest
import yaml

import trainers
from helpers import ROOT
from run_directories import read_losses
from seqdigits_tfds import InputError
from trainer.distribution import slurm
from trainer.distribution.cluster import find_cluster

FIRST_PORT = 16_384 + 16 * 7


def make_environment(hosts, tasks, rank=0, node=0, local=0, **others):
    """Returns the variables of one task of the job with the id 7."""
    return {
        "SLURM_JOB_ID": "7",
        "SLURM_STEP_ID": "0",
        "SLURM_STEP_NODELIST": hosts,
        "SLURM_STEP_TASKS_PER_NODE": tasks,
        "SLURM_PROCID": str(rank),
        "SLURM_NODEID": str(node),
        "SLURM_LOCALID": str(local),
        **others,
    }


@pytest.mark.parametrize(
    ("environment", "hosts"),
    [
        (make_environment("node1", "1"), "node1"),
        (make_environment("node1", "2", 1, 0, 1), "node1 node1"),
        (make_environment("node1", "8", 7, 0, 7), " ".join(["node1"] * 8)),
        (make_environment("node[1-2]", "1(x2)", 1, 1), "node1 node2"),
        # Not sorted by name: SLURM counts in the order of the list.
        (make_environment("n[2,10]", "1(x2)", 1, 1), "n2 n10"),
        (
            make_environment("node[01-03,7]", "1(x4)", 3, 3),
            "node01 node02 node03 node7",
        ),
        (
            make_environment("node[008-011]", "1(x4)", 2, 2),
            "node008 node009 node010 node011",
        ),
        (
            make_environment("a,b1,c[1-2]", "2,1(x3)", 2, 1),
            "a a b1 c1 c2",
        ),
        (
            make_environment("gpu[1-2]", "4(x2)", 5, 1, 1),
            "gpu1 gpu1 gpu1 gpu1 gpu2 gpu2 gpu2 gpu2",
        ),
        (make_environment("big,small", "3,1", 3, 1), "big big big small"),
        (
            make_environment("rack[1-2]n[1-2]", "1(x4)", 2, 2),
            "rack1n1 rack1n2 rack2n1 rack2n2",
        ),
        (
            make_environment("n[1-2]-ib.example.org", "1(x2)", 1, 1),
            "n1-ib.example.org n2-ib.example.org",
        ),
        (
            make_environment(
                "n[1-2]", "2(x2)", 2, 1, SLURM_DISTRIBUTION="block:cyclic"
            ),
            "n1 n1 n2 n2",
        ),
        # Part of an allocation: the step's hosts count, not the job's.
        (
            make_environment(
                "n3",
                "2",
                1,
                0,
                1,
                SLURM_JOB_NODELIST="n[1-3]",
                SLURM_NTASKS="6",
            ),
            "n3 n3",
        ),
    ],
)
def test_the_workers_of_a_step_are_found(environment, hosts, monkeypatch):
    workers, rank = slurm.find_workers(environment)
    assert [worker.partition(":")[0] for worker in workers] == hosts.split()
    assert len(set(workers)) == len(workers)
    assert rank == int(environment["SLURM_PROCID"])
    port = FIRST_PORT + int(environment["SLURM_LOCALID"])
    assert workers[rank].endswith(f":{port}")
    monkeypatch.delenv("TF_CONFIG", raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    cluster = find_cluster()
    assert (cluster.address, cluster.source) == (workers[rank], "SLURM")
    assert cluster.is_chief == (rank == 0)


@pytest.mark.parametrize(
    ("environment", "message"),
    [
        (
            make_environment("n[1-2]", "1(x2)", SLURM_HET_SIZE="2"),
            "this SLURM job is heterogeneous",
        ),
        (
            make_environment("n[1-2]", "2(x2)", SLURM_DISTRIBUTION="cyclic"),
            "start them with srun --distribution=block",
        ),
        # Numbered round robin, as some sites' defaults do without saying so.
        (
            make_environment("n[1-2]", "2(x2)", 1, 1, 0),
            "task 1 of 4 to be number 0 on its host, .*--distribution=block",
        ),
        (make_environment("n[1-2]", "1", 0), "2 hosts, 1 counts"),
        (make_environment("n[1-2", "1(x2)"), "not a host list"),
        (make_environment("n[1-x]", "1(x2)"), "start the workers with srun"),
        (make_environment("n[1-2]", "two"), "'two' is not a number of tasks"),
        (make_environment("n[1-2]", "1(x2)", 2, 2), "task 2 of 2"),
        ({"SLURM_STEP_NODELIST": "n1"}, "SLURM_PROCID=None"),
    ],
)
def test_other_steps_are_refused_in_one_line(environment, message):
    with pytest.raises(InputError, match=message) as caught:
        slurm.find_workers(environment)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("local", "num_tasks", "visible", "on_host", "expected"),
    [
        (0, 1, 4, 4, [0, 1, 2, 3]),
        (1, 2, 4, 4, [2, 3]),
        (3, 4, 4, 4, [3]),
        (1, 3, 4, 4, [1]),
        # SLURM has given each task its own.
        (1, 4, 1, 4, [0]),
        (1, 2, 0, 0, []),
        # Not said by SLURM: shared, as CUDA_VISIBLE_DEVICES is not set.
        (1, 2, 2, 0, [1]),
    ],
)
def test_gpus_are_divided(local, num_tasks, visible, on_host, expected):
    environment = make_environment(
        "n1,n2", f"1,{num_tasks}", node=1, local=local
    )
    if on_host:
        environment["SLURM_GPUS_ON_NODE"] = str(on_host)
    assert list(slurm.share_gpus(environment, visible)) == expected


def test_more_tasks_than_gpus_are_refused():
    environment = make_environment("n1", "3", SLURM_GPUS_ON_NODE="2")
    with pytest.raises(InputError, match="3 tasks on this host need a GPU"):
        slurm.share_gpus(environment, 2)


PYTHON = pathlib.Path(sys.executable)

FLAGS = (
    "--dataset=seqdigits/tiny",
    "--model=small_network:small",
    "--max_steps=4",
    "--global_batch_size=48",
    "--log_every_steps=1",
)

SRUN = """#!{python}
import os, subprocess, sys
variables = {variables}
command = sys.argv[1:]
while command[0].startswith("--"):
    del command[0]
tasks = [
    subprocess.Popen(command, env={{**os.environ, **each}})
    for each in variables
]
sys.exit(max(task.wait() for task in tasks))
"""
"""A stand-in for srun, which starts the tasks on this machine."""


@pytest.fixture
def shared(tiny_data_dir, tmp_path):
    """A folder as the examples in docs/clusters.md expect it in /shared."""
    (tmp_path / "tensorflow_datasets").symlink_to(tiny_data_dir)
    return tmp_path


@pytest.fixture
def check_losses(shared):
    """Checks that a run in `shared` has the losses of a single process."""

    def check():
        alone = trainers.start(
            shared / "alone.log",
            *FLAGS,
            f"--data_dir={shared / 'tensorflow_datasets'}",
            f"--workdir={shared / 'alone'}",
        )
        assert alone.wait() == 0, alone.output
        assert read_losses(shared / "runs" / "my_run") == pytest.approx(
            read_losses(shared / "alone"), rel=1e-5
        )

    return check


def read_example(language):
    """Returns the longest example of docs/clusters.md in a language."""
    text = (ROOT / "docs" / "clusters.md").read_text()
    return max(
        re.findall(rf"```{language}\n(.*?)```", text, re.DOTALL), key=len
    )


@pytest.mark.long
def test_the_documented_job_trains(shared, check_losses):
    """Two tasks are given nothing but SLURM's variables."""
    script = read_example("sh").replace("/shared", str(shared)).rstrip()
    assert script.startswith("#!/bin/bash\n#SBATCH ")
    (shared / "job.sh").write_text(f"{script} {' '.join(FLAGS)}\n")
    srun = shared / "bin" / "srun"
    srun.parent.mkdir()
    variables = [
        make_environment("localhost", "2", rank, 0, rank) for rank in range(2)
    ]
    srun.write_text(SRUN.format(python=PYTHON, variables=variables))
    srun.chmod(0o755)
    path = [
        srun.parent,
        pathlib.Path(sys.executable).parent,
        os.environ["PATH"],
    ]
    done = subprocess.run(
        ["bash", shared / "job.sh"],
        env={
            **os.environ,
            "PATH": os.pathsep.join(map(str, path)),
            "PYTHONPATH": trainers.PYTHONPATH,
        },
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("all 2 workers from SLURM") == 2
    check_losses()


@pytest.mark.long
def test_the_documented_manifest_trains(shared, check_losses):
    """With the TF_CONFIG that Kubeflow's operator sets."""
    manifest = yaml.safe_load(
        read_example("yaml").replace("/shared", str(shared))
    )
    commands, tasks = {}, []
    for job, replica in manifest["spec"]["tfReplicaSpecs"].items():
        (container,) = replica["template"]["spec"]["containers"]
        # The operator recognises the container and its port by their names.
        assert container["name"] == "tensorflow"
        assert container["ports"][0]["name"] == "tfjob-port"
        commands[job.lower()] = [
            part.replace("/shared", str(shared))
            for part in container["command"]
        ]
        tasks += [(job.lower(), index) for index in range(replica["replicas"])]
    ports = iter(trainers.find_ports(len(tasks)))
    cluster = {job: [] for job in commands}
    for job, _ in tasks:
        cluster[job].append(f"localhost:{next(ports)}")
    running = [
        trainers.start(
            shared / f"{job}.{index}.log",
            *commands[job][1:],
            *FLAGS,
            program=(),
            TF_CONFIG=json.dumps(
                {
                    "cluster": cluster,
                    "task": {"type": job, "index": index},
                    "environment": "cloud",
                }
            ),
        )
        for job, index in tasks
    ]
    for trainer in running:
        assert trainer.wait() == 0, trainer.output
    assert len(running) == 4
    check_losses()
