"""Every compiled function: arrays in, arrays out. `jit.py` says how we compile."""
