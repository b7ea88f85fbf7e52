"""Trains any compiled model, many steps in one program; knows no spec."""
