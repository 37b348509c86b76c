#!/bin/bash
# An error of Google's cloud comes as a class with the `code` of the answer's JSON: "invalid" of a 400, "rateLimitExceeded" of a
# 403. Of a 404 the code is lost: ResourceNotFoundError takes it, and then has None, as its constructor hands the driver on in
# the code's place. So an instance that is gone ("notFound") cannot be told by the code from a proxy's 404 page. One would take
# a class with a parameter `code` to keep it, as the others do. Ends with 0 while that is so.
set -euo pipefail
cd "$(mktemp -d)"; here=$PWD; trap 'cd /; rm -rf "$here"' EXIT
python3 -m pip install --quiet --disable-pip-version-check --target site apache-libcloud==3.9.1 \
  >pip.log 2>&1 || { cat pip.log; exit 2; }
PYTHONPATH=site python3 - <<'P'
import json
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import libcloud
from libcloud.common.base import Connection
from libcloud.common.google import GoogleResponse

SAID = {400: "invalid", 403: "rateLimitExceeded", 404: "notFound"}  # as Compute Engine answers


class Google(BaseHTTPRequestHandler):
    def log_message(self, *args):
        pass

    def do_GET(self):
        status, reason = int(self.path[1:]), SAID[int(self.path[1:])]
        item = {"domain": "global", "reason": reason, "message": "words"}
        body = json.dumps({"error": {"code": status, "message": "words", "errors": [item]}}).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


class Asking(Connection):
    responseCls = GoogleResponse


server = HTTPServer(("127.0.0.1", 0), Google)
threading.Thread(target=server.serve_forever, daemon=True).start()
print("apache-libcloud", libcloud.__version__)
seen = {}
for status, reason in SAID.items():
    try:
        Asking(secure=False, host="127.0.0.1", port=server.server_port).request(f"/{status}")
    except Exception as error:
        seen[status] = error.code
        print(f"{status} with the reason {reason}: {type(error).__name__}, code {error.code!r}")
raise SystemExit(seen != {400: "invalid", 403: "rateLimitExceeded", 404: None})
P
