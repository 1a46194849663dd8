//! Sortie: security automation for Microsoft Defender XDR in one binary.

fn main() {}
