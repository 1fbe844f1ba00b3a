"""What runs a network: OpenVINO where it agrees with TensorFlow, otherwise TensorFlow.

A backend is one file NAME_backend.py. Open `reader` for what it must offer, `choose` for how it
is found and which one is taken.
"""
