//! The Redis wire format: limits are checked before a command is decoded, replies are encoded as RESP2 or RESP3.

use bytes::{Bytes, BytesMut};
use redis_protocol::{
    resp2::{self, types::BytesFrame as Frame2},
    resp3::{self, types::BytesFrame as Frame3},
};

/// Largest argument, and so the largest result: 64 MiB.
pub(super) const LARGEST_ARGUMENT: usize = 64 << 20;
/// Largest command with all its arguments.
const LARGEST_COMMAND: usize = LARGEST_ARGUMENT + (8 << 20);
const MOST_ARGUMENTS: usize = 1 << 20;
const LONGEST_INLINE: usize = 64 << 10;

/// Why a connection's bytes cannot be a command. The connection is closed after it.
#[derive(Debug, thiserror::Error)]
pub(super) enum WireError {
    #[error("Protocol error: {0}")]
    Malformed(&'static str),
    #[error("Protocol error: {0}")]
    TooLarge(&'static str),
}

/// Length of the first command in `buffer`, or `None` when more bytes are needed.
/// Only flat arrays of bulk strings and inline commands pass, as Redis itself demands of clients.
pub(super) fn measure(buffer: &[u8]) -> Result<Option<usize>, WireError> {
    if buffer.first().is_some_and(|first| *first != b'*') {
        return match buffer.iter().position(|byte| *byte == b'\n') {
            Some(end) => Ok(Some(end + 1)),
            None if LONGEST_INLINE < buffer.len() => Err(WireError::TooLarge("too big inline request")),
            None => Ok(None),
        };
    }
    let Some((count, mut at)) = header(buffer, 0, b'*')? else { return Ok(None) };
    if MOST_ARGUMENTS < count {
        return Err(WireError::TooLarge("too many arguments"));
    }
    for _ in 0..count {
        let Some((length, body)) = header(buffer, at, b'$')? else { return Ok(None) };
        if LARGEST_ARGUMENT < length {
            return Err(WireError::TooLarge("an argument may have at most 64 MiB"));
        }
        at = body + length + 2;
        if LARGEST_COMMAND < at {
            return Err(WireError::TooLarge("a command may have at most 72 MiB"));
        }
    }
    Ok((at <= buffer.len()).then_some(at))
}

/// Reads `<kind><number>\r\n` at `at`: the number and where its line ends.
fn header(buffer: &[u8], at: usize, kind: u8) -> Result<Option<(usize, usize)>, WireError> {
    let Some(rest) = buffer.get(at..) else { return Ok(None) };
    let Some(first) = rest.first() else { return Ok(None) };
    if *first != kind {
        return Err(WireError::Malformed("a command is an array of bulk strings"));
    }
    // 20 digits are more than any allowed number has.
    let Some(end) = rest.iter().take(24).position(|byte| *byte == b'\n') else {
        return if rest.len() < 24 { Ok(None) } else { Err(WireError::Malformed("invalid length")) };
    };
    let digits = rest[1..end].strip_suffix(b"\r").ok_or(WireError::Malformed("expected CRLF"))?;
    if digits.is_empty() || 10 < digits.len() || !digits.iter().all(u8::is_ascii_digit) {
        return Err(WireError::Malformed("invalid length"));
    }
    let number = digits.iter().fold(0, |number, digit| number * 10 + usize::from(digit - b'0'));
    Ok(Some((number, at + end + 1)))
}

/// The arguments of one whole command, as measured.
pub(super) fn decode(command: &Bytes) -> Result<Vec<Bytes>, WireError> {
    if command.first() != Some(&b'*') {
        return Ok(command.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty()).map(Bytes::copy_from_slice).collect());
    }
    match resp2::decode::decode_bytes(command) {
        Ok(Some((Frame2::Array(frames), _))) => frames
            .into_iter()
            .map(|frame| match frame {
                Frame2::BulkString(argument) => Ok(argument),
                _ => Err(WireError::Malformed("a command is an array of bulk strings")),
            })
            .collect(),
        _ => Err(WireError::Malformed("a command is an array of bulk strings")),
    }
}

/// One reply, whatever protocol the client speaks.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Reply {
    Ok,
    Simple(&'static str),
    Error(String),
    Int(i64),
    Bulk(Bytes),
    Null,
    /// RESP2 clients expect `*-1` where an array could have been.
    NullArray,
    Array(Vec<Reply>),
    Map(Vec<(&'static str, Reply)>),
}

impl Reply {
    pub(super) fn text(text: impl Into<String>) -> Self {
        Self::Bulk(Bytes::from(text.into()))
    }

    pub(super) fn int(number: usize) -> Self {
        Self::Int(i64::try_from(number).unwrap_or(i64::MAX))
    }

    pub(super) fn maybe(value: Option<Bytes>) -> Self {
        value.map_or(Self::Null, Self::Bulk)
    }

    /// Adds the reply's bytes to `out`.
    pub(super) fn encode(self, out: &mut BytesMut, resp3: bool) {
        let encoded = if resp3 {
            resp3::encode::complete::extend_encode(out, &self.resp3(), false)
        } else if self == Self::NullArray {
            out.extend_from_slice(b"*-1\r\n");
            return;
        } else {
            resp2::encode::extend_encode(out, &self.resp2(), false)
        };
        if let Err(error) = encoded {
            tracing::error!(%error, "a reply could not be encoded");
        }
    }

    fn resp2(self) -> Frame2 {
        match self {
            Self::Ok => Frame2::SimpleString(Bytes::from_static(b"OK")),
            Self::Simple(word) => Frame2::SimpleString(Bytes::from_static(word.as_bytes())),
            Self::Error(text) => Frame2::Error(text.into()),
            Self::Int(number) => Frame2::Integer(number),
            Self::Bulk(bytes) => Frame2::BulkString(bytes),
            Self::Null | Self::NullArray => Frame2::Null,
            Self::Array(replies) => Frame2::Array(replies.into_iter().map(Self::resp2).collect()),
            Self::Map(pairs) => Frame2::Array(
                pairs
                    .into_iter()
                    .flat_map(|(name, value)| [Frame2::BulkString(Bytes::from_static(name.as_bytes())), value.resp2()])
                    .collect(),
            ),
        }
    }

    fn resp3(self) -> Frame3 {
        let blob = |data| Frame3::BlobString { data, attributes: None };
        match self {
            Self::Ok => Frame3::SimpleString { data: Bytes::from_static(b"OK"), attributes: None },
            Self::Simple(word) => Frame3::SimpleString { data: Bytes::from_static(word.as_bytes()), attributes: None },
            Self::Error(text) => Frame3::SimpleError { data: text.into(), attributes: None },
            Self::Int(data) => Frame3::Number { data, attributes: None },
            Self::Bulk(bytes) => blob(bytes),
            Self::Null | Self::NullArray => Frame3::Null,
            Self::Array(replies) => Frame3::Array { data: replies.into_iter().map(Self::resp3).collect(), attributes: None },
            Self::Map(pairs) => Frame3::Map {
                data: pairs.into_iter().map(|(name, value)| (blob(Bytes::from_static(name.as_bytes())), value.resp3())).collect(),
                attributes: None,
            },
        }
    }
}
