//! A siege of the collector's door: handshakes that are begun and never ended, half of them a byte a second, and a host of ours
//! that opens streams and resets them as fast as it can. It runs in a thread of its own and ends when dropped.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream};
use tokio::sync::oneshot;
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::raw::{Raw, Talk};
use crate::wait::pass;

/// Addresses of this machine's loopback from which it comes, none of them that of an honest agent.
const ADDRESSES: usize = 20;
/// Whoever is cut off comes again so soon.
const AGAIN: Duration = Duration::from_secs(1);
/// Between two bytes of those who say anything.
const BYTE_EVERY: Duration = Duration::from_secs(1);
/// Streams that are opened side by side.
const STREAMS: usize = 8;
/// A stream is reset so soon after it was opened.
const RESET_AFTER: Duration = Duration::from_millis(1);
/// The beginning of a `ClientHello` (RFC 8446, 4 and 5.1): a record of 512 bytes, of which few ever come.
const BEGUN: [u8; 6] = [22, 3, 1, 2, 0, 1];

/// A siege under way.
#[derive(Debug)]
pub struct Siege {
    counts: Arc<Counts>,
    /// Dropped, it ends.
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug, Default)]
struct Counts {
    held: AtomicUsize,
    resets: AtomicU64,
}

impl Siege {
    /// Begins so many handshakes at the door of this port, and streams in the name of `host`.
    ///
    /// # Panics
    /// When there can be no thread for it.
    #[must_use]
    pub fn lay(port: u16, half_open: usize, host: Raw) -> Self {
        let counts = Arc::new(Counts::default());
        let (stop, stopped) = oneshot::channel();
        let counting = Arc::clone(&counts);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let thread = std::thread::spawn(move || {
            runtime.block_on(async {
                tokio::select! {
                    _ = stopped => {}
                    () = besiege(port, half_open, host, counting) => {}
                }
            });
        });
        Self { counts, stop: Some(stop), thread: Some(thread) }
    }

    /// Connections that the collector holds now without an end of their handshakes, as far as this side knows.
    #[must_use]
    pub fn held(&self) -> usize {
        self.counts.held.load(Ordering::Relaxed)
    }

    /// Streams opened and reset so far.
    #[must_use]
    pub fn resets(&self) -> u64 {
        self.counts.resets.load(Ordering::Relaxed)
    }
}

impl Drop for Siege {
    fn drop(&mut self) {
        drop(self.stop.take());
        let _ = self.thread.take().map(JoinHandle::join);
    }
}

async fn besiege(port: u16, half_open: usize, host: Raw, counts: Arc<Counts>) {
    let mut all = JoinSet::new();
    for n in 0..half_open {
        all.spawn(begin_again_and_again(n, port, Arc::clone(&counts)));
    }
    let host = Arc::new(host);
    for _ in 0..STREAMS {
        all.spawn(open_and_reset(Arc::clone(&host), Arc::clone(&counts)));
    }
    while all.join_next().await.is_some() {}
}

async fn begin_again_and_again(n: usize, port: u16, counts: Arc<Counts>) {
    loop {
        if let Ok(stream) = connect(n, port).await {
            counts.held.fetch_add(1, Ordering::Relaxed);
            hold(stream, n.is_multiple_of(2)).await;
            counts.held.fetch_sub(1, Ordering::Relaxed);
        }
        pass(AGAIN).await;
    }
}

async fn connect(n: usize, port: u16) -> std::io::Result<TcpStream> {
    let from = IpAddr::from([127, 1, 0, u8::try_from(n % ADDRESSES + 1).unwrap_or(1)]);
    let socket = TcpSocket::new_v4()?;
    socket.bind(SocketAddr::new(from, 0))?;
    socket.connect(SocketAddr::from(([127, 0, 0, 1], port))).await
}

/// Until it is cut off.
async fn hold(mut stream: TcpStream, says_a_byte_a_second: bool) {
    if stream.write_all(&BEGUN).await.is_err() {
        return;
    }
    let mut nothing = [0];
    loop {
        match timeout(BYTE_EVERY, stream.read(&mut nothing)).await {
            Ok(_) => return,
            Err(_) if says_a_byte_a_second && stream.write_all(&[0]).await.is_err() => return,
            Err(_) => {}
        }
    }
}

async fn open_and_reset(host: Arc<Raw>, counts: Arc<Counts>) {
    loop {
        if let Some(channel) = host.try_connect().await {
            // Until the collector has had enough of this connection. Nobody says who he is, so that there is no session to open.
            loop {
                let opened = timeout(RESET_AFTER, Talk::open(channel.clone(), false, None)).await;
                counts.resets.fetch_add(1, Ordering::Relaxed);
                if matches!(opened, Ok(Err(_))) {
                    break;
                }
            }
        }
        pass(BYTE_EVERY / 10).await;
    }
}
