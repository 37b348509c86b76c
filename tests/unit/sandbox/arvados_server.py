"""The sandbox's API server as a test asks it: without a socket, with a clock that the test moves."""

from __future__ import annotations

import json
import re
from typing import Any

from werkzeug.test import Client, TestResponse

from arvnodeman.sandbox.arvados_api import ArvadosApi
from arvnodeman.sandbox.arvados_store import ArvadosStore

NOW = 1_700_000_000.0


class Server:
    """The application, an administrator's and a user's token, and a clock that a test may move."""

    def __init__(self, **options: Any) -> None:
        self.now = NOW
        self.store = ArvadosStore(lambda: self.now, **options)
        self.store.add_token("admin")
        self.store.add_token("user", admin=False)
        self.store.add_token("asleep", admin=False, active=False)
        self.api = ArvadosApi(self.store, lambda: self.now)
        self.http = Client(self.api)

    def ask(self, method: str, path: str, body: object = None, token: str | None = "admin", **query: Any) -> Any:
        response = self.raw(method, path, body, token, **query)
        assert response.status_code == 200, response.text
        return response.json

    def raw(
        self, method: str, path: str, body: object = None, token: str | None = "admin", **query: Any
    ) -> TestResponse:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        texts = {name: value if isinstance(value, str) else json.dumps(value) for name, value in query.items()}
        url = f"/arvados/v1/{path}"
        return self.http.open(url, method=method, json=body, query_string=texts, headers=headers)

    def ping(self, node: dict[str, Any], **fields: str) -> TestResponse:
        form = {"ping_secret": node["info"]["ping_secret"], "local_ipv4": "10.0.0.1"} | fields
        return self.http.post(f"/arvados/v1/nodes/{node['uuid']}/ping", data=form)


def error_of(response: TestResponse) -> str:
    body = response.json
    assert isinstance(body, dict)
    assert re.fullmatch(r"\d+\+[0-9a-f]{8}", body["error_token"])
    (text,) = body["errors"]
    assert text.endswith(f" ({response.headers['X-Request-Id']})")
    return str(text)
