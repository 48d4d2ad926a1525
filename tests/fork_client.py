"""A Python for those who start one themselves, such as clients of MCP over stdio: a fork of fork_server.py where it can be.

Decides which arguments a fork can take; all others are for the real Python, which takes this process's place, as it does
where the server says that the environment is not its own. This process then passes signals on to the fork, and leaves with
its exit status. It loads next to nothing, since its start is what each such process costs.
"""

from __future__ import annotations

import _socket
import array
import marshal
import os
import signal

_TAKEN = ("crosstrail", "multiprocessing.spawn")
"""What a module or a text names that a fork runs; the other is how `multiprocessing` starts a process."""
_PASSED_ON = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


def _inherited(number: int) -> bool:
    """Whether a child has it: all that this process was given, nothing that it opened."""
    try:
        return os.get_inheritable(number)
    except OSError:  # the folder that was just read
        return False


def main(python: str, place: str, words: list[str]) -> None:
    """Does not return. `python`: the real one; `place`: the server's socket."""
    request: dict[str, object]
    after = words[1:] if words[:1] == ["-I"] else words
    if len(after) < 2 or after[0] not in ("-m", "-c") or not any(name in after[1] for name in _TAKEN):
        os.execv(python, [python, *words])  # noqa: S606 - of these tests' own
    signal.pthread_sigmask(signal.SIG_BLOCK, _PASSED_ON)
    connection = _socket.socket(_socket.AF_UNIX, _socket.SOCK_SEQPACKET)
    connection.setsockopt(_socket.SOL_SOCKET, _socket.SO_SNDBUF, 1 << 19)
    connection.connect(place)
    os.umask(mask := os.umask(0))
    handles = [number for number in map(int, os.listdir("/proc/self/fd")) if number != connection.fileno()]
    handles = [number for number in handles if _inherited(number)]
    deaf = signal.getsignal(signal.SIGINT) == signal.SIG_IGN
    request = {"words": words, "env": dict(os.environ), "folder": os.getcwd(), "mask": mask}
    request |= {"handles": handles, "deaf": deaf}
    files = array.array("i", handles).tobytes()
    connection.sendmsg([marshal.dumps(request)], [(_socket.SOL_SOCKET, _socket.SCM_RIGHTS, files)])
    if pid := int(connection.recv(32) or 0):
        for number in _PASSED_ON:
            if signal.getsignal(number) != signal.SIG_IGN:
                signal.signal(number, lambda given, _: os.kill(pid, given))
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _PASSED_ON)
    if not pid:
        os.execv(python, [python, *words])  # noqa: S606 - of these tests' own
    for handle in handles:
        os.close(handle)
    status = int(connection.recv(32) or -signal.SIGKILL)
    if status < 0:
        if -status != signal.SIGKILL:
            signal.signal(-status, signal.SIG_DFL)
        os.kill(os.getpid(), -status)
    os._exit(status)
