"""Keys of rows -> codes and runs."""
