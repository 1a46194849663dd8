//! The one way out: HTTP with verified TLS, bounds, delivery verdicts and a shared quota gate.
