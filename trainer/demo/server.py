"""The web application: a page, and an address that reads pictures."""

import base64
import io
import math
from typing import Any

import flask
import numpy as np
from PIL import Image

from seqdigits_tfds import InputError
from seqdigits_tfds.builder_config import TILED
from trainer.predict.pictures import decode_picture
from trainer.predict.reader import Reader

MAX_BYTES = 8_000_000
"""Largest upload."""

_MAX_PIXELS = 12_000_000
"""Largest picture: as decoded, it needs 36 MB."""


def make_app(reader: Reader, name: str) -> flask.Flask:
    """Makes the application.

    Args:
      reader: The model.
      name: What the page calls it.
    """
    app = flask.Flask(__name__, static_folder=None)
    app.config["MAX_CONTENT_LENGTH"] = MAX_BYTES

    @app.get("/")
    def show() -> flask.Response:
        response = flask.make_response(
            flask.render_template(
                "page.html",
                name=name,
                may_touch=reader.layout != TILED,
                max_megabytes=MAX_BYTES // 1_000_000,
            )
        )
        # The browser itself keeps the page from asking anybody else.
        response.headers["Content-Security-Policy"] = (
            "default-src 'none'; connect-src 'self'; img-src data: blob:;"
            " script-src 'unsafe-inline'; style-src 'unsafe-inline'"
        )
        return response

    @app.post("/read")
    def read() -> tuple[dict[str, Any], int]:
        try:
            content = flask.request.get_data(cache=False)
            lines = reader.read(decode_picture(content, _MAX_PIXELS))
        except InputError as error:
            return {"error": str(error)}, 400
        for line in lines:
            if line.error is not None:
                return {"error": line.error}, 400
        return {
            "digits": "\n".join(line.digits for line in lines),
            "confidence": math.prod(line.confidence for line in lines),
            "probabilities": [
                row
                for line in lines
                for row in np.round(
                    line.probabilities.astype(float), 4
                ).tolist()
            ],
            "seen": _to_data_url(
                np.hstack([image for line in lines for image in line.images])
            ),
        }, 200

    @app.errorhandler(413)
    def refuse(_: Exception) -> tuple[dict[str, str], int]:
        megabytes = MAX_BYTES // 1_000_000
        error = f"expected at most {megabytes} MB, found more; scale it down"
        return {"error": error}, 413

    return app


def _to_data_url(image: np.ndarray) -> str:
    file = io.BytesIO()
    Image.fromarray(image[:, :, 0]).save(file, format="PNG")
    return f"data:image/png;base64,{base64.b64encode(file.getvalue()).decode()}"
