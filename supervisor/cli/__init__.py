"""The command line: one module for each verb (``add_arguments`` and ``run``), listed in ``supervisor.cli.main``."""
