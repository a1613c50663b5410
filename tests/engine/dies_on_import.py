"""A task whose module ends the worker that imports it."""

import multiprocessing
import os

if multiprocessing.current_process().name == "cpu":
    os._exit(3)
