"""The signature of a request, from its description in the OpenAPI document and from nothing of ours."""

import hashlib
import hmac
import secrets
import time
from urllib.parse import parse_qsl, unquote, urlencode, urlsplit

from requests import PreparedRequest
from requests.auth import AuthBase


class Signature(AuthBase):
    """Signs what is sent, once everything else about the request is settled."""

    def __init__(self, api_key: str) -> None:
        self._api_key = api_key
        self._signing_key = hmac.digest(api_key.encode(), b"alter-signing-v1", "sha256")

    def __call__(self, request: PreparedRequest) -> PreparedRequest:
        body = request.body or b""
        body = body.encode() if isinstance(body, str) else body
        url = urlsplit(request.url or "")
        query = sorted(parse_qsl(url.query, keep_blank_values=True))
        target = unquote(url.path) + (f"?{urlencode(query)}" if query else "")
        timestamp, nonce, digest = str(int(time.time())), secrets.token_hex(16), hashlib.sha256(body).hexdigest()
        text = "\n".join([request.method or "", target, timestamp, nonce, digest, ""])
        request.headers.update(
            {
                "X-API-Key": self._api_key,
                "X-Alter-Timestamp": timestamp,
                "X-Alter-Nonce": nonce,
                "X-Alter-Content-SHA256": digest,
                "X-Alter-Signature": hmac.digest(self._signing_key, text.encode(), "sha256").hex(),
            }
        )
        return request


class Operator(AuthBase):
    """Sends an operator's key."""

    def __init__(self, operator_key: str) -> None:
        self._operator_key = operator_key

    def __call__(self, request: PreparedRequest) -> PreparedRequest:
        request.headers["Authorization"] = f"Bearer {self._operator_key}"
        return request
