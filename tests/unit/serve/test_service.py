"""The server in a process of its own: its answers, its refusals, its log and its end."""

from __future__ import annotations

import base64
import re
import select
import socket
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

for module in ("onnx", "onnxruntime", "starlette", "uvicorn"):
    pytest.importorskip(module, reason="needs the extra serve: make test installs it")

import requests  # noqa: E402

from capbench import images  # noqa: E402
from capbench.export.graph import Graph  # noqa: E402
from capbench.serve.process import Served  # noqa: E402
from tests.helpers.animations import halves  # noqa: E402
from tests.helpers.graphs import agrees, graph, offline, picture  # noqa: E402
from tests.helpers.protocols import Cli  # noqa: E402
from tests.helpers.sockets import connected, exchanged, received  # noqa: E402
from tests.helpers.waiting import DEADLINE, wait_until  # noqa: E402

TOKEN = "a-secret-token"


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return graph(tmp_path_factory.mktemp("graphs") / "small.onnx")


@pytest.fixture(scope="module")
def served(small: Path) -> Iterator[Served]:
    with Served(small, "body=0.1", "files=8", "queue=8") as server:
        yield server


@pytest.fixture
def impatient(small: Path) -> Iterator[Served]:
    with Served(small, "seconds=2", "body=0.1") as server:
        yield server


