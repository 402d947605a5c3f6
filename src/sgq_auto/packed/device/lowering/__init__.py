"""From the layers and operations of a packed model to the steps of the model in C."""
