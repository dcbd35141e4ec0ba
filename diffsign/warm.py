"""Commands that start warm: forked from a process that has imported already what they need.

A command such as ``diffsign smooth`` takes seconds to import its libraries and a tenth of one to do its work on a short
clip. Where one run starts many (:mod:`diffsign.workflow.warm`), a server waits that has imported what earlier commands
imported. ``python -m diffsign`` finds its address in ``DIFFSIGN_WARM``, sends its arguments, folder, environment and
streams there, and ends as the process ends that was forked for it. Each command still is a process of its own, that can
be killed and that inherits nothing but modules. Linux only; a command that finds no server starts as ever.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import json
import os
import resource
import selectors
import signal
import socket
import struct
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NoReturn

from diffsign import processes

#: Environment variable with the address of the server.
VARIABLE = "DIFFSIGN_WARM"
#: What asks ``python -m diffsign`` to be the server.
SERVE = "--serve"
#: Signals that a command hands on.
HANDED_ON = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGXCPU)

#: Limits (``ulimit``) that a command takes along.
LIMITS = (resource.RLIMIT_CPU, resource.RLIMIT_FSIZE, resource.RLIMIT_NOFILE)

_SIZE = struct.Struct("!q")
#: Said instead of a status if the server is another Python, or cannot do it for another reason.
_REFUSED = -(2**40)


def _identity() -> list[str]:
    """Return which Python and which code a process runs: a container or another environment is refused."""
    return [sys.executable, sys.prefix, os.path.dirname(os.path.abspath(__file__))]  # noqa: PTH100, PTH120 - quick


def _receive(connection: socket.socket, size: int) -> bytes:
    """Receive so many bytes, or fewer if the other side is gone."""
    data = b""
    with contextlib.suppress(OSError):
        while len(data) < size and (more := connection.recv(size - len(data))):
            data += more
    return data


def _send(connection: socket.socket, data: bytes) -> None:
    """Send, unless the other side is gone."""
    with contextlib.suppress(OSError):
        connection.sendall(data)


def ask(arguments: list[str]) -> int | None:
    """Let the server run a command; return its status, below zero for a signal, or None where it has to run itself.

    That is where there is no server, and where memory is limited (``ulimit -v``): what is imported counts against it.
    """
    address = os.environ.get(VARIABLE)
    if not address or resource.getrlimit(resource.RLIMIT_AS)[0] != resource.RLIM_INFINITY:
        return None
    os.umask(umask := os.umask(0))
    request = {"identity": _identity(), "arguments": arguments, "folder": os.getcwd(), "umask": umask}  # noqa: PTH109
    request["limits"] = [(kind, resource.getrlimit(kind)) for kind in LIMITS]
    message = json.dumps(request | {"environment": dict(os.environ)}).encode()
    with socket.socket(socket.AF_UNIX) as connection:
        try:
            connection.connect(address)
            socket.send_fds(connection, [_SIZE.pack(len(message))], [0, 1, 2])
            connection.sendall(message)
        except OSError:
            return None
        for number in HANDED_ON:
            signal.signal(number, lambda number, _: _send(connection, bytes([number])))
        answer = _receive(connection, _SIZE.size)
        for number in HANDED_ON:
            signal.signal(number, signal.SIG_DFL)
    # A server that is gone has taken the command with it.
    status = _SIZE.unpack(answer)[0] if len(answer) == _SIZE.size else -signal.SIGKILL
    return None if status == _REFUSED else status


def end_as(status: int) -> NoReturn:
    """End this process with a status, or by the signal that it stands for."""
    if status < 0:
        if -status != signal.SIGKILL:
            signal.signal(-status, signal.SIG_DFL)
        os.kill(os.getpid(), -status)
    os._exit(status if status >= 0 else 128 - status)


@dataclass
class _Job:
    """A command at work: which, the client, the process, and where that says what it has imported."""

    command: str
    client: socket.socket
    pid: int
    ended: int
    learned: int


@dataclass
class Server:
    """The process that commands are forked from.

    What a command had to import is imported here when it is asked for a second time: one that comes once costs nothing.
    """

    listener: socket.socket
    learned: dict[str, list[str]] = field(default_factory=dict)
    jobs: list[_Job] = field(default_factory=list)
    selector: selectors.BaseSelector = field(default_factory=selectors.DefaultSelector)

    def serve(self) -> Callable[[], None]:
        """Fork commands until standard input ends, and then end; return in each command, with what ends it.

        What is returned tells the server which modules the command has imported; it is called when the command's work
        is done.
        """
        for number in HANDED_ON:
            signal.signal(number, signal.SIG_IGN)  # whoever started it ends it, by closing its input
        self.selector.register(self.listener, selectors.EVENT_READ, self._accept)
        self.selector.register(sys.stdin, selectors.EVENT_READ, self._close)
        while True:
            for key, _ in self.selector.select():
                if (tell := key.data(key.fileobj)) is not None:
                    return tell

    def _close(self, _: Any) -> None:
        for job in self.jobs:
            os.kill(job.pid, signal.SIGTERM)
        for job in self.jobs:
            os.waitpid(job.pid, 0)
        os._exit(0)

    def _accept(self, listener: socket.socket) -> Callable[[], None] | None:
        client, _ = listener.accept()
        start, streams, _, _ = socket.recv_fds(client, _SIZE.size, 3)
        if len(start) < _SIZE.size or len(streams) < 3:
            client.close()
            return None
        request = json.loads(_receive(client, _SIZE.unpack(start)[0]))
        if request["identity"] != _identity():
            _send(client, _SIZE.pack(_REFUSED))
            client.close()
            for descriptor in streams:  # else who reads the client's output waits for its end
                os.close(descriptor)
            return None
        command = next(iter(request["arguments"]), "")
        for name in self.learned.pop(command, []):
            with contextlib.suppress(Exception):
                importlib.import_module(name)
        learned = os.memfd_create("learned")
        parent = os.getpid()
        gc.freeze()  # what is shared stays shared
        pid = os.fork()
        if pid == 0:
            processes.die_with_parent(parent)
            return self._become(client, request, streams, learned)
        for descriptor in streams:
            os.close(descriptor)
        job = _Job(command, client, pid, os.pidfd_open(pid), learned)
        self.jobs.append(job)
        self.selector.register(client, selectors.EVENT_READ, lambda _: self._hand_on(job))
        self.selector.register(job.ended, selectors.EVENT_READ, lambda _: self._report(job))
        return None

    def _hand_on(self, job: _Job) -> None:
        numbers = _receive(job.client, 1)
        for number in numbers or [signal.SIGKILL]:  # a client that is gone was killed
            os.kill(job.pid, number)
        if not numbers:
            self.selector.unregister(job.client)

    def _report(self, job: _Job) -> None:
        _, status = os.waitpid(job.pid, 0)
        self.jobs.remove(job)
        for thing in (job.client, job.ended):
            with contextlib.suppress(KeyError):
                self.selector.unregister(thing)
        with os.fdopen(job.learned) as told:
            told.seek(0)
            if names := told.read().split():
                self.learned[job.command] = names
        _send(job.client, _SIZE.pack(os.waitstatus_to_exitcode(status)))
        job.client.close()
        os.close(job.ended)

    def _become(
        self, client: socket.socket, request: dict[str, Any], streams: list[int], told: int
    ) -> Callable[[], None]:
        """Turn the forked process into what the client asked for."""
        self.selector.close()
        self.listener.close()
        client.close()
        for job in self.jobs:
            job.client.close()
            os.close(job.ended)
            os.close(job.learned)
        for place, descriptor in enumerate(streams):
            os.dup2(descriptor, place)
            os.close(descriptor)
        for number in HANDED_ON:
            signal.signal(number, signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL)
        for kind, limit in request["limits"]:
            resource.setrlimit(kind, limit)
        os.umask(request["umask"])
        os.chdir(request["folder"])
        os.environ.clear()
        os.environ.update({name: value for name, value in request["environment"].items() if name != VARIABLE})
        sys.argv[1:] = request["arguments"]
        tempfile.tempdir = None
        known = set(sys.modules)

        def tell() -> None:
            with contextlib.suppress(OSError, MemoryError), os.fdopen(told, "w") as stream:
                stream.write(" ".join(name for name in list(sys.modules) if name not in known))

        return tell


def serve(address: str) -> Callable[[], None]:
    """Be the server at an address; see :meth:`Server.serve`."""
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(address)
    listener.listen(64)
    return Server(listener).serve()