@pytest.fixture(scope="module")
def guarded(small: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """Server of two runs of one name behind a token."""
    other = graph(tmp_path_factory.mktemp("others") / "other.onnx", seed=2)
    server = Served(f"[{small},{other}]")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CAPBENCH_TOKEN", TOKEN)
        server.__enter__()
    yield server
    server.stop()


def url(server: Served, path: str = "/read") -> str:
    return f"http://127.0.0.1:{server.port}{path}"


def post(server: Served, **what: Any) -> requests.Response:
    return requests.post(url(server), timeout=DEADLINE, **what)


def form(*files: bytes) -> list[tuple[str, tuple[str, bytes, str]]]:
    return [("file", (f"{number}.png", file, "image/png")) for number, file in enumerate(files)]


def test_every_form_of_request_gets_the_readings_of_the_graph(served: Served, small: Path) -> None:
    files = [picture(seed, kind) for seed, kind in enumerate([".png", ".jpg", ".bmp", ".webp"])]
    expected = offline(small, *files)
    text = [base64.b64encode(file).decode() for file in files]
    text[1] = f"data:image/jpeg;base64,{text[1]}"
    for answer in (post(served, files=form(*files)), post(served, json={"images": text})):
        assert answer.status_code == 200
        told = answer.json()["images"]
        assert [image["error"] for image in told] == [None] * 4
        assert all(agrees(image["readings"][0], read) for image, read in zip(told, expected, strict=True))
    bare = post(served, data=files[1], headers={"Content-Type": "image/jpeg"}).json()["images"]
    assert [image["filename"] for image in told + bare] == [None] * 5
    assert agrees(bare[0]["readings"][0], expected[1])
    assert post(served, files=form(*files)).json()["images"][2]["filename"] == "2.png"


def test_a_bad_image_does_not_affect_others_of_its_request(served: Served, small: Path) -> None:
    good = picture(7)
    answer = post(served, files=form(good[:100], good, picture(8, height=9), b"", good))
    assert answer.status_code == 200
    told = answer.json()["images"]
    assert [image["error"] is None for image in told] == [False, True, True, False, True]
    assert "truncated" in told[0]["error"] and told[3]["error"] == "is empty"
    (misfit,) = told[2]["readings"]
    assert misfit["text"] is None and "9×50" in misfit["error"] and "20×50" in misfit["error"]
    (expected,) = offline(small, good)
    assert all(agrees(told[number]["readings"][0], expected) for number in (1, 4))


def test_an_address_tells_the_symbols_and_asks_for_values(served: Served, small: Path) -> None:
    file = picture(7)
    address = url(served) + "?alphabet=012&length=4&solve=true"
    bodies: list[dict[str, Any]] = [
        {"files": form(file)},
        {"json": {"images": [base64.b64encode(file).decode()]}},
        {"data": file, "headers": {"Content-Type": "image/png"}},
    ]
    graph = Graph.open(small)
    (expected,) = graph.read([images.decode(file)], alphabet="012", length=4)
    assert set(expected.text) <= set("012")
    for body in bodies:
        (reading,) = requests.post(address, timeout=DEADLINE, **body).json()["images"][0]["readings"]
        assert agrees(reading, expected)
        assert (reading["value"], reading["value_error"]) == (None, "is no sum")
    moving = halves(images.decode(file))
    asked = requests.post(url(served) + "?frames=darkest", data=moving, headers=bodies[2]["headers"], timeout=DEADLINE)
    assert agrees(asked.json()["images"][0]["readings"][0], offline(small, file)[0])
    (free,) = post(served, files=form(file)).json()["images"][0]["readings"]
    assert "value" not in free and agrees(free, offline(small, file)[0])


@pytest.mark.parametrize(
    ("query", "reason"),
    [
        ("alphabet=abc", "alphabet: the recogniser does not know 'abc'"),
        ("alphabet=", "alphabet.symbols: is empty"),
        ("alphabet=auto", "alphabet.symbols: auto reads"),
        ("alphabt=digits", "'alphabt' is not a parameter; the parameters are alphabet, length, solve, frames"),
        ("length=4&length=5", "length: is given twice"),
        ("length=five", "length: 'five' is not accepted; write a count or shortest-longest, from 1 to 256"),
        ("length=0", "length: '0' is not accepted"),
        ("length=5-4", "length: [5, 4] is reversed"),
        ("length=5", "length: [5, 5] is told and the recogniser reads 4 symbols"),
        ("frames=last", "frames: 'last' is not accepted; write first or darkest or mean or all"),
        ("solve=yes", "solve: 'yes' is not accepted; write true or false"),
    ],
)
def test_an_address_that_is_not_understood_is_refused(query: str, reason: str, served: Served) -> None:
    answer = requests.post(f"{url(served)}?{query}", files=form(picture(1)), timeout=DEADLINE)
    assert answer.status_code == 422
    assert reason in answer.json()["error"]


PART = b'--x\r\nContent-Disposition: form-data; name="file"; filename="a.png"\r\n\r\nabc'
REFUSED: list[tuple[int, str, dict[str, Any]]] = [
    (400, "invalid JSON", {"data": b"{", "headers": {"Content-Type": "application/json"}}),
    (400, "truncated", {"data": PART, "headers": {"Content-Type": "multipart/form-data; boundary=x"}}),
    (400, "cannot be read", {"data": b"--y\r\n\r\n", "headers": {"Content-Type": "multipart/form-data; boundary=x"}}),
    (400, "cannot be read", {"data": b"x", "headers": {"Content-Type": "multipart/form-data"}}),
    (413, "over 104,857 bytes", {"data": bytes(200_000), "headers": {"Content-Type": "image/png"}}),
    (413, "over 104,857 bytes", {"data": iter([bytes(60_000)] * 2), "headers": {"Content-Type": "image/png"}}),
    (413, "over 8 images", {"files": form(*[b"x"] * 9)}),
    (413, "over 8 images", {"json": {"images": ["x"] * 9}}),
    (415, "content-type: is missing", {"data": b"x"}),
    (415, "content-type: text/html is not accepted;", {"data": b"x", "headers": {"Content-Type": "text/html"}}),
    (415, "content-encoding", {"data": b"x", "headers": {"Content-Type": "image/png", "Content-Encoding": "gzip"}}),
    (422, "is empty", {"data": b"", "headers": {"Content-Type": "image/png"}}),
    (422, "is not an image", {"files": form(b"<html>")}),
    (422, "9×50", {"files": form(picture(8, height=9))}),
    (422, "images: field required", {"json": {}}),
    (422, "images: list should have at least 1", {"json": {"images": []}}),
    (422, "images.1: input should be a valid string", {"json": {"images": ["x", 2]}}),
    (422, "text: extra inputs", {"json": {"images": ["x"], "text": "1234"}}),
    (422, "has a part named 'picture'", {"files": {"picture": picture(1)}}),
    (422, "has no image", {"data": b"--x--\r\n", "headers": {"Content-Type": "multipart/form-data; boundary=x"}}),
]


@pytest.mark.parametrize(("status", "reason", "what"), REFUSED, ids=[f"{case[0]} {case[1]}" for case in REFUSED])
def test_a_bad_request_is_refused_with_its_status_and_reason(
    status: int, reason: str, what: dict[str, Any], served: Served
) -> None:
    answer = post(served, **what)
    assert (answer.status_code, answer.headers["Content-Type"]) == (status, "application/json")
    error = answer.json()["error"]
    assert reason in error and "\n" not in error


def test_other_paths_and_methods_get_their_status(served: Served) -> None:
    assert requests.get(url(served), timeout=DEADLINE).status_code == 405
    assert requests.get(url(served), timeout=DEADLINE).headers["Allow"] == "POST"
    assert requests.post(url(served, "/nowhere"), data=bytes(9_000_000), timeout=DEADLINE).status_code == 404
    assert requests.get(url(served, "/health"), timeout=DEADLINE).json() == {
        "status": "ok",
        "runs": [{"name": "small", "alphabet": "0123456789"}],
        "limits": {"body": 104857, "files": 8},
        "token": False,
    }


def test_a_connection_stays_open_after_a_refused_body(served: Served) -> None:
    head = b"POST /read HTTP/1.1\r\nHost: localhost\r\nContent-Type: text/plain\r\nContent-Length: 100000\r\n\r\n"
    after = b"GET /health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
    with connected(served.port) as line:
        line.sendall(head + bytes(100_000))  # more than is read at a time
        line.sendall(after)
        answer = received(line)
    assert re.findall(rb"HTTP/1.1 (\d+)", answer) == [b"415", b"200"]


def test_unfinished_large_bodies_do_not_block_small_ones(small: Path) -> None:
    head = b"POST /read HTTP/1.1\r\nHost: localhost\r\nContent-Type: image/png\r\nContent-Length: 260000\r\n\r\n"
    with Served(small, "body=0.25", "seconds=60") as server, ExitStack() as held:

        def hold(size: int) -> socket.socket:
            line = held.enter_context(connected(server.port))
            line.sendall(head + bytes(size))
            return line

        lines = {line.fileno(): line for line in (hold(250_000) for _ in range(20))}
        poll = select.poll()
        for line in lines.values():
            poll.register(line, select.POLLIN)
        refused, _ = poll.poll(1000 * DEADLINE)[0]
        assert lines[refused].recv(12) == b"HTTP/1.1 503"  # over the limit of unfinished bodies
        for _ in range(100):
            hold(2_000)  # they fill the rest of the limit
        assert post(server, data=picture(1), headers={"Content-Type": "image/png"}).status_code == 200


def test_slow_or_malformed_requests_are_refused_with_their_status(impatient: Served) -> None:
    assert exchanged(impatient.port, b"POST /read HTTP/1.1\r\nContent-").startswith(b"HTTP/1.1 408 ")
    head = b"POST /read HTTP/1.1\r\nHost: localhost\r\nContent-Type: image/png\r\nContent-Length: 100\r\n\r\n"
    late = exchanged(impatient.port, head, bytes(50))
    assert late.startswith(b"HTTP/1.1 408 ") and b"did not arrive within 2 seconds" in late
    assert exchanged(impatient.port).startswith(b"HTTP/1.1 408 ")  # a client that sends nothing
    assert exchanged(impatient.port, b"GET /health HTTP/1.1\r\nX: " + b"x" * 66_000).startswith(b"HTTP/1.1 431 ")
    assert exchanged(impatient.port, b"nonsense\r\n\r\n").startswith(b"HTTP/1.1 400 ")
    # A body announced as too large is refused before it is sent.
    head = b"POST /read HTTP/1.1\r\nHost: localhost\r\nContent-Type: image/png\r\nExpect: 100-continue\r\nContent-Length: 9999999\r\n\r\n"
    assert exchanged(impatient.port, head).startswith(b"HTTP/1.1 413 ")


def ends(line: socket.socket) -> bool:
    """Return whether the server ends a connection on which nothing is read, as soon as it does."""
    poll = select.poll()
    poll.register(line, 0)
    return bool(poll.poll(1000 * DEADLINE))


def test_over_sixteen_pipelined_requests_end_the_connection(served: Served) -> None:
    with connected(served.port) as line:
        line.sendall(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n" * 8000)
        assert ends(line)
    assert requests.get(url(served, "/health"), timeout=DEADLINE).status_code == 200


def test_pipelined_requests_are_answered_in_order(served: Served) -> None:
    both = b"GET /health HTTP/1.1\r\nhost: x\r\n\r\nGET /nowhere HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n"
    answer = exchanged(served.port, both)
    assert re.findall(rb"HTTP/1\.1 (\d+)", answer) == [b"200", b"404"]


def test_silent_connections_beyond_the_file_limit_do_not_block_others(small: Path) -> None:
    served = Served(small)
    served._command = ["sh", "-c", 'ulimit -n 400 && exec "$@"', "sh", *served._command]
    with served, ExitStack() as silent:
        for _ in range(600):
            silent.enter_context(connected(served.port))
        assert requests.get(url(served, "/health"), timeout=DEADLINE).status_code == 200
        assert "Traceback" not in served.logged()


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost:80", "[::1]:8000", "LOCALHOST"])
def test_requests_to_names_of_this_machine_are_accepted(served: Served, host: str) -> None:
    answer = post(served, data=picture(1), headers={"Content-Type": "image/png", "Host": host})
    assert answer.status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "evil.example"},
        {"Host": "127.0.0.1.evil.example:8000"},
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Host": "localhost:80", "Origin": "http://localhost:8080"},
    ],
)
def test_requests_from_pages_of_other_sites_are_refused(served: Served, headers: dict[str, str]) -> None:
    answer = post(served, data=picture(1), headers={"Content-Type": "image/png", **headers})
    assert answer.status_code == 403
    assert answer.json()["error"].startswith(("host: ", "origin: "))


