"""Files about nodes, read and written with numpy alone: ids, predictions, CSV as people have it."""
