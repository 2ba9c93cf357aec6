"""Train the same small dual encoder on each column, and see which texts taught it more."""
