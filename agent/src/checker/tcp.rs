//! Does a TCP port take connections?

use tokio::net::TcpStream;
use tokio::time::Instant;

use crate::check::{Outcome, Status, spell};

pub(super) async fn run(address: &str) -> Outcome {
    let begun = Instant::now();
    match TcpStream::connect(address).await {
        Ok(_) => {
            let took = begun.elapsed();
            Outcome::new(Status::Ok, format!("{address} takes connections, {}", spell(took))).with(
                "time",
                took.as_secs_f64(),
                "s",
            )
        }
        Err(error) => Outcome::new(Status::Critical, format!("{address} cannot be connected to: {error}")),
    }
}
