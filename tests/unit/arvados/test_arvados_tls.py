"""The same over https, which is what every real server speaks."""

from __future__ import annotations

import contextlib
import dataclasses
import datetime
import ipaddress
import ssl
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from arvados_site import TOKEN, forget_client, settings_for
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from werkzeug.serving import make_server

from arvnodeman.fleet.values.model import BootIntent, ErrorKind, RemoteFailure
from arvnodeman.records.keeper import make_keeper
from arvnodeman.sandbox.arvados_api import ArvadosApi
from arvnodeman.sandbox.arvados_store import ArvadosStore


def certificate(folder: Path) -> tuple[Path, Path]:
    """A self-signed certificate for 127.0.0.1, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    day = datetime.timedelta(days=1)
    now = datetime.datetime.now(datetime.UTC)
    built = (
        x509.CertificateBuilder(name, name, key.public_key(), 1, now - day, now + day)
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    public, private = folder / "cert.pem", folder / "key.pem"
    public.write_bytes(built.public_bytes(serialization.Encoding.PEM))
    encryption = serialization.NoEncryption()
    pem, pkcs8 = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    private.write_bytes(key.private_bytes(pem, pkcs8, encryption))
    return public, private


@contextlib.contextmanager
def serving_tls(public: Path, private: Path) -> Iterator[str]:
    """The sandbox's API server behind TLS: HOST:PORT."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(public, private)
    store = ArvadosStore(time.time)
    store.add_token(TOKEN)
    server = make_server("127.0.0.1", 0, ArvadosApi(store, time.time), threaded=True, ssl_context=context)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"127.0.0.1:{server.port}"
    finally:
        forget_client()
        server.shutdown()
        thread.join(10)
        server.server_close()


@pytest.mark.parametrize("way", ["certs_file", "insecure"])
def test_records_are_kept_over_https(tmp_path: Path, way: str) -> None:
    public, private = certificate(tmp_path)
    with serving_tls(public, private) as host:
        settings = settings_for(tmp_path, host)
        certs_file = str(public) if way == "certs_file" else ""
        arvados = dataclasses.replace(settings.arvados, insecure=way == "insecure")
        daemon = dataclasses.replace(settings.daemon, certs_file=certs_file)
        keeper = make_keeper(dataclasses.replace(settings, arvados=arvados, daemon=daemon))
        prepared = keeper.prepare(BootIntent("small", 0.1, "boot-1", 1.0), None)
        assert keeper.list_records() == (prepared.record,)


@pytest.mark.parametrize("certs_file", ["", "/nonexistent/certs.pem"])
def test_a_certificate_that_nobody_vouches_for_is_refused_in_one_line(tmp_path: Path, certs_file: str) -> None:
    with serving_tls(*certificate(tmp_path)) as host:
        settings = settings_for(tmp_path, host)
        daemon = dataclasses.replace(settings.daemon, certs_file=certs_file)
        with pytest.raises(RemoteFailure) as caught:
            make_keeper(dataclasses.replace(settings, daemon=daemon)).list_records()
        error = caught.value.error
        assert (error.kind, error.hint, "\n" in error.text) == (ErrorKind.REFUSED, "[Daemon] certs_file", False)
