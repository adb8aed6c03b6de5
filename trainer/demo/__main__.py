"""Serves a page to write digits on, read by a trained model while writing.

  pip install "seqdigits[demo]"
  python -m trainer.demo --workdir=my_run

Write with a mouse, a pen or a finger, or drop a picture. Only this machine can
open the page unless --host says otherwise. Nothing is stored, and nothing is
requested from anybody else.
"""

import pathlib
from collections.abc import Sequence

from absl import app, flags

from seqdigits_tfds import InputError
from seqdigits_tfds.terminal import quiet_tensorflow

with quiet_tensorflow():
    from trainer.predict.reader import Reader

_WORKDIR = flags.DEFINE_string(
    "workdir", None, "Run directory of the trainer.", required=True
)
_HOST = flags.DEFINE_string(
    "host", "localhost", "Address to listen on; 0.0.0.0 for all networks."
)
_PORT = flags.DEFINE_integer(
    "port",
    8000,
    "Port to listen on; 0 for any.",
    lower_bound=0,
    upper_bound=65535,
)


def main(argv: Sequence[str]) -> None:
    """Serves the page until it is interrupted."""
    if len(argv) > 1:
        raise app.UsageError(f"unexpected argument {argv[1]!r}")
    try:
        import waitress

        from trainer.demo.server import MAX_BYTES, make_app
    except ImportError as error:
        raise InputError(
            f"the demo needs the package {error.name}; run"
            " pip install 'seqdigits[demo]'"
        ) from error
    workdir = pathlib.Path(_WORKDIR.value).expanduser()
    reader = Reader.load(workdir / "model.keras")
    try:
        server = waitress.create_server(
            make_app(reader, workdir.resolve().name),
            host=_HOST.value,
            port=_PORT.value,
            # Uploads are cut off there, whatever length they announce.
            max_request_body_size=MAX_BYTES,
            threads=2,
            connection_limit=100,
            clear_untrusted_proxy_headers=True,
        )
    except (OSError, ValueError) as error:
        raise InputError(
            f"can't listen on {_HOST.value}:{_PORT.value} ({error}); choose"
            " another --port or --host"
        ) from error
    port = getattr(server, "effective_port", None)
    if port is None:  # One server for each of the host's addresses.
        port = server.effective_listen[0][1]
    host = f"[{_HOST.value}]" if ":" in _HOST.value else _HOST.value
    print(f"Open http://{host}:{port} (Ctrl-C ends it).", flush=True)
    server.run()


if __name__ == "__main__":
    app.run(main)
