"""What one server keeps for all its pages: loaded networks, queues, caches, the log.

Open `workbench` for the networks in use, `reading_queue` for patches read in the background,
`intake` for uploaded files, `stain_service` for stain measurements, `pictures` for what the image
viewer shows, `logs` for the log; `services` for what lives as long as the process; `guard`,
`visits`, `browsers` and `headers` for who may ask.
"""
