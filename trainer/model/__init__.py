"""From a batch to its loss, gradients and metrics.

`networks` and `optimizer` define the models and their training, `steps`
compiles the steps of training and evaluation, `inference` predicts whole
splits, `metrics` evaluates predictions, and `export` writes models for serving.
"""
