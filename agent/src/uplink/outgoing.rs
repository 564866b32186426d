//! What goes out: the envelope of the wire, with a record as the bytes that were kept of it.
//!
//! A record is not put together anew. A newer agent may have kept it, before its machine was put back to this one, and of what this
//! one does not know nothing would be left; the collector may know it.

use muster_proto::codec::SmallCodec;
use muster_proto::v1;
use muster_proto::v1::agent_message::Body;
use prost::{DecodeError, Message as _};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::client::Grpc;
use tonic::codegen::http::uri::PathAndQuery;
use tonic::transport::Channel;
use tonic::{Request, Status, Streaming};

use crate::spool::Kept;

/// `Uplink.Session`.
const SESSION: &str = "/muster.v1.Uplink/Session";

/// `AgentMessage` as it is written: of a message's field nothing is on the wire but its bytes.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct Outgoing {
    #[prost(oneof = "Body", tags = "1, 2, 3, 4, 6, 7, 8")]
    body: Option<Body>,
    #[prost(bytes = "vec", optional, tag = "5")]
    record: Option<Vec<u8>>,
}

impl From<Body> for Outgoing {
    fn from(body: Body) -> Self {
        Self { body: Some(body), record: None }
    }
}

impl Outgoing {
    /// A record with its number, which stands last: of several the last one holds (protobuf's encoding, "Last One Wins").
    ///
    /// # Errors
    /// It is no record: the collector could not read what comes after it either.
    pub(super) fn kept(kept: Kept) -> Result<Self, DecodeError> {
        let Kept { sequence, payload: mut record } = kept;
        v1::Record::decode(&record[..])?;
        record.extend(v1::Record { sequence, ..v1::Record::default() }.encode_to_vec());
        Ok(Self { body: None, record: Some(record) })
    }
}

/// Opens the stream on which these go out.
pub(super) async fn session(
    channel: Channel,
    messages: mpsc::Receiver<Outgoing>,
) -> Result<Streaming<v1::CollectorMessage>, Status> {
    let mut grpc = Grpc::new(channel);
    grpc.ready().await.map_err(|error| Status::unknown(format!("the service is not ready: {error}")))?;
    let codec = SmallCodec::<Outgoing, v1::CollectorMessage>::default();
    let (request, path) = (Request::new(ReceiverStream::new(messages)), PathAndQuery::from_static(SESSION));
    Ok(grpc.streaming(request, path, codec).await?.into_inner())
}
