"""Keep a few programs running, with supervisord: one log each, restarts with backoff, and none left behind at the end."""

from __future__ import annotations

import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from http.client import HTTPConnection
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from xmlrpc.client import Fault, ServerProxy

from supervisor.xmlrpc import Faults, SupervisorTransport
from tenacity import retry, retry_if_exception_type, stop_after_delay, wait_fixed

from churn.errors import ChurnError

# As supervisord spells the value of a variable.
EMPTY = '=""'
# How long a program may take to be ready, and supervisord to answer a call: it answers at once, unless it was stopped.
READY_SECONDS, CALL_SECONDS = 180, 30


class NotStarted(ChurnError):
    """A program that does not start.

    Parameters
    ----------
    message : str
    log_end : str
        The last lines of its log, to show below the message.
    """

    def __init__(self, message: str, log_end: str) -> None:
        super().__init__(message)
        self.details = log_end


@dataclass(frozen=True)
class Program:
    """One program: what to run, how to see that it is ready, and how often it may fail to start in a row (8: half a minute).

    Of our environment it gets all but the variables in `hidden`, which are empty for it: secrets that are not its business.
    """

    name: str
    command: tuple[str, ...]
    ready: Callable[[], bool] = lambda: True
    retries: int = 8
    hidden: tuple[str, ...] = ()


