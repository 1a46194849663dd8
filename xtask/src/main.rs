//! The project's own commands: test, tidy, bench, soak.

fn main() {}
