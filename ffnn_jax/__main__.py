"""``python -m ffnn_jax`` runs ``ffnn-jax``."""

from ffnn_jax.cli import main

if __name__ == "__main__":
    main()
