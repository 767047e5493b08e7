"""The API against requests made up from its own description: no answer is a fault of the server's."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from serverhelp import HEADERS, running, settings_of, settled, show, upload
from starlette.testclient import TestClient

schemathesis = pytest.importorskip("schemathesis")

from hypothesis import HealthCheck, Phase, given, settings  # noqa: E402
from schemathesis.checks import not_a_server_error  # noqa: E402
from schemathesis.specs.openapi.checks import (  # noqa: E402
    content_type_conformance,
    status_code_conformance,
)

_CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance]
_SETTINGS = settings(
    max_examples=12,
    deadline=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
    derandomize=True,
    database=None,
)


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory, tiny_model_path: Path) -> Iterator[TestClient]:
    folder = tmp_path_factory.mktemp("folder")
    show(folder / "show.wav", 3)
    store = tmp_path_factory.mktemp("store")
    with running(settings_of(store, tiny_model_path, folder=folder, allow_urls=True)) as client:
        yield client


@pytest.fixture(scope="module")
def recording(client: TestClient, tmp_path_factory: pytest.TempPathFactory) -> str:
    made = upload(client, show(tmp_path_factory.mktemp("audio") / "a.wav", 3))["id"]
    settled(client, made)
    return made


def test_any_request_is_answered_as_described(client: TestClient, recording: str) -> None:
    described = schemathesis.openapi.from_asgi("/api/openapi.json", client.app, headers={"Host": "localhost"})
    job = client.get(f"/api/recordings/{recording}").json()["jobs"][0]["id"]
    begun = client.post("/api/uploads", json={"name": "a", "size": 10**6}).json()["upload"]
    known = {"recording": recording, "name": "detected", "upload": begun, "job": job}
    n_operations = 0
    for result in described.get_all_operations():
        operation = result.ok()
        if operation.path == "/api/events":  # it has no end
            continue
        n_operations += 1

        @_SETTINGS
        @given(operation.as_strategy())
        def ask(case: schemathesis.Case) -> None:
            case.headers = {**(case.headers or {}), **HEADERS, "Host": "localhost"}
            case.headers.pop("Origin", None)
            # Of what is there, unless it is to be removed.
            for name in (case.path_parameters or {}) if case.method != "DELETE" else ():
                case.path_parameters[name] = known.get(name, case.path_parameters[name])
            case.validate_response(case.call(), checks=_CHECKS)

        ask()
    assert n_operations > 20
