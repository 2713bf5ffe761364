"""Starts the suite's own server for Python, without the clients of other clouds' KMS.

    python_server.py SUITE PROTOS --port N
"""

import os
import sys
import types

suite, protos = sys.argv[1:3]
sys.path[:0] = [os.path.join(suite, "python"), protos]
# The suite's module of this name signs in to other clouds.
kms = types.ModuleType("kms")
kms.init = lambda: None
sys.modules["kms"] = kms

import testing_server  # noqa: E402
from absl import app  # noqa: E402

if __name__ == "__main__":
    app.run(testing_server.main, [sys.argv[0], *sys.argv[3:]])
