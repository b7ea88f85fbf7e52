"""Trainings by the fused engine or by plain model.fit."""
