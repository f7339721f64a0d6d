"""Every compiled function of fastml: arrays in, arrays out. `_jit.py` says how we compile."""
