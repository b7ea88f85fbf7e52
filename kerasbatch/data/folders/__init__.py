"""Examples as files in a folder for each class."""
