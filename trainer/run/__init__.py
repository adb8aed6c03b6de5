"""From a configuration to a finished run directory.

`loop` trains a `learner` according to a `schedule`, and records everything in a
`history` of metrics, `tensorboard` files and `checkpoints`. `directory` and
`files` own the run directory, `predictions` what a report will show. `console`,
`throughput` and `preemption` face the user.
"""
