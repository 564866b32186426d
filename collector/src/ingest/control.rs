//! EDGE. One agent's connection: TLS over TCP, what is known of it, and the handle by which others steer it.

use std::{
    io,
    net::{IpAddr, SocketAddr},
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU8, AtomicU32, AtomicU64, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
    sync::Notify,
};
use tokio_rustls::server::TlsStream;

use crate::domain::{
    event::Ending,
    watch::{Timers, Watch},
};

/// Keep-alive probes that stay unanswered before the kernel gives up.
const KEEP_ALIVE_PROBES: u32 = 3;

/// What a request knows of the connection it came over.
#[derive(Debug, Clone)]
pub struct ConnectInfo {
    /// The other end.
    pub peer: SocketAddr,
    /// The client certificate (DER, leaf) whose chain TLS has verified, if one was shown.
    pub certificate: Option<Arc<[u8]>>,
    /// The handle to the connection.
    pub control: Arc<ConnectionControl>,
}

impl ConnectInfo {
    /// The other end's address, IPv4 as such even on a dual socket.
    #[must_use]
    pub fn address(&self) -> IpAddr {
        self.peer.ip().to_canonical()
    }
}

/// Steers a connection from outside, and remembers how it ended.
#[derive(Debug)]
pub struct ConnectionControl {
    level: AtomicU8,
    end: AtomicU8,
    /// Bytes read inside TLS.
    pub(crate) bytes: AtomicU64,
    /// Requests that arrived.
    pub(crate) requests: AtomicU32,
    /// Sessions open on it.
    pub(crate) sessions: AtomicU32,
    closing: AtomicBool,
    close: Notify,
}

const OPEN: u8 = 0;
const FIN: u8 = 1;
const RESET: u8 = 2;
const TIMED_OUT: u8 = 3;

impl ConnectionControl {
    /// A connection just accepted, at the normal level.
    #[must_use]
    pub fn new() -> Arc<Self> {
        Arc::new(Self {
            level: AtomicU8::new(code(Watch::Normal)),
            end: AtomicU8::new(OPEN),
            bytes: AtomicU64::new(0),
            requests: AtomicU32::new(0),
            sessions: AtomicU32::new(0),
            closing: AtomicBool::new(false),
            close: Notify::new(),
        })
    }

    /// Keep-alive and user time-out follow this level from the next read on.
    pub fn set_level(&self, watch: Watch) {
        self.level.store(code(watch), Ordering::Relaxed);
    }

    /// Asks the connection to end in an orderly way.
    pub fn close(&self) {
        self.closing.store(true, Ordering::Relaxed);
        self.close.notify_one();
    }

    /// Waits until somebody asks for the end.
    pub(crate) async fn closed(&self) {
        self.close.notified().await;
    }

    /// How the connection ended, as far as the kernel has said. A stream that the agent reset on a connection that is
    /// still open counts as closed by its kernel: somebody there is alive.
    #[must_use]
    pub fn ending(&self) -> Ending {
        match self.end.load(Ordering::Relaxed) {
            RESET => Ending::Reset,
            TIMED_OUT => Ending::TimedOut,
            OPEN if self.closing.load(Ordering::Relaxed) => Ending::Drained,
            _ => Ending::Fin,
        }
    }

    fn note_end(&self, end: u8) {
        // The first word counts: what follows an end is only its echo.
        let _ = self.end.compare_exchange(OPEN, end, Ordering::Relaxed, Ordering::Relaxed);
    }

    fn note_error(&self, error: &io::Error) {
        self.note_end(match error.kind() {
            io::ErrorKind::UnexpectedEof => FIN,
            io::ErrorKind::TimedOut | io::ErrorKind::HostUnreachable | io::ErrorKind::NetworkUnreachable => TIMED_OUT,
            _ => RESET,
        });
    }
}

const fn code(watch: Watch) -> u8 {
    match watch {
        Watch::Fast => 0,
        Watch::Normal => 1,
        Watch::Relaxed => 2,
        Watch::None => 3,
    }
}

const fn timers(code: u8) -> &'static Timers {
    match code {
        0 => Watch::Fast.timers(),
        1 => Watch::Normal.timers(),
        _ => Watch::Relaxed.timers(),
    }
}

