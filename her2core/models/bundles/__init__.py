"""A trained network on disk: a folder with weights, card and checksums; verified before use.

Open `card` for what card.json holds, `bundle_files` for reading and verifying, `bundle` for
writing and for keras, `registry` for which bundles there are and which are in use.
"""
