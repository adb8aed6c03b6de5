"""Ways to load shuffled batches of uint8 images and their labels.

Each loader follows the documentation of its library. All read the same split,
from the files in `split_files.SplitFiles`. Libraries are imported
inside functions, because each loader runs in a separate process, and the memory
of that process is measured.
"""
