"""Benchmarks of the builder, the input pipeline, and the models."""