/// Sets keep-alive and `TCP_USER_TIMEOUT` (RFC 5482): the first notices a silent peer on an idle connection, the second
/// one that does not acknowledge what was sent.
pub(crate) fn tune(socket: &TcpStream, timers: &Timers) -> io::Result<()> {
    let socket = socket2::SockRef::from(socket);
    // The kernel counts keep-alive in whole seconds.
    let every = Duration::from_secs(u64::from(timers.keep_alive_ms.div_ceil(1000)));
    let keep_alive = socket2::TcpKeepalive::new().with_time(every).with_interval(every).with_retries(KEEP_ALIVE_PROBES);
    socket.set_tcp_keepalive(&keep_alive)?;
    #[cfg(target_os = "linux")]
    socket.set_tcp_user_timeout(Some(Duration::from_millis(u64::from(timers.user_timeout_ms))))?;
    Ok(())
}

/// TLS over TCP that follows its [`ConnectionControl`] and tells it what happens.
#[derive(Debug)]
pub(crate) struct Wire {
    stream: TlsStream<TcpStream>,
    control: Arc<ConnectionControl>,
    level: u8,
}

impl Wire {
    /// Wraps an established stream.
    pub(crate) fn new(stream: TlsStream<TcpStream>, control: Arc<ConnectionControl>) -> Self {
        let level = code(Watch::Normal);
        Self { stream, control, level }
    }

    fn follow_level(&mut self) {
        let wanted = self.control.level.load(Ordering::Relaxed);
        if wanted != self.level {
            self.level = wanted;
            if let Err(error) = tune(self.stream.get_ref().0, timers(wanted)) {
                tracing::debug!(%error, "cannot set the keep-alive of a connection");
            }
        }
    }
}

impl AsyncRead for Wire {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        this.follow_level();
        let (before, room) = (buffer.filled().len(), buffer.remaining());
        let polled = Pin::new(&mut this.stream).poll_read(cx, buffer);
        match &polled {
            Poll::Ready(Ok(())) => {
                let read = buffer.filled().len() - before;
                if read == 0 && room > 0 {
                    this.control.note_end(FIN);
                }
                this.control.bytes.fetch_add(read as u64, Ordering::Relaxed);
            }
            Poll::Ready(Err(error)) => this.control.note_error(error),
            Poll::Pending => {}
        }
        polled
    }
}

impl AsyncWrite for Wire {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        this.follow_level();
        noted(&this.control, Pin::new(&mut this.stream).poll_write(cx, bytes))
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        noted(&this.control, Pin::new(&mut this.stream).poll_flush(cx))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        noted(&this.control, Pin::new(&mut this.stream).poll_write_vectored(cx, slices))
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}

fn noted<T>(control: &ConnectionControl, polled: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
    if let Poll::Ready(Err(error)) = &polled {
        control.note_error(error);
    }
    polled
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_word_on_how_a_connection_ended_counts() {
        let control = ConnectionControl::new();
        control.note_error(&io::ErrorKind::TimedOut.into());
        control.note_error(&io::ErrorKind::BrokenPipe.into());
        control.close();
        assert_eq!(control.ending(), Ending::TimedOut);
    }

    #[test]
    fn a_cut_tls_stream_is_a_fin_and_a_reset_a_reset() {
        let (cut, reset, ours) = (ConnectionControl::new(), ConnectionControl::new(), ConnectionControl::new());
        cut.note_error(&io::ErrorKind::UnexpectedEof.into());
        reset.note_error(&io::ErrorKind::ConnectionReset.into());
        ours.close();
        assert_eq!([cut.ending(), reset.ending(), ours.ending()], [Ending::Fin, Ending::Reset, Ending::Drained]);
    }

    #[tokio::test]
    async fn the_level_sets_the_kernels_patience() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let socket = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        tune(&socket, Watch::Relaxed.timers()).unwrap();
        let view = socket2::SockRef::from(&socket);
        assert_eq!(view.tcp_keepalive_time().unwrap(), Duration::from_secs(30));
        tune(&socket, Watch::Fast.timers()).unwrap();
        assert_eq!(view.tcp_keepalive_interval().unwrap(), Duration::from_secs(1));
        #[cfg(target_os = "linux")]
        assert_eq!(view.tcp_user_timeout().unwrap(), Some(Duration::from_secs(3)));
    }
}
