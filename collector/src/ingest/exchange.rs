//! EDGE. Requests and answers on one HTTP/2 connection, all of them in the connection's own task.
//!
//! hyper gives every request a task of its own and passes each frame from one task to the other. An agent has one
//! request that lasts for months, and there are thousands of agents: one task each costs less memory and fewer
//! wake-ups. The protocol itself is the `h2` crate's.

use std::{
    convert::Infallible,
    future::{Future, poll_fn},
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::Bytes;
use h2::{
    Reason, RecvStream, SendStream,
    server::{Builder, Connection, SendResponse},
};
use http_body::{Body as _, Frame};
use tokio::time::timeout;
use tonic::body::Body;

use super::{bells::Bells, control::Wire};

/// What a service answers, in time.
pub(crate) type Answering = Pin<Box<dyn Future<Output = Result<http::Response<Body>, Infallible>> + Send>>;

/// A peer that takes nothing of what is sent to it for this long is let go; an answer is a few hundred bytes.
const TAKEN_WITHIN: Duration = Duration::from_secs(30);
/// Times that one poll goes through both halves; others want to be served too.
const ROUNDS: usize = 4;
/// Bytes before each gRPC message: one for compression, four for its length.
const PREFIX_BYTES: usize = 5;

/// One connection with what is open on it.
pub(crate) struct Exchange {
    connection: Connection<Wire, Bytes>,
    open: Vec<Pin<Box<dyn Future<Output = ()> + Send>>>,
    bells: Bells,
}

impl Exchange {
    /// Greets the peer.
    ///
    /// # Errors
    /// When it does not speak HTTP/2.
    pub(crate) async fn begin(wire: Wire, settings: &Builder) -> Result<Box<Self>, h2::Error> {
        let connection = settings.handshake(wire).await?;
        Ok(Box::new(Self { connection, open: Vec::new(), bells: Bells::new() }))
    }

    /// Reads, answers and writes until the connection is over.
    ///
    /// # Errors
    /// When the peer breaks the protocol, or the wire breaks.
    pub(crate) fn poll(
        &mut self,
        cx: &mut Context<'_>,
        answer: &mut impl FnMut(http::Request<Body>) -> Answering,
    ) -> Poll<Result<(), h2::Error>> {
        self.bells.enter(cx);
        let mut over = Poll::Pending;
        for _ in 0..ROUNDS {
            if self.bells.wire().answer() {
                over = self.poll_wire(answer);
            }
            let stirred = self.bells.open().answer();
            if stirred && over.is_pending() {
                self.poll_open();
            }
            if over.is_ready() || !stirred {
                break;
            }
        }
        self.bells.leave();
        over
    }

    /// Reads what has arrived, writes what is to go.
    fn poll_wire(&mut self, answer: &mut impl FnMut(http::Request<Body>) -> Answering) -> Poll<Result<(), h2::Error>> {
        loop {
            match ready!(self.connection.poll_accept(&mut self.bells.wire().context())) {
                Some(Ok((request, respond))) => {
                    let answering = answer(request.map(|stream| Body::new(Inbound::new(stream))));
                    self.open.push(Box::pin(respond_with(answering, respond)));
                    self.bells.open().ring();
                }
                Some(Err(error)) => return Poll::Ready(Err(error)),
                None => return Poll::Ready(Ok(())),
            }
        }
    }

    fn poll_open(&mut self) {
        let mut cx = self.bells.open().context();
        self.open.retain_mut(|exchange| exchange.as_mut().poll(&mut cx).is_pending());
    }

    /// Takes no new requests; what is open may end.
    pub(crate) fn leave(&mut self) {
        self.connection.graceful_shutdown();
        self.bells.wire().ring();
    }

    /// The connection is over: what is open hears of it and ends.
    pub(crate) async fn end(&mut self) {
        poll_fn(|cx| {
            self.bells.enter(cx);
            self.bells.open().answer();
            self.poll_open();
            // Nobody writes any more.
            self.bells.wire().answer();
            self.bells.leave();
            if self.open.is_empty() { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
    }
}

/// Sends the answer, unless the peer resets the stream before its end.
async fn respond_with(mut answering: Answering, mut respond: SendResponse<Bytes>) {
    let answered = poll_fn(|cx| match respond.poll_reset(cx) {
        Poll::Ready(_) => Poll::Ready(None),
        Poll::Pending => answering.as_mut().poll(cx).map(Some),
    });
    let Some(Ok(response)) = answered.await else { return };
    drop(answering);
    let (head, body) = response.into_parts();
    let ended = body.is_end_stream();
    // An error means that stream or connection are gone: nobody is left to be told, here and below.
    let Ok(stream) = respond.send_response(http::Response::from_parts(head, ()), ended) else { return };
    if !ended {
        send_body(body, stream).await;
    }
}

async fn send_body(mut body: Body, mut stream: SendStream<Bytes>) {
    loop {
        let frame = poll_fn(|cx| match stream.poll_reset(cx) {
            Poll::Ready(_) => Poll::Ready(Err(())),
            Poll::Pending => Pin::new(&mut body).poll_frame(cx).map(Ok),
        });
        match frame.await {
            Err(()) => return,
            Ok(None) => {
                let _ = stream.send_data(Bytes::new(), true);
                return;
            }
            Ok(Some(Err(_))) => return stream.send_reset(Reason::INTERNAL_ERROR),
            Ok(Some(Ok(frame))) => match frame.into_data() {
                Ok(data) => {
                    if !send(&mut stream, data).await {
                        return stream.send_reset(Reason::FLOW_CONTROL_ERROR);
                    }
                }
                Err(frame) => {
                    if let Ok(trailers) = frame.into_trailers() {
                        let _ = stream.send_trailers(trailers);
                    }
                    return;
                }
            },
        }
    }
}

/// Sends as the peer gives room. False: it does not.
async fn send(stream: &mut SendStream<Bytes>, mut data: Bytes) -> bool {
    while !data.is_empty() {
        stream.reserve_capacity(data.len());
        let room = match stream.capacity() {
            0 => match timeout(TAKEN_WITHIN, poll_fn(|cx| stream.poll_capacity(cx))).await {
                Ok(Some(Ok(room))) => room,
                _ => return false,
            },
            room => room,
        };
        if stream.send_data(data.split_to(room.min(data.len())), false).is_err() {
            return false;
        }
    }
    true
}

/// What the peer sends, each message's prefix in a frame of its own: tonic makes room for a message once it has read
/// the prefix, on top of what it already holds of it. So it holds one message instead of up to four (measured: 3 KiB
/// instead of 10 per agent).
struct Inbound {
    stream: RecvStream,
    prefix: [u8; PREFIX_BYTES],
    /// Bytes of the prefix that have been read.
    known: usize,
    /// Bytes that the message still has.
    left: usize,
    waiting: Bytes,
}

impl Inbound {
    fn new(stream: RecvStream) -> Self {
        Self { stream, prefix: [0; PREFIX_BYTES], known: 0, left: 0, waiting: Bytes::new() }
    }

    /// The next part of what is waiting.
    fn part(&mut self) -> Bytes {
        if self.left > 0 {
            let part = self.waiting.split_to(self.left.min(self.waiting.len()));
            self.left -= part.len();
            return part;
        }
        let part = self.waiting.split_to((PREFIX_BYTES - self.known).min(self.waiting.len()));
        self.prefix[self.known..self.known + part.len()].copy_from_slice(&part);
        self.known += part.len();
        if let (PREFIX_BYTES, [_, length @ ..]) = (self.known, self.prefix) {
            self.known = 0;
            self.left = u32::from_be_bytes(length) as usize;
        }
        part
    }
}

impl http_body::Body for Inbound {
    type Data = Bytes;
    type Error = h2::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, h2::Error>>> {
        while self.waiting.is_empty() {
            match ready!(self.stream.poll_data(cx)) {
                Some(Ok(data)) => {
                    // An error means that the stream is gone: the next poll says so.
                    let _ = self.stream.flow_control().release_capacity(data.len());
                    self.waiting = data;
                }
                Some(Err(error)) => return Poll::Ready(Some(Err(error))),
                None => {
                    let trailers = ready!(self.stream.poll_trailers(cx)).transpose();
                    return Poll::Ready(trailers.map(|trailers| trailers.map(Frame::trailers)));
                }
            }
        }
        let part = self.part();
        if self.waiting.is_empty() {
            // Even empty it would keep the connection's read buffer from being used again.
            self.waiting = Bytes::new();
        }
        Poll::Ready(Some(Ok(Frame::data(part))))
    }

    fn is_end_stream(&self) -> bool {
        self.waiting.is_empty() && self.stream.is_end_stream()
    }
}
