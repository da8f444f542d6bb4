//! One question and its answer, in Kafka's own protocol, for what librdkafka's binding cannot ask.

use crate::{ANSWER_MAX, KafkaError};
use bytes::{BufMut, Bytes, BytesMut};
use kafka_protocol::{
    messages::{RequestHeader, ResponseHeader},
    protocol::{Decodable, HeaderVersion, Request, StrBytes, encode_request_header_into_buffer},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

/// An answer is never longer: ten thousand partitions fit many times.
const ANSWER_BYTES_MAX: usize = 64 * 1024 * 1024;

/// Asks one broker. `version` must be one that Kafka 3.9 speaks.
pub(crate) async fn ask<R: Request>(
    broker: &str,
    version: i16,
    request: &R,
) -> Result<R::Response, KafkaError>
where
    R::Response: Decodable + HeaderVersion,
{
    let fail = |cause: String| KafkaError::Unreachable { bootstrap: broker.to_owned(), cause };
    let frame = frame(version, request).map_err(|cause| fail(cause.to_string()))?;
    let exchange = async {
        let mut stream = TcpStream::connect(broker).await?;
        stream.write_all(&frame).await?;
        let length = stream.read_u32().await? as usize;
        if length > ANSWER_BYTES_MAX {
            return Err(std::io::Error::other(format!("an answer of {length} bytes")));
        }
        let mut answer = vec![0; length];
        stream.read_exact(&mut answer).await?;
        Ok(Bytes::from(answer))
    };
    let mut answer = match timeout(ANSWER_MAX, exchange).await {
        Err(_) => return Err(fail(format!("no answer within {ANSWER_MAX:?}"))),
        Ok(Err(cause)) => return Err(fail(cause.to_string())),
        Ok(Ok(answer)) => answer,
    };
    ResponseHeader::decode(&mut answer, R::Response::header_version(version))
        .map_err(|cause| fail(cause.to_string()))?;
    R::Response::decode(&mut answer, version).map_err(|cause| fail(cause.to_string()))
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
