"""Put on the path of a whole run: every Python process in it notes which addresses it looks up and connects to."""

import os
import sys

_LOG = os.environ["PAINLAKE_TEST_CONNECTIONS"]


def _note(event: str, arguments: tuple[object, ...]) -> None:
    if event == "socket.connect":
        address: object = arguments[1]
    elif event == "socket.sendto":
        address = arguments[1]
    elif event == "socket.getaddrinfo":
        address = (arguments[0], arguments[1])
    else:
        return
    with open(_LOG, "a", encoding="utf-8") as log:  # noqa: PTH123 - pathlib is not imported in every process
        log.write(f"{event}\t{address!r}\n")


sys.addaudithook(_note)
