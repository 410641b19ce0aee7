//! Foxglove's `RawImage` and `CompressedImage`: as protobuf, as JSON, and as ROS messages of
//! `foxglove_msgs`.
//!
//! Field numbers are those of the published schemas; fields that are not declared here are skipped.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use prost::Message;
use serde::Deserialize;

use super::cdr::{CdrError, Reader};
use super::compressed_image::CompressedImageView;
use super::header::HeaderView;
use super::image::ImageView;
use super::time::Stamp;

/// Why a message is not a Foxglove image.
#[derive(Debug, thiserror::Error)]
pub enum FoxgloveError {
    #[error(transparent)]
    Message(#[from] CdrError),
    #[error("{name}: the bytes are not a protobuf message of that type: {source}")]
    Protobuf {
        name: &'static str,
        source: prost::DecodeError,
    },
    #[error("{name}: the bytes are not a JSON object of that type: {source}")]
    Json {
        name: &'static str,
        source: serde_json::Error,
    },
    #[error("{name}: data is not base64: {source}")]
    Base64 {
        name: &'static str,
        source: base64::DecodeError,
    },
    #[error(
        "{name}: a timestamp of {seconds} s and {nanoseconds} ns; expected seconds of 32 bits and no negative nanoseconds"
    )]
    Timestamp {
        name: &'static str,
        seconds: i64,
        nanoseconds: i64,
    },
}

