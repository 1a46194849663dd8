//! App-only access tokens of Microsoft Entra ID: acquired, cached, explained, verified.