def test_an_error_repeats_little_of_the_request(served: Served) -> None:
    key = "k" * 50_000
    answer = requests.post(url(served), json={key: 1}, timeout=DEADLINE)
    assert answer.status_code == 422
    assert len(answer.content) < 300
    files = {"file": ("n" * 300 + ".png", picture(1))}
    answer = requests.post(url(served), files=files, timeout=DEADLINE)
    assert (answer.status_code, answer.json()["error"]) == (
        422,
        "a file's name has over 255 characters, the most that it may have",
    )


def test_requests_without_the_token_are_refused_and_with_it_both_runs_read(guarded: Served, small: Path) -> None:
    for headers in (
        {},
        {"Authorization": "Bearer wrong"},
        {"Authorization": TOKEN},
        {"Authorization": f"Basic {TOKEN}"},
    ):
        for answer in (
            post(guarded, files=form(picture(1)), headers=headers),
            requests.get(url(guarded, "/metrics"), headers=headers, timeout=DEADLINE),
        ):
            assert answer.status_code == 401
            assert answer.headers["WWW-Authenticate"] == "Bearer"
            assert TOKEN not in answer.text
    right = {"Authorization": f"Bearer {TOKEN}"}
    (image,) = post(guarded, files=form(picture(1)), headers=right).json()["images"]
    first, second = image["readings"]
    assert (first["run"], second["run"]) == ("1. small", "2. small")
    assert first["text"] != second["text"]
    (expected,) = offline(small, picture(1))
    assert agrees(first, expected)
    assert requests.get(url(guarded, "/metrics"), headers=right, timeout=DEADLINE).status_code == 200
    assert requests.get(url(guarded, "/health"), timeout=DEADLINE).json()["token"] is True
    assert TOKEN not in guarded.logged()


