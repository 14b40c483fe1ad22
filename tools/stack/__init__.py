"""Run compose.yaml without a container engine. `make stack` and the tests of compose.yaml use it."""
