//! Figures in evidence.

/// A share as a percentage without binary dust: 0.07 is 7, not 7.000000000000001.
pub(super) fn percent(share: f64) -> f64 {
    (share * 10_000.0).round() / 100.0
}

/// `3.1 GiB`, `100 GiB`, `512 B`: three figures at most.
pub(super) fn bytes(amount: f64) -> String {
    let mut amount = amount;
    for unit in ["B", "KiB", "MiB", "GiB", "TiB"] {
        if amount < 1023.5 {
            return if amount < 9.95 && unit != "B" {
                format!("{amount:.1} {unit}")
            } else {
                format!("{amount:.0} {unit}")
            };
        }
        amount /= 1024.0;
    }
    format!("{amount:.1} PiB")
}
