"""From the name of a strategy to replicas on devices and machines.

`cluster` reads the list of workers, `strategy` makes the strategy, and
`collectives` lets the workers communicate.
"""
