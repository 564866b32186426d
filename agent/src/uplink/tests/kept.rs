//! Records that an agent which knew more has left in the spool.

use std::convert::Infallible;
use std::task::{Context, Poll};

use muster_proto::codec::SmallCodec;
use prost::Message as _;
use tonic::body::Body as Bytes;
use tonic::codegen::{BoxFuture, Service as Answers, http};
use tonic::server::{Grpc, NamedService, StreamingService};

use super::*;

/// `AgentMessage`, with its record as it came.
#[derive(Clone, PartialEq, prost::Message)]
struct Verbatim {
    #[prost(bytes = "vec", tag = "5")]
    record: Vec<u8>,
}

/// A collector that takes no record apart.
#[derive(Clone)]
struct Reader(mpsc::Sender<Call<Verbatim>>);

impl NamedService for Reader {
    const NAME: &'static str = "muster.v1.Uplink";
}

impl Answers<http::Request<Bytes>> for Reader {
    type Response = http::Response<Bytes>;
    type Error = Infallible;
    type Future = BoxFuture<Self::Response, Infallible>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Bytes>) -> Self::Future {
        let mut grpc = Grpc::new(SmallCodec::<v1::CollectorMessage, Verbatim>::default());
        let reader = self.clone();
        Box::pin(async move { Ok(grpc.streaming(reader, request).await) })
    }
}

impl StreamingService<Verbatim> for Reader {
    type Response = v1::CollectorMessage;
    type ResponseStream = ReceiverStream<Result<v1::CollectorMessage, Status>>;
    type Future = BoxFuture<Response<Self::ResponseStream>, Status>;

    fn call(&mut self, request: Request<Streaming<Verbatim>>) -> Self::Future {
        let calls = self.0.clone();
        Box::pin(async move {
            let (tell, told) = mpsc::channel(16);
            let call = Call { heard: request.into_inner(), tell };
            calls.send(call).await.map_err(|_| Status::unavailable("the test is over"))?;
            Ok(Response::new(ReceiverStream::new(told)))
        })
    }
}

#[tokio::test]
async fn what_a_newer_agent_has_left_in_the_spool_is_sent_as_it_was_kept() {
    let (sender, mut calls) = mpsc::channel(1);
    let (world, mut uplink) =
        world_of(Routes::new(Reader(sender)), mpsc::channel(1).1, 0, Limits::default(), clock::now).await;
    // A body of field 900, of which this agent has never heard: key 900 << 3 | 2, its length, "new".
    let mut newer = v1::Record { boot_id: vec![7; 16], ..v1::Record::default() }.encode_to_vec();
    newer.extend_from_slice(&[0xa2, 0x38, 3, b'n', b'e', b'w']);
    uplink.parts.spool.append(Kind::Urgent, clock::now(), newer.clone());
    play_on(world, uplink, async |world| {
        let mut call = calls.recv().await.unwrap();
        call.tell(Told::Welcome(welcome(world, 0))).await;
        let record = loop {
            let record = call.heard.message().await.unwrap().expect("the agent goes on").record;
            if !record.is_empty() {
                break record;
            }
        };
        assert!(record.windows(newer.len()).any(|part| part == newer), "{record:?}");
        let known = v1::Record::decode(&record[..]).unwrap();
        assert_eq!((known.sequence, known.boot_id), (1, vec![7; 16]));
    })
    .await;
}
