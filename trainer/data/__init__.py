"""From a dataset to the batches on the devices; usable without the other rooms.

In the order in which an example passes: `dataset` chooses and prepares the
dataset, `loading` opens its splits (`splits`, `fresh`), `pipeline` shuffles and
distributes them, `decoding` and `distortion` make the images. `randomness` has
every random number of a run, `sequences` the shape and text of an example.
"""
