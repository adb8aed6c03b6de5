"""From a configuration to a finished run directory.

`loop` trains a `learner` according to a `schedule`, and records everything in a
`history` of metrics, `tensorboard` files and `checkpoints`. `directory` and
`files` write the run directory, `predictions` saves what the report shows.
`console` prints, `throughput` measures speed, `preemption` handles signals.
"""