class Supervisor:
    """A supervisord of our own, for the time of a `with` block. Leaving the block stops every program, last named first."""

    def __init__(self, programs: list[Program], home: Path) -> None:
        self._programs = {program.name: program for program in programs}
        self._home = home
        self._logs = home / "logs"
        # A socket's path may have 107 characters at most, which CHURN_HOME alone can exceed.
        self._run = Path(tempfile.mkdtemp(prefix="churn-"))
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def home(self) -> Path:
        """The folder below which the logs are."""
        return self._home

    def log(self, name: str) -> Path:
        """Return the file of a program's output."""
        return self._logs / f"{name}.log"

    def __enter__(self) -> Self:
        self._logs.mkdir(parents=True, exist_ok=True)
        config = self._run / "supervisord.conf"
        config.write_text(self._config())
        self._process = subprocess.Popen(  # noqa: S603 -- our own interpreter
            [
                *_ends_with_us(),
                *(sys.executable, "-m", "supervisor.supervisord", "--nodaemon", "--silent", "--configuration", str(config)),
            ],
            # A group of its own: Ctrl-C reaches us alone, and we stop the programs in order.
            start_new_session=True,
            stdin=subprocess.DEVNULL,
            # What it has to say is in its log. Where that cannot be written, it would say so in a traceback a second.
            stderr=subprocess.DEVNULL,
        )
        try:
            self._call("getState")
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._process is not None:
            self._process.terminate()
            try:
                # Each program may take its 20 s, one after the other. Killing supervisord earlier would leave them behind.
                self._process.wait(timeout=20 * len(self._programs) + 20)
            except subprocess.TimeoutExpired:
                self._process.kill()
        shutil.rmtree(self._run, ignore_errors=True)

    def start(self, *names: str) -> None:
        """Start programs and wait until each is ready; raises as `wait` does."""
        self.launch(*names)
        self.wait(*names)

    def launch(self, *names: str) -> None:
        """Start programs, one right after the other, and wait for none of them: `wait` tells of one that ended at once."""
        for name in names:
            try:
                self._call("startProcess", name, False)
            except ChurnError as error:
                # Where it had ended before supervisord looked. It is started anew as often as any other one that ends.
                if not (isinstance(error.__cause__, Fault) and error.__cause__.faultCode == Faults.SPAWN_ERROR):
                    raise

    def wait(self, *names: str, on_ready: Callable[[str], None] = lambda _name: None) -> None:
        """Wait until each of some programs is ready, in whatever order they are.

        Parameters
        ----------
        *names : str
            Programs that were launched.
        on_ready : callable
            Called with each name as soon as that program is ready.

        Raises
        ------
        NotStarted
            If one ends, or is not ready within three minutes.
        """
        deadline = time.monotonic() + READY_SECONDS
        waiting = list(names)
        while waiting:
            for name in list(waiting):
                if self._programs[name].ready():
                    waiting.remove(name)
                    on_ready(name)
            states = self.states() if waiting else {}
            for name in waiting:
                if states[name] in ("FATAL", "EXITED", "STOPPED", "UNKNOWN") or time.monotonic() > deadline:
                    raise NotStarted(
                        f"{name} did not start ({states[name].lower()}); its log {self.log(name)} ends with:", self._tail(name)
                    )
            if waiting:
                time.sleep(0.2)

    def _tail(self, name: str) -> str:
        log = self.log(name)  # of a program that could not even be forked there is none
        return "\n".join(log.read_text(errors="replace").splitlines()[-15:]) if log.exists() else ""

    def state(self, name: str) -> str:
        """Return a program's state in supervisord's words, such as RUNNING or BACKOFF."""
        return str(self._call("getProcessInfo", name)["statename"])

    def states(self) -> dict[str, str]:
        """Return the state of every program."""
        return {str(info["name"]): str(info["statename"]) for info in self._call("getAllProcessInfo")}

    def alive(self) -> bool:
        """Return whether supervisord itself is running."""
        return self._process is not None and self._process.poll() is None

    def _call(self, method: str, *arguments: Any) -> Any:
        try:
            return self._answer(method, *arguments)
        except Fault as error:
            raise ChurnError(f"supervisord: {method} {' '.join(map(str, arguments))}: {error.faultString}") from error
        except OSError as error:
            raise ChurnError(f"supervisord does not answer ({error}); its log: {self._logs / 'supervisord.log'}") from error

    @retry(retry=retry_if_exception_type(OSError), stop=stop_after_delay(15), wait=wait_fixed(0.1), reraise=True)
    def _answer(self, method: str, *arguments: Any) -> Any:
        transport = _Transport(f"{self._run}/supervisor.sock")
        with ServerProxy("http://127.0.0.1", transport=transport) as proxy:
            return getattr(proxy.supervisor, method)(*arguments)

    def _config(self) -> str:
        parts = [
            f"[unix_http_server]\nfile={self._run}/supervisor.sock\nchmod=0700",
            "[supervisord]\nnodaemon=true\n"
            f"pidfile={self._run}/supervisord.pid\n"
            f"logfile={_escaped(str(self._logs / 'supervisord.log'))}",
            "[rpcinterface:supervisor]\nsupervisor.rpcinterface_factory = supervisor.rpcinterface:make_main_rpcinterface",
        ]
        for priority, program in enumerate(self._programs.values(), start=1):
            parts.append(
                f"[program:{program.name}]\n"
                f"command={_escaped(' '.join(map(_quoted, program.command)))}\n"
                f"priority={priority}\n"  # stopped in the reverse of this order
                f"autostart=false\nautorestart=true\nstartsecs=2\nstartretries={program.retries}\n"
                f"environment={','.join(name + EMPTY for name in program.hidden)}\n"
                "stopsignal=TERM\nstopwaitsecs=20\nstopasgroup=false\nkillasgroup=true\n"
                f"stdout_logfile={_escaped(_escaped(str(self.log(program.name))))}\n"  # supervisord expands this one twice
                "redirect_stderr=true\nstdout_logfile_maxbytes=20MB\nstdout_logfile_backups=2"
            )
        return "\n\n".join(parts) + "\n"


class _Connection(HTTPConnection):
    """A connection over a socket in the file system, with a timeout: the library's own waits for ever."""

    def __init__(self, file: str) -> None:
        super().__init__("localhost", timeout=CALL_SECONDS)
        self._file = file

    def connect(self) -> None:
        """Connect; a supervisord that was stopped accepts and says nothing."""
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._file)


class _Transport(SupervisorTransport):  # type: ignore[misc]
    def __init__(self, file: str) -> None:
        super().__init__(None, None, f"unix://{file}")
        self._get_connection = partial(_Connection, file)


def _ends_with_us() -> tuple[str, ...]:
    """Return what lets a command be stopped, with all its programs, when this process is killed: Linux' setpriv, where it is."""
    setpriv = shutil.which("setpriv")
    return (setpriv, "--pdeathsig", "TERM") if setpriv else ()


def _quoted(argument: str) -> str:
    return '"' + argument.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _escaped(value: str) -> str:
    return value.replace("%", "%%")