/// One image, raw or compressed.
pub(super) enum FoxgloveImage<'a> {
    Raw(ImageView<'a>),
    Compressed(CompressedImageView<'a>),
}

#[derive(Clone, PartialEq, Message)]
struct Timestamp {
    #[prost(int64, tag = "1")]
    seconds: i64,
    #[prost(int32, tag = "2")]
    nanos: i32,
}

#[derive(Clone, PartialEq, Message)]
struct RawImage {
    #[prost(message, optional, tag = "1")]
    timestamp: Option<Timestamp>,
    #[prost(fixed32, tag = "2")]
    width: u32,
    #[prost(fixed32, tag = "3")]
    height: u32,
    #[prost(string, tag = "4")]
    encoding: String,
    #[prost(fixed32, tag = "5")]
    step: u32,
    #[prost(bytes = "vec", tag = "6")]
    data: Vec<u8>,
    #[prost(string, tag = "7")]
    frame_id: String,
}

#[derive(Clone, PartialEq, Message)]
struct CompressedImage {
    #[prost(message, optional, tag = "1")]
    timestamp: Option<Timestamp>,
    #[prost(bytes = "vec", tag = "2")]
    data: Vec<u8>,
    #[prost(string, tag = "3")]
    format: String,
    #[prost(string, tag = "4")]
    frame_id: String,
}

/// Both types as JSON; fields that a type does not have are empty.
#[derive(Deserialize, Default)]
#[serde(default)]
struct Json {
    timestamp: JsonTime,
    frame_id: String,
    width: u32,
    height: u32,
    encoding: String,
    step: u32,
    format: String,
    /// Base64.
    data: String,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct JsonTime {
    sec: i64,
    nsec: i64,
}

const RAW: &str = "foxglove.RawImage";
const COMPRESSED: &str = "foxglove.CompressedImage";

impl<'a> FoxgloveImage<'a> {
    /// Reads the fields of the ROS message.
    pub fn of_ros(r: &mut Reader<'a>, compressed: bool) -> Result<Self, CdrError> {
        let header = HeaderView {
            stamp: Stamp::read(r)?,
            frame_id: r.str("frame_id")?,
        };
        if compressed {
            let (data, format) = (r.bytes("data")?, r.str("format")?);
            return Ok(Self::Compressed(CompressedImageView {
                header,
                format,
                data,
            }));
        }
        Ok(Self::Raw(ImageView {
            header,
            width: r.u32("width")?,
            height: r.u32("height")?,
            encoding: r.str("encoding")?,
            is_bigendian: false,
            step: r.u32("step")?,
            data: r.bytes("data")?,
        }))
    }

    /// Fills `out` with the protobuf `message` as CDR.
    pub fn write_protobuf(
        message: &[u8],
        compressed: bool,
        out: &mut Vec<u8>,
    ) -> Result<(), FoxgloveError> {
        if compressed {
            let image = CompressedImage::decode(message).map_err(protobuf(COMPRESSED))?;
            let stamp = stamp_of(COMPRESSED, image.timestamp.as_ref())?;
            let image = CompressedImageView {
                header: header(stamp, &image.frame_id),
                format: &image.format,
                data: &image.data,
            };
            return Ok(image.write(out)?);
        }
        let image = RawImage::decode(message).map_err(protobuf(RAW))?;
        let stamp = stamp_of(RAW, image.timestamp.as_ref())?;
        let image = ImageView {
            header: header(stamp, &image.frame_id),
            height: image.height,
            width: image.width,
            encoding: &image.encoding,
            is_bigendian: false,
            step: image.step,
            data: &image.data,
        };
        Ok(image.write(out)?)
    }

    /// Fills `out` with the JSON `message` as CDR.
    pub fn write_json(
        message: &[u8],
        compressed: bool,
        out: &mut Vec<u8>,
    ) -> Result<(), FoxgloveError> {
        let name = if compressed { COMPRESSED } else { RAW };
        let json: Json = serde_json::from_slice(message)
            .map_err(|source| FoxgloveError::Json { name, source })?;
        let data = BASE64_STANDARD
            .decode(&json.data)
            .map_err(|source| FoxgloveError::Base64 { name, source })?;
        let stamp = stamp(name, json.timestamp.sec, json.timestamp.nsec)?;
        let header = header(stamp, &json.frame_id);
        let image = match compressed {
            true => FoxgloveImage::Compressed(CompressedImageView {
                header,
                format: &json.format,
                data: &data,
            }),
            false => FoxgloveImage::Raw(ImageView {
                header,
                height: json.height,
                width: json.width,
                encoding: &json.encoding,
                is_bigendian: false,
                step: json.step,
                data: &data,
            }),
        };
        Ok(image.write(out)?)
    }

    /// Fills `out` with the image as CDR.
    pub fn write(&self, out: &mut Vec<u8>) -> Result<(), CdrError> {
        match self {
            Self::Raw(image) => image.write(out),
            Self::Compressed(image) => image.write(out),
        }
    }
}

fn header(stamp: Stamp, frame_id: &str) -> HeaderView<'_> {
    HeaderView { stamp, frame_id }
}

fn protobuf(name: &'static str) -> impl FnOnce(prost::DecodeError) -> FoxgloveError {
    move |source| FoxgloveError::Protobuf { name, source }
}

/// Returns the stamp of a message; protobuf omits zero values.
fn stamp_of(name: &'static str, timestamp: Option<&Timestamp>) -> Result<Stamp, FoxgloveError> {
    let (seconds, nanos) = timestamp.map_or((0, 0), |time| (time.seconds, time.nanos));
    stamp(name, seconds, i64::from(nanos))
}

fn stamp(name: &'static str, seconds: i64, nanoseconds: i64) -> Result<Stamp, FoxgloveError> {
    match (i32::try_from(seconds), u32::try_from(nanoseconds)) {
        (Ok(sec), Ok(nanosec)) => Ok(Stamp { sec, nanosec }),
        _ => Err(FoxgloveError::Timestamp {
            name,
            seconds,
            nanoseconds,
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STAMP: Stamp = Stamp {
        sec: 1_700_000_000,
        nanosec: 123_456_789,
    };

    fn timestamp() -> Option<Timestamp> {
        Some(Timestamp {
            seconds: i64::from(STAMP.sec),
            nanos: 123_456_789,
        })
    }

    #[test]
    fn protobuf_has_the_field_numbers_of_the_schemas() {
        // tag and wire type of each field, by hand
        let mut compressed = vec![0x0a, 4, 0x08, 5, 0x10, 6];
        compressed.extend([0x12, 2, 0xff, 0xd8, 0x1a, 4]);
        compressed.extend(b"jpeg\x22\x03cam\xa2\x06\x02id");
        let mut cdr = Vec::new();
        FoxgloveImage::write_protobuf(&compressed, true, &mut cdr).unwrap();
        let image = CompressedImageView::parse(&cdr).unwrap();
        assert_eq!(image.header, header(Stamp { sec: 5, nanosec: 6 }, "cam"));
        assert_eq!((image.format, image.data), ("jpeg", &[0xff, 0xd8][..]));

        let mut raw = vec![
            0x0a, 4, 0x08, 5, 0x10, 6, 0x15, 1, 0, 0, 0, 0x1d, 2, 0, 0, 0,
        ];
        raw.extend(b"\x22\x05mono8");
        raw.extend([0x2d, 1, 0, 0, 0, 0x32, 2, 8, 9]);
        raw.extend(b"\x3a\x03cam");
        FoxgloveImage::write_protobuf(&raw, false, &mut cdr).unwrap();
        let image = ImageView::parse(&cdr).unwrap();
        assert_eq!(image.header, header(Stamp { sec: 5, nanosec: 6 }, "cam"));
        assert_eq!((image.width, image.height, image.step), (1, 2, 1));
        assert_eq!((image.encoding, image.data), ("mono8", &[8, 9][..]));
    }

    #[test]
    fn every_serialization_gives_the_same_message() {
        let (mut protobuf, mut json, mut ros) = (Vec::new(), Vec::new(), Vec::new());
        let message = CompressedImage {
            timestamp: timestamp(),
            data: vec![1, 2, 3],
            format: "webp".into(),
            frame_id: "cam".into(),
        };
        FoxgloveImage::write_protobuf(&message.encode_to_vec(), true, &mut protobuf).unwrap();
        let text = r#"{"timestamp":{"sec":1700000000,"nsec":123456789},"frame_id":"cam","data":"AQID","format":"webp"}"#;
        FoxgloveImage::write_json(text.as_bytes(), true, &mut json).unwrap();
        // the same fields as ROS 1 writes them
        let mut bytes = Vec::new();
        bytes.extend(STAMP.sec.to_le_bytes());
        bytes.extend(STAMP.nanosec.to_le_bytes());
        bytes.extend(b"\x03\0\0\0cam\x03\0\0\0\x01\x02\x03\x04\0\0\0webp");
        let r = &mut Reader::ros1("foxglove_msgs/CompressedImage", &bytes);
        let image = FoxgloveImage::of_ros(r, true).unwrap();
        image.write(&mut ros).unwrap();
        assert_eq!(
            CompressedImageView::parse(&protobuf).unwrap().header.stamp,
            STAMP
        );
        assert_eq!(protobuf, json);
        assert_eq!(protobuf, ros);
    }

    #[test]
    fn what_is_wrong_is_named() {
        let mut out = Vec::new();
        let told = |error: FoxgloveError| error.to_string();
        let cut = told(FoxgloveImage::write_protobuf(&[0x12, 200, 1], true, &mut out).unwrap_err());
        assert!(
            cut.contains("foxglove.CompressedImage") && cut.contains("protobuf"),
            "{cut}"
        );
        let late = RawImage {
            timestamp: Some(Timestamp {
                seconds: 1 << 40,
                nanos: 0,
            }),
            ..RawImage::default()
        };
        let late = late.encode_to_vec();
        let late = told(FoxgloveImage::write_protobuf(&late, false, &mut out).unwrap_err());
        assert!(late.contains("1099511627776 s"), "{late}");
        let text =
            told(FoxgloveImage::write_json(b"{\"data\":\"*\"}", false, &mut out).unwrap_err());
        assert!(
            text.contains("foxglove.RawImage") && text.contains("base64"),
            "{text}"
        );
    }
}
