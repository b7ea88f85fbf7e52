"""Keras callbacks that observe any model.fit."""
