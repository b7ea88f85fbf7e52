"""The model of own_model.yaml: two hidden layers, and a path around them."""

import keras


def build(input_shape: tuple[int, ...], classes: int) -> keras.Model:
    """Return the model, uncompiled; the spec compiles it."""
    image = keras.Input(input_shape)
    pixels = keras.layers.Flatten()(image)
    hidden = keras.layers.Dense(64, activation="relu")(pixels)
    hidden = keras.layers.Dense(64, activation="relu")(hidden)
    around = keras.layers.Concatenate()([pixels, hidden])
    return keras.Model(image, keras.layers.Dense(classes, activation="softmax")(around))
