//! What the tests of several crates share: a running emulator, the binary, captured output.
