"""Says whether a training with these flags would work here, and how.

  python -m trainer.doctor --strategy=mirrored

It takes the trainer's flags. Each line is about one thing, "ok" or "NO" with
what to do. Nothing is prepared or downloaded. The exit code is 1 if the
training would fail.
"""

import sys

from trainer.doctor.versions import describe_packages, find_unsupported

if __name__ == "__main__":
    # First: other versions may fail while they are imported.
    unsupported = find_unsupported()
    for line in unsupported:
        print(f"NO   packages      {line}")
    if unsupported:
        sys.exit(1)
    print(f"ok   packages      {describe_packages()}")

    from absl import app, flags

    from trainer.doctor import checks

    checks.define_flags()
    flags.adopt_module_key_flags(checks)
    app.run(checks.main)
