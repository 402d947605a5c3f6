"""What surrounds the forward pass of a prepared model: its inputs, dropout and output."""
