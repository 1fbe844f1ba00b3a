"""What runs a network: OpenVINO where it agrees with TensorFlow, otherwise TensorFlow.

Open `reader` for what a backend must offer, `choose` for which one is taken.
"""
