"""From a dataset to the batches on the devices.

In the order of the data flow: `dataset` chooses and prepares the dataset,
`loading` opens its splits (`splits`, `fresh`), `pipeline` shuffles and
distributes them, `decoding` and `distortion` make the images. `randomness`
defines every random number of a run, `sequences` the shape and text of an
example. The only other package of the trainer that it needs is `terminal`.
"""