def test_prometheus_metrics_count_requests_and_images(served: Served) -> None:
    def figures() -> dict[str, float]:
        lines = requests.get(url(served, "/metrics"), timeout=DEADLINE).text.splitlines()
        return {name: float(value) for name, _, value in (line.rpartition(" ") for line in lines if line[0] != "#")}

    before = figures()
    post(served, files=form(picture(1), picture(2), b"bad"))
    post(served, data=b"bad", headers={"Content-Type": "image/png"})
    after = figures()
    grown = {
        'capbench_requests_total{path="/read",status="200"}': 1,
        'capbench_requests_total{path="/read",status="422"}': 1,
        'capbench_request_seconds_count{path="/read"}': 2,
        'capbench_images_total{outcome="read"}': 2,
        'capbench_images_total{outcome="refused"}': 2,
        "capbench_batch_images_sum": 2,
    }
    assert {name: after[name] - before.get(name, 0) for name in grown} == grown
    assert after["capbench_queue_images"] == 0
    assert after["process_resident_memory_bytes"] > 1e7


def test_the_log_holds_no_lines_of_other_libraries(small: Path) -> None:
    """Send bad forms: the parser's warnings would fill a pipe that nobody reads and stop the server."""
    kind = {"Content-Type": "multipart/form-data; boundary=line"}
    with Served(small) as server:
        for _ in range(3):
            assert post(server, data=b"secret", headers=kind).status_code == 400
        assert server.stop() == 0
        assert server.process.stdout is not None and server.process.stdout.read() == "stopped\n"
        assert [line.split()[4:6] for line in server.logged().splitlines()] == [["/read", "400"]] * 3


