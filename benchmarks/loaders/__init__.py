"""Ways to load shuffled batches of uint8 images and their labels.

Each loader is set up as the documentation of its library says. All read the
same split, from the files that `split_files` writes. Libraries are imported
inside functions, because each loader runs in a separate process, and the memory
of that process is measured.
"""
