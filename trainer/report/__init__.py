"""From a finished run directory to a page: `python -m trainer.report`.

`page` reads the run directory and fills `template.html` with `sections`, whose
`charts` are drawn with Matplotlib.
"""
