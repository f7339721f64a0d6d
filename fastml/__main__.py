"""The `fastml` program: the command in a process of its own."""

import gc
import sys


def main() -> None:
    """Run the command without looking through what stays until the end anyway.

    Numba's 130,000 objects are looked through several times while they are imported, and again when the process ends:
    a quarter of a short command's time.
    """
    gc.set_threshold(100_000)
    try:
        from fastml.cli.app import main as run
    except KeyboardInterrupt:
        sys.stderr.write("fastml: interrupted\n")
        raise SystemExit(130) from None
    try:
        run()
    finally:
        gc.freeze()


if __name__ == "__main__":
    main()
