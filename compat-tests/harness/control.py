"""A port at which a suite asks for the server that it is run against, or has it killed.

The protocol is of lines, a question and its answer: `leader` and `servers` are answered with `ok`
and addresses, `kill ADDRESS`, `stop ADDRESS` and `restore` with `ok` when it is done, anything that
does not work with `error` and a text.
"""

import socketserver
import threading

VARIABLE = "ZABRA_COMPAT_CONTROL"


class Control:
    """The port, for one target; open as long as the context lasts."""

    def __init__(self, target):
        self._target = target
        self._lock = threading.Lock()
        self._port = None

    def __enter__(self) -> "Control":
        control = self

        class Questions(socketserver.StreamRequestHandler):
            """One connection."""

            def handle(self):
                for question in self.rfile:
                    answer = control.answer(question.decode(errors="replace").split())
                    self.wfile.write(f"{answer}\n".encode())

        self._port = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Questions)
        self._port.daemon_threads = True
        threading.Thread(target=self._port.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_) -> None:
        self._port.shutdown()
        self._port.server_close()

    def environment(self) -> dict[str, str]:
        """What a suite finds the port by."""
        return {VARIABLE: f"127.0.0.1:{self._port.server_address[1]}"}

    def answer(self, words: list[str]) -> str:
        """The answer to one question."""
        with self._lock:
            try:
                return self._do(words)
            except Exception as error:  # whatever it is, the suite is told
                return f"error {type(error).__name__}: {error}".replace("\n", " ")

    def _do(self, words: list[str]) -> str:
        match words:
            case ["leader"]:
                return f"ok {self._target.leader()}"
            case ["servers"]:
                return f"ok {' '.join(self._target.addresses())}"
            case ["kill" | "stop" as how, address]:
                self._target.end(address, kill=how == "kill")
                return "ok"
            case ["restore"]:
                self._target.restore()
                return "ok"
        return f"error no such question: {' '.join(words)}"
