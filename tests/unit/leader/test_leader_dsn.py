"""How PostgreSQL is reached, and its errors without secrets."""

from __future__ import annotations

import pytest

from arvnodeman.leader.dsn import connection_options, in_one_line


def test_what_the_text_leaves_open_is_bounded_and_what_it_says_stays() -> None:
    given = connection_options(
        "host=db connect_timeout=9 options='-c work_mem=1MB'", timeout=3.0, statement_timeout=2.4
    )
    assert given["connect_timeout"] == "9"
    assert given["tcp_user_timeout"] == "3000"
    assert given["target_session_attrs"] == "read-write"
    assert given["options"] == "-c work_mem=1MB -c statement_timeout=2400"
    assert connection_options("postgresql://a@h1,h2:5433/d", timeout=0.5, statement_timeout=0.0001)["port"] == ",5433"


@pytest.mark.parametrize(
    "text",
    [
        *("host=/run/postgresql", "hostaddr=10.0.0.1,10.0.0.2 port=5432,5433", "dbname=x", "host=a,b port=5433"),
        *("postgresql:///d?sslmode=disable", "host=db sslmode=verify-full sslrootcert=/none keepalives=0"),
    ],
)
def test_what_libpq_takes_is_taken_and_nobody_is_asked(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def connects(*_arguments: object) -> None:
        raise AssertionError("a host was asked for")

    monkeypatch.setattr("socket.getaddrinfo", connects)
    assert connection_options(text, timeout=3.0, statement_timeout=2.4)["tcp_user_timeout"] == "3000"


def test_an_error_is_one_line_without_secrets() -> None:
    error = ValueError("\n no entry for sesame,\tsesame\nand more\n")
    assert in_one_line(error, ["sesame", None, ""]) == "no entry for (password), (password)"
    assert in_one_line(ValueError(), []) == "ValueError"
    assert len(in_one_line(ValueError("x" * 5000), [])) == 300
