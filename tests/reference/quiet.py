"""onnxruntime without its telemetry: `from quiet import onnxruntime` in place of `import onnxruntime`.

The package sends events to its maker, and keeps files in the user's cache folder, from the moment it is imported. It asks
the environment for ORT_DISABLE_TELEMETRY then, and only then.
"""

import os

os.environ["ORT_DISABLE_TELEMETRY"] = "1"

import onnxruntime

onnxruntime.disable_telemetry_events()
