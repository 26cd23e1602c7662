"""Where a command runs: process or container. `base` has the contract."""
