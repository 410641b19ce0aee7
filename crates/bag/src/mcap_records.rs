//! Parses the MCAP records that are needed for reading.
//!
//! The parser of the `mcap` crate reserves memory for any length that a string claims (up to 4 GiB
//! for a record of a few bytes), and its chunk reader subtracts unchecked lengths. Here no length
//! exceeds the available bytes. Layouts: <https://mcap.dev/spec>.

/// The size of the opcode and the length of a record, before its body.
pub(super) const RECORD_HEAD: u64 = 9;
/// The size of the channel, sequence number, log time and publish time of a message, before its
/// data.
pub(super) const MESSAGE_HEAD: u64 = 22;

/// Returns the opcode and the length of the body.
pub(super) fn record_head(bytes: [u8; RECORD_HEAD as usize]) -> (u8, u64) {
    let [opcode, length @ ..] = bytes;
    (opcode, u64::from_le_bytes(length))
}

/// Returns the channel and the log time of a message.
pub(super) fn message_head(bytes: [u8; MESSAGE_HEAD as usize]) -> (u16, u64) {
    let [c0, c1, _, _, _, _, t @ .., _, _, _, _, _, _, _, _] = bytes;
    (u16::from_le_bytes([c0, c1]), u64::from_le_bytes(t))
}

/// A schema without its text.
#[derive(Debug, Clone)]
pub(super) struct Schema {
    pub id: u16,
    pub name: String,
    /// The encoding of the text: `ros2msg`, `ros1msg`, `protobuf`, ...
    pub encoding: String,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) struct Channel {
    pub id: u16,
    pub schema_id: u16,
    pub topic: String,
    pub message_encoding: String,
}

/// The position of a chunk, the log times of its messages, and their channels.
pub(super) struct ChunkIndex {
    pub start_ns: u64,
    pub end_ns: u64,
    pub offset: u64,
    pub length: u64,
    pub channels: Vec<u16>,
}

pub(super) struct Statistics {
    pub message_count: u64,
    pub chunk_count: u32,
    pub start_ns: u64,
    pub end_ns: u64,
    /// The channels with their numbers of messages.
    pub counts: Vec<(u16, u64)>,
}

pub(super) fn schema(mut body: &[u8]) -> Option<Schema> {
    let b = &mut body;
    Some(Schema {
        id: u16::from_le_bytes(take(b)?),
        name: string(b)?,
        encoding: string(b)?,
    })
}

pub(super) fn channel(mut body: &[u8]) -> Option<Channel> {
    let b = &mut body;
    Some(Channel {
        id: u16::from_le_bytes(take(b)?),
        schema_id: u16::from_le_bytes(take(b)?),
        topic: string(b)?,
        message_encoding: string(b)?,
    })
}

pub(super) fn chunk_index(mut body: &[u8]) -> Option<ChunkIndex> {
    let b = &mut body;
    Some(ChunkIndex {
        start_ns: long(b)?,
        end_ns: long(b)?,
        offset: long(b)?,
        length: long(b)?,
        channels: map(b)?.into_iter().map(|(channel, _)| channel).collect(),
    })
}

pub(super) fn statistics(mut body: &[u8]) -> Option<Statistics> {
    let b = &mut body;
    let message_count = long(b)?;
    let _schemas: [u8; 2] = take(b)?;
    let _channels_attachments_metadata: [u8; 12] = take(b)?;
    let chunk_count = u32::from_le_bytes(take(b)?);
    Some(Statistics {
        message_count,
        chunk_count,
        start_ns: long(b)?,
        end_ns: long(b)?,
        counts: map(b)?,
    })
}

/// Returns the start of the summary and its CRC (0 for none).
pub(super) fn footer(body: [u8; 20]) -> (u64, u32) {
    let [start @ .., _, _, _, _, _, _, _, _, c0, c1, c2, c3] = body;
    (
        u64::from_le_bytes(start),
        u32::from_le_bytes([c0, c1, c2, c3]),
    )
}

