# The trainer, for CPUs or for NVIDIA GPUs:
#
#   docker build -t seqdigits .
#   docker build -t seqdigits-gpu --build-arg EXTRAS=[gpu] .
#   docker run --gpus=all -v "$PWD/shared:/shared" seqdigits-gpu \
#     python -m trainer --data_dir=/shared/data --workdir=/shared/my_run
#
# The extra brings CUDA as Python packages, so both have the same base; the host
# needs NVIDIA's driver and container toolkit.
FROM python:3.12-slim

ARG EXTRAS=""

WORKDIR /src
COPY LICENSE README.md pyproject.toml ./
COPY seqdigits_tfds seqdigits_tfds
COPY trainer trainer
RUN pip install --no-cache-dir "./${EXTRAS}" \
    && useradd --create-home --uid=1000 trainer

USER 1000
WORKDIR /home/trainer
CMD ["python", "-m", "trainer.doctor"]
