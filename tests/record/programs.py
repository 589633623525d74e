"""Programs for the recorder's tests: each exercises one way in which a process lives and ends."""

import json
import os
import signal
import subprocess
import sys
import threading


def churn(rounds=20):
    for _ in range(rounds):
        text = json.dumps({"list": list(range(300)), "text": "x" * 3000, "more": [str(i) for i in range(500)]})
        json.loads(text)
    return rounds


def plain():
    churn(30)


def parser():
    import ast
    import glob

    for path in sorted(glob.glob(os.path.dirname(os.__file__) + "/[ab]*.py")):
        with open(path, encoding="utf-8") as file:
            ast.dump(ast.parse(file.read()))


def threads():
    """More threads than run at once, each with buffers of its own outside the interpreter lock."""
    import hashlib
    import zlib

    def work():
        for _ in range(4):
            churn(1)
            data = zlib.compress(os.urandom(20000))
            hashlib.sha256(data * 20).digest()
            zlib.decompress(data)

    for _ in range(9):
        group = [threading.Thread(target=work) for _ in range(12)]
        for thread in group:
            thread.start()
        for thread in group:
            thread.join()


def forks():
    """Children of every kind, none of which may leave anything in the parent's recording."""
    pid = os.fork()
    if pid == 0:
        churn()
        os._exit(0)
    os.waitpid(pid, 0)
    pid = os.fork()
    if pid == 0:
        os.execv(sys.executable, [sys.executable, "-c", "print('executed')"])
    os.waitpid(pid, 0)
    for _ in range(3):
        output = subprocess.check_output(
            [sys.executable, "-c", "import os; print(os.environ.get('LD_PRELOAD'), os.environ.get('REHEAP_RECORD'))"]
        )
        print("child sees", output.decode().strip())
    churn()


def daemon():
    def forever():
        while True:
            churn(1)

    for _ in range(4):
        threading.Thread(target=forever, daemon=True).start()
    churn(200)


def leaves():
    churn()
    os._exit(7)


def aborts():
    churn()
    os.abort()


def killed():
    churn()
    os.kill(os.getpid(), signal.SIGKILL)


def interrupted():
    try:
        print("ready", flush=True)
        while True:
            churn(1)
    except KeyboardInterrupt:
        churn()
        print("cleaned up")
        sys.exit(9)


def forever():
    while True:
        churn(1)


def patient():
    """Works until the file named on the command line is there, then some more: enough to fill the rings."""
    while not os.path.exists(sys.argv[2]):
        churn(1)
    churn(5000)
    print("finished")


def arenas():
    """Grows and shrinks by many arenas."""
    for _ in range(3):
        kept = [str(i) * 3 for i in range(100000)]
        del kept


def sizes():
    """Sizes that need more room than most: huge ones that fail, and calloc with large factors."""
    import ctypes

    api = ctypes.pythonapi
    for name in ("PyMem_Malloc", "PyMem_RawMalloc", "PyObject_Malloc"):
        getattr(api, name).restype = ctypes.c_void_p
        getattr(api, name).argtypes = [ctypes.c_size_t]
        assert getattr(api, name)(1 << 61) is None
    for name in ("PyMem_Calloc", "PyMem_RawCalloc"):
        call = getattr(api, name)
        call.restype = ctypes.c_void_p
        call.argtypes = [ctypes.c_size_t, ctypes.c_size_t]
        block = call(1, 3 << 20)
        assert block
        free = getattr(api, name.replace("Calloc", "Free"))
        free.argtypes = [ctypes.c_void_p]
        free(block)
    realloc = api.PyMem_Realloc
    realloc.restype = ctypes.c_void_p
    realloc.argtypes = [ctypes.c_void_p, ctypes.c_size_t]
    block = realloc(None, 100)
    assert realloc(block, 1 << 61) is None
    block = realloc(block, 5000)
    api.PyMem_Free.argtypes = [ctypes.c_void_p]
    api.PyMem_Free(block)


def mark():
    import ctypes

    program = ctypes.CDLL(None)
    program.rh_record_mark(b"loading")
    churn()
    program.rh_record_mark(b"done")


def environment():
    for name in ("LD_PRELOAD", "REHEAP_RECORD", "PYTHONMALLOC"):
        print(name, os.environ.get(name))
    print(sorted(os.listdir("/proc/self/fd"))[:3])


if __name__ == "__main__":
    globals()[sys.argv[1]]()
