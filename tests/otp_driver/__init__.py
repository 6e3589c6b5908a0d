"""Drives the supervision core through scenarios recorded from Erlang/OTP, with workers and a clock that are not real.

``python -m tests.otp_driver FILE...`` prints one JSON line for each scenario file: ``{"file": …, "trace": […]}``. The
format of scenarios and traces is described in ``tests/otp_traces/README.md``.
"""