fn take<const N: usize>(bytes: &mut &[u8]) -> Option<[u8; N]> {
    let (head, tail) = bytes.split_first_chunk()?;
    *bytes = tail;
    Some(*head)
}

fn long(bytes: &mut &[u8]) -> Option<u64> {
    take(bytes).map(u64::from_le_bytes)
}

fn block<'a>(bytes: &mut &'a [u8]) -> Option<&'a [u8]> {
    let length = u32::from_le_bytes(take(bytes)?) as usize;
    let (head, tail) = bytes.split_at_checked(length)?;
    *bytes = tail;
    Some(head)
}

fn string(bytes: &mut &[u8]) -> Option<String> {
    String::from_utf8(block(bytes)?.to_vec()).ok()
}

fn map(bytes: &mut &[u8]) -> Option<Vec<(u16, u64)>> {
    let mut entries = block(bytes)?;
    let mut pairs = Vec::with_capacity(entries.len() / 10);
    while !entries.is_empty() {
        pairs.push((u16::from_le_bytes(take(&mut entries)?), long(&mut entries)?));
    }
    Some(pairs)
}

#[cfg(test)]
mod tests {
    use super::*;
    use mcap::records::{self, op};

    /// Returns the body of a record as the `mcap` crate writes it.
    fn body_of(opcode: u8, file: &[u8]) -> Vec<u8> {
        let mut at = mcap::MAGIC.len();
        loop {
            let (found, length) = record_head(file[at..at + 9].try_into().unwrap());
            let body = &file[at + 9..at + 9 + length as usize];
            if found == opcode {
                return body.to_vec();
            }
            at += 9 + body.len();
        }
    }

    fn file() -> Vec<u8> {
        let mut file = Vec::new();
        let mut writer = mcap::Writer::new(std::io::Cursor::new(&mut file)).unwrap();
        let schema = writer.add_schema("a/msg/B", "ros2msg", b"int8 x").unwrap();
        let channel = writer
            .add_channel(schema, "/t", "cdr", &Default::default())
            .unwrap();
        for log_time in [30, 10, 20] {
            let header = records::MessageHeader {
                channel_id: channel,
                sequence: 0,
                log_time,
                publish_time: 0,
            };
            writer.write_to_known_channel(&header, &[1]).unwrap();
        }
        writer.finish().unwrap();
        drop(writer);
        file
    }

    #[test]
    fn reads_what_the_mcap_crate_writes() {
        let file = file();
        let index = chunk_index(&body_of(op::CHUNK_INDEX, &file)).unwrap();
        assert_eq!((index.start_ns, index.end_ns), (10, 30));
        assert_eq!(file[index.offset as usize], op::CHUNK);
        let statistics = statistics(&body_of(op::STATISTICS, &file)).unwrap();
        assert_eq!((statistics.message_count, statistics.chunk_count), (3, 1));
        assert_eq!((statistics.start_ns, statistics.end_ns), (10, 30));
        assert_eq!(statistics.counts, [(index.channels[0], 3)]);
        let schema = schema(&body_of(op::SCHEMA, &file)).unwrap();
        assert_eq!((&*schema.name, &*schema.encoding), ("a/msg/B", "ros2msg"));
        let expected = Channel {
            id: index.channels[0],
            schema_id: schema.id,
            topic: "/t".into(),
            message_encoding: "cdr".into(),
        };
        assert_eq!(channel(&body_of(op::CHANNEL, &file)), Some(expected));
        let (summary, _) = footer(body_of(op::FOOTER, &file).try_into().unwrap());
        assert!(summary > index.offset && (summary as usize) < file.len());
    }

    #[test]
    fn a_record_that_is_too_short_is_none() {
        let file = file();
        let body = body_of(op::STATISTICS, &file);
        assert!((0..body.len()).all(|n| statistics(&body[..n]).is_none()));
        let body = body_of(op::CHANNEL, &file);
        // Its last four bytes are the length of an empty map that is not read.
        assert!((0..body.len() - 4).all(|n| channel(&body[..n]).is_none()));
    }
}
