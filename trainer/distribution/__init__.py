"""From the name of a strategy to replicas on devices and machines.

`cluster` reads which workers there are, `strategy` makes the strategy, and
`collectives` lets the workers communicate.
"""
