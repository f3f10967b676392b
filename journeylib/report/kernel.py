"""Start a Jupyter kernel that ends with the process that started it, whatever ended that.

ipykernel looks for a lost parent once a second, and under some supervisors never; on Linux the system itself
can do it at once. The kernel's process group is written to ``kernel.pid`` so that its own children end too.
"""

import ctypes
import os
import signal
import sys
from pathlib import Path

PR_SET_PDEATHSIG = 1
PARENT = "JOURNEYLIB_PARENT"  # pid of the process that must stay alive


def end_with_parent(parent: int) -> None:
    """Have this process killed when `parent`, which started it, ends (Linux; elsewhere nothing happens)."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:  # it ended before the request was made
            os._exit(1)


if __name__ == "__main__":
    from ipykernel.kernelapp import IPKernelApp  # not for the worker, which imports this module too

    end_with_parent(int(os.environ[PARENT]))
    Path("kernel.pid").write_text(str(os.getpid()), encoding="ascii")
    IPKernelApp.launch_instance()
