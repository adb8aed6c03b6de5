"""From pictures to digits, with a trained model: `python -m trainer.predict`.

`pictures` finds and opens files, `conversion` arranges their digits like the
dataset does, and `reader` applies the model.
"""
