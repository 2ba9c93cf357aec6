"""Values and seams every other room speaks in. Standard library only."""
