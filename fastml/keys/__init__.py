"""Labels of any Arrow type -> dense codes; owns nulls, NaN and dictionaries."""
