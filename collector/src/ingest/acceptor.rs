//! EDGE. Accepts agents: TCP, TLS within ten seconds, and no more of anything than the limits say.

use std::{
    collections::HashMap,
    future::Future,
    net::{IpAddr, SocketAddr},
    pin::pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::{
    net::{TcpListener, TcpStream},
    sync::{mpsc, oneshot, watch},
    task::JoinSet,
    time::timeout,
};
use tokio_rustls::{TlsAcceptor, server::TlsStream};

use super::{
    Context, IngestError,
    connection::{self, Services},
    control::{ConnectInfo, ConnectionControl, Wire, tune},
    door::{AtTheDoor, Place},
    exchange::Exchange,
    look::{self, AT_ONCE},
};
use crate::domain::{
    event::{Event, HostEvent},
    watch::Watch,
};

/// TLS must stand within this.
const HANDSHAKE: Duration = Duration::from_secs(10);
/// After an error of `accept` (no descriptors left) the door waits for this long.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// How long streams have to end when the collector stops.
const STOPPING: Duration = Duration::from_secs(3);
/// How long a newcomer's address has to answer.
const ACQUAINT: Duration = Duration::from_secs(2);
/// Housekeeping: alarms about clones that are gone.
const HOUSEKEEPING: Duration = Duration::from_secs(60);
/// TLS records that may wait to be written; we send little.
const TLS_BUFFER_BYTES: usize = 32 * 1024;

/// Serves agents until `shutdown`, then ends their streams in order.
///
/// # Errors
/// [`IngestError`] when the door cannot open.
pub async fn serve(
    listener: TcpListener,
    context: Arc<Context>,
    shutdown: impl Future<Output = ()>,
) -> Result<(), IngestError> {
    let door = Arc::new(Mutex::new(Door { who: AtTheDoor::new(context.limits), cuts: HashMap::new() }));
    let services = Services::new(&context);
    let (stop, stopping) = watch::channel(false);
    let mut connections = JoinSet::new();
    let mut helpers = JoinSet::new();
    helpers.spawn(forward_departures(context.clone()));
    helpers.spawn(housekeep(context.clone()));
    if let Some(arrivals) = context.take_arrivals() {
        helpers.spawn(acquaint(context.clone(), arrivals));
    }
    let mut shutdown = pin!(shutdown);
    loop {
        tokio::select! {
            () = &mut shutdown => break,
            accepted = listener.accept() => match accepted {
                Ok((socket, peer)) => {
                    if let Some(permit) = Pending::arrive(&door, &context, peer.ip()) {
                        let arrived = Arrived { socket, peer, permit };
                        connections.spawn(admit(arrived, context.clone(), services.clone(), stopping.clone()));
                    }
                }
                Err(error) => {
                    context.metrics().handshake("accept_error");
                    tracing::error!(%error, "cannot accept agents: raise the limit of open files (LimitNOFILE)");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            },
            Some(_) = connections.join_next() => {}
        }
    }
    drop(listener);
    context.rooms.sessions.stop_all();
    let _ = stop.send(true);
    // Those that do not end in time are cut.
    let _ = timeout(STOPPING, async { while connections.join_next().await.is_some() {} }).await;
    connections.shutdown().await;
    helpers.shutdown().await;
    send_departures(&context).await;
    Ok(())
}

struct Arrived {
    socket: TcpStream,
    peer: SocketAddr,
    permit: Pending,
}

async fn admit(arrived: Arrived, context: Arc<Context>, services: Services, stopping: watch::Receiver<bool>) {
    // Boxed: what a handshake needs is given back before the connection settles.
    let Some((exchange, info, _anonymous)) = Box::pin(enter(arrived, &context)).await else { return };
    drop(context);
    connection::serve(exchange, info, services, stopping).await;
}

/// TLS and the greeting of HTTP/2.
async fn enter(arrived: Arrived, context: &Context) -> Option<(Box<Exchange>, ConnectInfo, Option<Anonymous>)> {
    let Arrived { socket, peer, mut permit } = arrived;
    let stream = tokio::select! {
        done = handshake(socket, peer, context) => done?,
        // Gone: somebody else needs the place.
        _ = &mut permit.cut => {
            context.metrics().handshake("displaced");
            return None;
        }
    };
    let certificate: Option<Arc<[u8]>> = {
        let (_, tls) = stream.get_ref();
        tls.peer_certificates().and_then(|chain| chain.first()).map(|leaf| leaf.as_ref().into())
    };
    let anonymous = if certificate.is_some() {
        context.metrics().handshake("certificate");
        drop(permit);
        None
    } else {
        let Some(anonymous) = permit.stay_anonymous() else {
            context.metrics().handshake("too_many_anonymous_from_address");
            return None;
        };
        context.metrics().handshake("anonymous");
        Some(anonymous)
    };
    let control = ConnectionControl::new();
    let info = ConnectInfo { peer, certificate, control: control.clone() };
    let exchange = connection::greet(Wire::new(stream, control)).await?;
    Some((exchange, info, anonymous))
}

async fn handshake(socket: TcpStream, peer: SocketAddr, context: &Context) -> Option<TlsStream<TcpStream>> {
    let set = socket.set_nodelay(true).and_then(|()| tune(&socket, Watch::Normal.timers()));
    if let Err(error) = set {
        // The peer has gone already.
        tracing::debug!(%error, network.peer.address = %peer.ip(), "cannot set up a connection");
        return None;
    }
    let acceptor = TlsAcceptor::from(context.tls());
    let accepting = acceptor.accept_with(socket, |tls| tls.set_buffer_limit(Some(TLS_BUFFER_BYTES)));
    match timeout(HANDSHAKE, accepting).await {
        Ok(Ok(stream)) => return Some(stream),
        Ok(Err(error)) => {
            context.metrics().handshake("failed");
            tracing::debug!(%error, network.peer.address = %peer.ip(), "a TLS handshake failed");
        }
        Err(_) => context.metrics().handshake("timed_out"),
    }
    None
}

/// The door, and how those are told whose place another one gets.
struct Door {
    who: AtTheDoor,
    /// By handshake under way; dropped, it is to end.
    cuts: HashMap<Place, oneshot::Sender<()>>,
}

/// A handshake under way; freed when dropped.
struct Pending {
    door: Arc<Mutex<Door>>,
    address: IpAddr,
    place: Place,
    /// Ends when another one gets its place.
    cut: oneshot::Receiver<()>,
}

impl Pending {
    fn arrive(door: &Arc<Mutex<Door>>, context: &Context, address: IpAddr) -> Option<Self> {
        let mut held = locked(door);
        let admitted = match held.who.arrive(address, context.now()) {
            Ok(admitted) => admitted,
            Err(outcome) => {
                context.metrics().handshake(outcome);
                return None;
            }
        };
        if let Some(gone) = admitted.instead_of {
            held.cuts.remove(&gone);
        }
        let (sender, cut) = oneshot::channel();
        held.cuts.insert(admitted.place, sender);
        Some(Self { door: door.clone(), address, place: admitted.place, cut })
    }

    fn stay_anonymous(self) -> Option<Anonymous> {
        let stays = locked(&self.door).who.anonymous_stays(self.address);
        stays.then(|| Anonymous { door: self.door.clone(), address: self.address })
    }
}

impl Drop for Pending {
    fn drop(&mut self) {
        let mut door = locked(&self.door);
        door.cuts.remove(&self.place);
        door.who.handshake_ended(self.place);
    }
}

/// A connection without certificate; freed when dropped.
struct Anonymous {
    door: Arc<Mutex<Door>>,
    address: IpAddr,
}

impl Drop for Anonymous {
    fn drop(&mut self) {
        locked(&self.door).who.anonymous_left(self.address);
    }
}

fn locked(door: &Mutex<Door>) -> MutexGuard<'_, Door> {
    door.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Tells the engine of sessions that ended.
async fn forward_departures(context: Arc<Context>) {
    loop {
        context.departures.wait().await;
        send_departures(&context).await;
    }
}

async fn send_departures(context: &Context) {
    for gone in context.departures.take() {
        let ended = HostEvent::Ended { session: gone.session, how: gone.how, proof: gone.proof };
        if context.rooms.mailbox.send(Event::Host(gone.host, ended)).await.is_err() {
            return;
        }
    }
}

async fn housekeep(context: Arc<Context>) {
    let mut every = tokio::time::interval(HOUSEKEEPING);
    loop {
        every.tick().await;
        for what in context.clones_gone() {
            // The engine is gone: nobody is left to be told.
            let _ = context.rooms.mailbox.send(Event::SelfCheck { what, trouble: None }).await;
        }
    }
}

/// Learns what answers at the addresses of those that arrive, so that silence there means something later.
async fn acquaint(context: Arc<Context>, mut arrivals: mpsc::Receiver<IpAddr>) {
    let mut looks = JoinSet::new();
    while let Some(address) = arrivals.recv().await {
        while looks.len() >= AT_ONCE {
            looks.join_next().await;
        }
        let habits = context.habits.clone();
        looks.spawn(async move { look::acquaint(address, ACQUAINT, &habits).await });
    }
}
