"""The pass: rows -> GroupStats, here or inside the engine of a lazy frame."""
