"""Rsync's "remote shell": hands its standard input and output to the deploying process.

Run as `python -I -S rsh.py SOCKET HOST rsync --server ...`; ends as the remote rsync ends.
"""

import array
import os
import socket
import sys

LENGTH = 4
"""Bytes before the arguments that say how many bytes these are."""


def main() -> int:
    """Pass on the descriptors and the arguments, wait for one byte, the exit status."""
    with socket.socket(socket.AF_UNIX) as deployer:
        deployer.connect(sys.argv[1])
        words = b"\0".join(os.fsencode(word) for word in sys.argv[3:])
        descriptors = array.array("i", [0, 1])
        deployer.sendmsg(
            [len(words).to_bytes(LENGTH, "big") + words],
            [(socket.SOL_SOCKET, socket.SCM_RIGHTS, descriptors)],
        )
        os.close(0)
        os.close(1)
        status = deployer.recv(1)
    return status[0] if status else 255


if __name__ == "__main__":
    sys.exit(main())
