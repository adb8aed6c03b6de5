"""From a batch to its loss, gradients and metrics.

`networks` and `optimizer` define what is trained and how, `steps` compiles the
steps of training and evaluation, `inference` predicts whole splits, `metrics`
evaluates predictions, and `export` writes models for serving.
"""
