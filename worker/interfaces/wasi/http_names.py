"""The types of ``wasi:http``, by name."""

from __future__ import annotations

from typing import Final

from worker.interfaces.wasi.declaring import names_of

_ERRORS: Final = """
    dns-payload = record DNS-error-payload {rcode: option<string>, info-code: option<u16>}
    alert = record TLS-alert-received-payload {alert-id: option<u8>, alert-message: option<string>}
    field-size = record field-size-payload {field-name: option<string>, field-size: option<u32>}
"""
_CASES: Final = """
    DNS-timeout, DNS-error(dns-payload), destination-not-found, destination-unavailable, destination-IP-prohibited,
    destination-IP-unroutable, connection-refused, connection-terminated, connection-timeout, connection-read-timeout,
    connection-write-timeout, connection-limit-reached, TLS-protocol-error, TLS-certificate-error,
    TLS-alert-received(alert), HTTP-request-denied, HTTP-request-length-required, HTTP-request-body-size(option<u64>),
    HTTP-request-method-invalid, HTTP-request-URI-invalid, HTTP-request-URI-too-long,
    HTTP-request-header-section-size(option<u32>), HTTP-request-header-size(option<field-size>),
    HTTP-request-trailer-section-size(option<u32>), HTTP-request-trailer-size(field-size), HTTP-response-incomplete,
    HTTP-response-header-section-size(option<u32>), HTTP-response-header-size(field-size),
    HTTP-response-body-size(option<u64>), HTTP-response-trailer-section-size(option<u32>),
    HTTP-response-trailer-size(field-size), HTTP-response-transfer-coding(option<string>),
    HTTP-response-content-coding(option<string>), HTTP-response-timeout, HTTP-upgrade-failed, HTTP-protocol-error,
    loop-detected, configuration-error, internal-error(option<string>)
"""
_OTHERS: Final = """
    method = variant method {get, head, post, put, delete, connect, options, trace, patch, other(string)}
    scheme = variant scheme {HTTP, HTTPS, other(string)}
    header-error = variant header-error {invalid-syntax, forbidden, immutable}
    header = tuple<string, list<u8>>
"""
NAMES: Final = names_of(
    f"error-code = variant error-code {{{' '.join(_CASES.split())}}}\n{_OTHERS}", names_of(_ERRORS)
)
ERROR: Final = NAMES["error-code"]
METHOD: Final = NAMES["method"]
SCHEME: Final = NAMES["scheme"]
HEADER_ERROR: Final = NAMES["header-error"]
HEADER: Final = NAMES["header"]
METHODS: Final = ("get", "head", "post", "put", "delete", "connect", "options", "trace", "patch")
