"""The trainer: streams `seqdigits` into distributed Keras training."""
