//! `muster-agent`: see `muster-agent --help`.

fn main() {}
