"""The files of a run and where a result came from; knows no Keras."""
