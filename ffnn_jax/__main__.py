"""``python -m ffnn_jax`` runs ``ffnn-jax``; an interrupt ends even its imports quietly."""

import os


def _end(number: int, frame: object) -> None:
    os.write(2, b"ffnn-jax: ended by SIGINT\n")
    os._exit(128 + number)


try:
    import signal
except KeyboardInterrupt:  # that takes some milliseconds
    raise SystemExit(_end(2, None)) from None


def main() -> None:
    """Runs ``ffnn-jax``."""
    before = signal.getsignal(signal.SIGINT)
    if before == signal.default_int_handler:
        signal.signal(signal.SIGINT, _end)
    from ffnn_jax._memory import collect_rarely

    collect_rarely()
    from ffnn_jax.cli import main as run

    signal.signal(signal.SIGINT, before)
    run()


if __name__ == "__main__":
    main()
