"""The `fastml` program: the command in a process of its own."""

import gc


def main() -> None:
    """Run the command without looking through what stays until the end anyway.

    Numba's 130,000 objects are looked through several times while they are imported, and again when the process ends:
    a quarter of a short command's time.
    """
    gc.set_threshold(100_000)
    from fastml.cli.app import main as run

    try:
        run()
    finally:
        gc.freeze()


if __name__ == "__main__":
    main()