def test_the_log_names_requests_but_no_file_and_no_query(served: Served) -> None:
    post(served, files={"file": ("secret-name.png", picture(1))})
    requests.get(url(served, "/elsewhere?secret-query"), timeout=DEADLINE)
    # A request is logged after its answer is sent.
    wait_until(lambda: "GET other 404 " in served.logged(), "the last request in the log")
    log = served.logged()
    assert "127.0.0.1 POST /read 200 " in log
    assert "secret" not in log


def refuses(port: int) -> bool:
    """Return whether a server accepts no connection any more."""
    try:
        connected(port).close()
    except ConnectionRefusedError:
        return True
    return False


def test_a_begun_request_is_answered_before_the_server_stops(small: Path) -> None:
    content = picture(3)
    with Served(small) as server, connected(server.port) as line:
        head = b"POST /read HTTP/1.1\r\nHost: localhost\r\nContent-Type: image/png\r\nExpect: 100-continue\r\n"
        line.sendall(head + b"Content-Length: %d\r\n\r\n" % len(content))
        assert line.recv(65536) == b"HTTP/1.1 100 Continue\r\n\r\n"
        line.sendall(content[:50])
        server.process.terminate()
        wait_until(lambda: refuses(server.port), "the refusal of connections by a server that was told to stop")
        line.sendall(content[50:])
        answer = received(line)
        assert answer.startswith(b"HTTP/1.1 200 ") and offline(small, content)[0].text.encode() in answer
        assert server.process.wait(timeout=DEADLINE) == 0
        assert server.process.stdout is not None
        assert server.process.stdout.read() == "stopped\n"


def test_a_mistake_in_serve_is_one_line(cli: Cli, small: Path, tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        # The port is taken, so that no server begins even where a mistake is overlooked.
        usual = [f"run={small}", f"port={port}"]
        for arguments, reason in (
            (usual, f"port: {port} of 127.0.0.1 cannot be used (Address already in use); choose another, or"),
            ([*usual, "host=nowhere.invalid"], "host: nowhere.invalid is not an address of this machine"),
            ([usual[0], "port=70000"], "port: 70000 is not accepted"),
            ([*usual, "queue=3"], "queue: 3 is less than files=64"),
            ([*usual, "token='a b'"], "token: "),
            ([*usual, "token=''"], "token: "),
            ([usual[1], "run=[]"], "run: is an empty list"),
            (["run=nowhere", "port=0"], "run: nowhere is neither a finished run"),
            (["run=nowhere.onnx", "port=0"], "nowhere.json: cannot be read"),
            ([*usual, "thread=2"], "thread: is not a setting"),
        ):
            code, out, err = cli("serve", *arguments)
            assert (code, out, err.count("\n")) == (2, "", 1), err
            assert reason in err
