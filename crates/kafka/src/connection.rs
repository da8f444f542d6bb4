//! Questions and answers in Kafka's own protocol, for what librdkafka's binding cannot ask.

use crate::{ANSWER_MAX, KafkaError};
use bytes::{BufMut, Bytes, BytesMut};
use kafka_protocol::{
    messages::{RequestHeader, ResponseHeader},
    protocol::{Decodable, HeaderVersion, Request, StrBytes, encode_request_header_into_buffer},
};
use std::io;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

/// An answer is never longer: ten thousand partitions fit many times.
const ANSWER_BYTES_MAX: usize = 64 * 1024 * 1024;

/// Asks one broker once. `version` must be one that Kafka 3.9 speaks.
pub(crate) async fn ask<R: Request>(
    broker: &str,
    version: i16,
    request: &R,
) -> Result<R::Response, KafkaError>
where
    R::Response: Decodable + HeaderVersion,
{
    Connection::open(broker).await?.ask(version, request).await
}

/// A connection to one broker, for one question at a time. After an error it must not be used again.
pub(crate) struct Connection {
    broker: String,
    stream: TcpStream,
}

impl Connection {
    pub async fn open(broker: &str) -> Result<Self, KafkaError> {
        let opening = async {
            let stream = TcpStream::connect(broker).await?;
            stream.set_nodelay(true)?;
            Ok(stream)
        };
        let stream = in_time(opening).await.map_err(|cause| unreachable(broker, cause))?;
        Ok(Self { broker: broker.to_owned(), stream })
    }

    pub async fn ask<R: Request>(&mut self, version: i16, request: &R) -> Result<R::Response, KafkaError>
    where
        R::Response: Decodable + HeaderVersion,
    {
        let asked = self.exchange(version, request).await;
        asked.map_err(|cause| unreachable(&self.broker, cause))
    }

    async fn exchange<R: Request>(&mut self, version: i16, request: &R) -> Result<R::Response, String>
    where
        R::Response: Decodable + HeaderVersion,
    {
        let frame = frame(version, request).map_err(|cause| cause.to_string())?;
        let mut answer = in_time(answer(&mut self.stream, &frame)).await?;
        ResponseHeader::decode(&mut answer, R::Response::header_version(version))
            .map_err(|cause| cause.to_string())?;
        R::Response::decode(&mut answer, version).map_err(|cause| cause.to_string())
    }
}

async fn answer(stream: &mut TcpStream, frame: &[u8]) -> io::Result<Bytes> {
    stream.write_all(frame).await?;
    let length = stream.read_u32().await? as usize;
    if length > ANSWER_BYTES_MAX {
        return Err(io::Error::other(format!("an answer of {length} bytes")));
    }
    let mut answer = BytesMut::with_capacity(length);
    let mut rest = stream.take(length as u64);
    while answer.len() < length {
        if rest.read_buf(&mut answer).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
    Ok(answer.freeze())
}

async fn in_time<T>(asked: impl Future<Output = io::Result<T>>) -> Result<T, String> {
    match timeout(ANSWER_MAX, asked).await {
        Err(_) => Err(format!("no answer within {ANSWER_MAX:?}")),
        Ok(answered) => answered.map_err(|cause| cause.to_string()),
    }
}

fn unreachable(broker: &str, cause: String) -> KafkaError {
    KafkaError::Unreachable { bootstrap: broker.to_owned(), cause }
}

fn frame<R: Request>(version: i16, request: &R) -> anyhow::Result<BytesMut> {
    let header = RequestHeader::default()
        .with_request_api_key(R::KEY)
        .with_request_api_version(version)
        .with_correlation_id(1)
        .with_client_id(Some(StrBytes::from_static_str("millrace")));
    let mut body = BytesMut::new();
    encode_request_header_into_buffer(&mut body, &header)?;
    request.encode(&mut body, version)?;
    let mut frame = BytesMut::with_capacity(body.len() + 4);
    frame.put_u32(body.len() as u32);
    frame.extend_from_slice(&body);
    Ok(frame)
}
