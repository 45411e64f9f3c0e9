"""Stands before the library of this name in Ray's processes, and says that it is not there.

Ray imports jsonschema in each of its processes, and jsonschema imports this library where Jupyter
has installed it, only to check one string format that Ray does not use. Parsing its grammar takes
over a second of CPU in every process: with it `ray.init` took 6.7 s on two cores, without it 2.4 s.
"""

raise ImportError("left out in Ray's processes: its import takes a second")
