"""Making a filesystem: the options are judged, a pure plan computes every byte, and the plan is written.

`options` has the tables of features and profiles, `blockgroups` says where chunks lie, `trees` what the trees
of an empty filesystem hold, `plan` puts blocks at addresses until all of them agree, `signatures` knows what may
already be on a device, and `format` writes, in an order that a power cut cannot turn into a half-made filesystem.
"""
