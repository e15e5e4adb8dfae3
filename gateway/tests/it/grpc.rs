//! A gRPC client that others wrote, tonic, through the gateway to a gRPC server outside.

use bytes::{Buf as _, BufMut as _, Bytes};
use futures_util::StreamExt as _;
use tokio::sync::mpsc;
use tonic::{
    Code, Request, Status,
    client::Grpc,
    codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder},
    transport::{Channel, Endpoint},
};

use crate::{
    support::{Rig, within},
    upstream_http2::grpc_rig,
};

/// Messages as they are, without a schema.
#[derive(Default)]
struct Plain;

impl Codec for Plain {
    type Encode = Bytes;
    type Decode = Bytes;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        Self
    }

    fn decoder(&mut self) -> Self {
        Self
    }
}

impl Encoder for Plain {
    type Item = Bytes;
    type Error = Status;

    fn encode(&mut self, message: Bytes, buffer: &mut EncodeBuf<'_>) -> Result<(), Status> {
        buffer.put(message);
        Ok(())
    }
}

impl Decoder for Plain {
    type Item = Bytes;
    type Error = Status;

    fn decode(&mut self, buffer: &mut DecodeBuf<'_>) -> Result<Option<Bytes>, Status> {
        Ok(Some(buffer.copy_to_bytes(buffer.remaining())))
    }
}

async fn client(rig: &Rig) -> Grpc<Channel> {
    let endpoint = Endpoint::from_shared(format!("http://{}", rig.address())).unwrap();
    let mut client = Grpc::new(within("a connection", endpoint.connect()).await.unwrap());
    within("a free connection", client.ready()).await.unwrap();
    client
}

#[tokio::test]
async fn tonic_calls_and_learns_how_it_went() {
    let (rig, _server) = grpc_rig().await;
    let mut client = client(&rig).await;
    let echo = "/test.Echo/Echo".parse().unwrap();
    let call = client.unary(Request::new(Bytes::from("hello")), echo, Plain);
    let answer = within("an answer", call).await.unwrap();
    assert_eq!(answer.into_inner(), "hello");
    within("a free connection", client.ready()).await.unwrap();
    let unknown = "/test.Echo/No".parse().unwrap();
    let call = client.unary(Request::new(Bytes::from("hello")), unknown, Plain);
    let status = within("an answer", call).await.unwrap_err();
    assert_eq!(status.code(), Code::Unimplemented);
}

#[tokio::test]
async fn tonic_streams_both_ways() {
    let (rig, _server) = grpc_rig().await;
    let mut client = client(&rig).await;
    let (sender, receiver) = mpsc::channel::<Bytes>(1);
    let messages = futures_util::stream::unfold(receiver, |mut receiver| async {
        Some((receiver.recv().await?, receiver))
    });
    sender.send(Bytes::from("0")).await.unwrap();
    let echo = "/test.Echo/Echo".parse().unwrap();
    let call = client.streaming(Request::new(messages), echo, Plain);
    let mut answers = within("a head", call).await.unwrap().into_inner();
    for round in 0..5 {
        let got = within("a message", answers.next()).await.unwrap().unwrap();
        assert_eq!(got, round.to_string());
        // Only now does the client say more.
        sender.send(Bytes::from((round + 1).to_string())).await.unwrap();
    }
    drop(sender);
    assert_eq!(
        within("the last message", answers.next()).await.unwrap().unwrap(),
        "5"
    );
    assert!(within("the end", answers.next()).await.is_none());
}
