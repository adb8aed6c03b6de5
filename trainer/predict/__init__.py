"""From pictures to digits, with a trained model: `python -m trainer.predict`.

`pictures` finds and opens files, `ink` tells ink from paper, `shapes` finds
lines of digits, `conversion` arranges them like the dataset does, `reader`
applies the model, and `drawing` shows what was read.
"""
