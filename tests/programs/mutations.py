"""Applies deliberate faults, one at a time, and runs the tests on each.

`python tests/programs/mutations.py [NAME...]` copies the checkout, and applies
each fault to the copy. For each fault, it runs the test files that should
detect it; if they pass, README's test command; and if that passes too, the long
tests. Prints a Markdown table.

The faults are in `faults/`, one file per package. Each fault has a name, a
file, the text to replace, which must occur once in the file, the replacement,
and the names of test files, without `test_` and `.py`, or of single tests in
them, such as `files::test_a_failed_write_keeps_the_old_content`.
"""

import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time
import tomllib

from helpers import PROGRAMS, ROOT

FAULTS = PROGRAMS / "faults"


def read_faults():
    """Yields the faults of all files."""
    for path in sorted(FAULTS.glob("*.toml")):
        yield from tomllib.loads(path.read_text())["fault"]


def copy_checkout(folder):
    """Copies all files of the checkout except those that git ignores."""
    names = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    ).stdout.splitlines()
    for name in names:
        if (ROOT / name).exists():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(ROOT / name, folder / name)


def run_tests(folder, *arguments):
    """Returns the first failed test, or None if all pass."""
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-x", "-q", "--tb=no", *arguments],
        cwd=folder,
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
    )
    if done.returncode == 0:
        return None
    failed = [
        line.split(" ")[1]
        for line in done.stdout.splitlines()
        if line.startswith(("FAILED ", "ERROR "))
    ]
    if not failed:
        sys.exit(f"the tests did not run:\n{done.stdout}{done.stderr}")
    return failed[0].removeprefix("tests/")


def find_test(folder, suspects):
    """Returns the command and the test that detect the fault."""
    files = [
        "tests/test_{}.py{}{}".format(*name.partition("::"))
        for name in suspects
    ]
    stages = (
        ("README's", ["-n0", *files]),
        ("README's", []),
        ("`.ci/run`", ["-m", "long"]),
    )
    for command, arguments in stages:
        test = run_tests(folder, *arguments)
        if test is not None:
            return command, test
    return "none", ""


def main(*names):
    print("| fault | file | noticed by | test | s |\n|---|---|---|---|---|")
    noticed = {}
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        copy_checkout(folder)
        for fault in read_faults():
            name, file = fault["name"], fault["file"]
            if names and name not in names:
                continue
            path = folder / file
            text = path.read_text()
            if text.count(fault["old"]) != 1:
                sys.exit(f"{file} must contain this once: {fault['old']!r}")
            path.write_text(text.replace(fault["old"], fault["new"]))
            start = time.monotonic()
            command, test = find_test(folder, fault["tests"])
            seconds = time.monotonic() - start
            path.write_text(text)
            noticed[name] = command
            print(
                f"| {name} | `{file}` | {command} | `{test}` | {seconds:.0f} |",
                flush=True,
            )
    counts = {c: list(noticed.values()).count(c) for c in noticed.values()}
    print(f"\n{len(noticed)} faults: {counts}")


if __name__ == "__main__":
    main(*sys.argv[1:])
