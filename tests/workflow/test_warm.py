"""Commands that are forked from a warm process are, seen from outside, the commands themselves."""

import json
import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from diffsign import warm

CLIENT = "import sys; from diffsign import warm; warm.end_as(warm.ask(sys.argv[1:]))"

#: In place of the command line: says what it is, and does what its arguments say.
SERVER = """
import json, os, sys, time
from diffsign import warm

tell = warm.serve(sys.argv[1])
try:
    told = {"had": "colorsys" in sys.modules, "arguments": sys.argv[1:], "folder": os.getcwd(), "pid": os.getpid()}
    told |= {"there": os.environ["THERE"], "warm": os.environ.get(warm.VARIABLE)}
    print(json.dumps(told), flush=True)
    if sys.argv[1] == "sleep":
        time.sleep(60)
    import colorsys
    sys.modules.update({f"no.module.{number:060d}": None for number in range(2000)})  # large libraries have as many
    sys.exit(int(sys.argv[1]) if sys.argv[1].isdigit() else 0)
finally:
    tell()
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory) -> Iterator[subprocess.Popen[bytes]]:
    address = tmp_path_factory.mktemp("warm") / "server"
    process = subprocess.Popen([sys.executable, "-c", SERVER, str(address)], stdin=subprocess.PIPE)
    process.address = str(address)  # type: ignore[attr-defined]
    while not address.exists():
        time.sleep(0.02)
    yield process
    with suppress(BrokenPipeError):
        process.stdin.close()
    assert process.wait(10) in (0, -signal.SIGKILL)


def start(server, *arguments: str, folder: Path | None = None, **environment: str) -> subprocess.Popen[str]:
    known = os.environ | {warm.VARIABLE: server.address, "THERE": "yes"} | environment
    return subprocess.Popen(
        [sys.executable, "-c", CLIENT, *arguments], cwd=folder, env=known, stdout=subprocess.PIPE, text=True
    )


def first_line(process: subprocess.Popen[str]) -> dict:
    return json.loads(process.stdout.readline())


def wait_until_gone(pid: int) -> None:
    end = time.monotonic() + 5
    while Path(f"/proc/{pid}").exists():
        assert time.monotonic() < end, f"{pid} runs on"
        time.sleep(0.02)


@pytest.mark.parametrize("status", [0, 1, 75])
def test_arguments_folder_environment_and_status_are_the_commands(server, tmp_path, status) -> None:
    process = start(server, str(status), "a b", folder=tmp_path, THERE="é")
    told = first_line(process)
    assert (told["arguments"], told["folder"], told["there"]) == ([str(status), "a b"], str(tmp_path), "é")
    assert told["warm"] is None and told["pid"] not in (process.pid, server.pid)
    assert process.wait(5) == status


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
def test_signals_reach_the_command(server, how) -> None:
    process = start(server, "sleep")
    pid = first_line(process)["pid"]
    process.send_signal(how)
    assert process.wait(5) in (-how, 1, 130)
    wait_until_gone(pid)


def test_a_killed_command_leaves_no_process(server) -> None:
    process = start(server, "sleep")
    pid = first_line(process)["pid"]
    process.kill()
    wait_until_gone(pid)
    assert server.poll() is None


def test_a_command_that_is_killed_is_seen_to_be(server) -> None:
    process = start(server, "sleep")
    os.kill(first_line(process)["pid"], signal.SIGKILL)
    assert process.wait(5) == -signal.SIGKILL


def test_without_a_server_the_command_starts_as_ever(monkeypatch, tmp_path) -> None:
    monkeypatch.delenv(warm.VARIABLE, raising=False)
    assert warm.ask(["x"]) is None
    monkeypatch.setenv(warm.VARIABLE, str(tmp_path / "gone"))
    assert warm.ask(["x"]) is None


def test_a_command_whose_memory_is_limited_starts_as_ever(server, monkeypatch) -> None:
    monkeypatch.setenv(warm.VARIABLE, server.address)
    monkeypatch.setattr(resource, "getrlimit", lambda kind: (2**33, 2**33))
    assert warm.ask(["0"]) is None


def test_another_environment_is_refused(server, monkeypatch) -> None:
    monkeypatch.setenv(warm.VARIABLE, server.address)
    monkeypatch.setattr(warm, "_identity", lambda: ["another python"])
    assert warm.ask(["0"]) is None


def test_what_a_command_imports_the_next_ones_have(server) -> None:
    start(server, "0").communicate()
    process = start(server, "0")
    assert first_line(process)["had"]
    process.communicate()


def test_the_server_takes_its_commands_with_it(server) -> None:
    process = start(server, "sleep")
    pid = first_line(process)["pid"]
    server.kill()
    assert process.wait(5) == -signal.SIGKILL
    wait_until_gone(pid)
