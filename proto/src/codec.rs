//! The protobuf codec with small buffers: a stream idles at a few KiB instead of 16.

use std::marker::PhantomData;

use prost::Message;
use tonic::codec::{BufferSettings, Codec};
use tonic_prost::{ProstDecoder, ProstEncoder};

/// Initial buffer per direction. A steady report is under 1 KiB (measured: 376 bytes for 300 series); tonic's own
/// default of 8 KiB would be paid once per direction for every connected agent.
const BUFFER_BYTES: usize = 1024;
/// Yield to the transport once this much is encoded: larger frames grow the receiver's buffers for good (measured: 13 KiB
/// per agent).
const YIELD_BYTES: usize = 2 * 1024;

/// tonic's prost codec with [`BUFFER_BYTES`] buffers.
#[derive(Debug, Clone)]
pub struct SmallCodec<Out, In>(PhantomData<(Out, In)>);

impl<Out, In> Default for SmallCodec<Out, In> {
    fn default() -> Self {
        Self(PhantomData)
    }
}

impl<Out, In> Codec for SmallCodec<Out, In>
where
    Out: Message + Send + 'static,
    In: Message + Default + Send + 'static,
{
    type Encode = Out;
    type Decode = In;
    type Encoder = ProstEncoder<Out>;
    type Decoder = ProstDecoder<In>;

    fn encoder(&mut self) -> Self::Encoder {
        ProstEncoder::new(BufferSettings::new(BUFFER_BYTES, YIELD_BYTES))
    }

    fn decoder(&mut self) -> Self::Decoder {
        ProstDecoder::new(BufferSettings::new(BUFFER_BYTES, YIELD_BYTES))
    }
}
