"""What a packed model does between its layers, on chunks of rows in fp64."""
