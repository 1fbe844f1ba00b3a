"""The heat-map methods, one small file each."""
