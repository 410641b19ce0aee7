//! The forms of images in recordings, and their conversion to the CDR message that all other code
//! reads.
//!
//! Besides ROS 2 these are ROS 1 and Foxglove, which converters of data sets, bridges and SDKs
//! write into MCAP. Stamp and frame id stay unchanged. Foxglove's encodings have the names of ROS,
//! and its formats are those of `CompressedImage`.

use super::cdr::{CdrError, Reader};
use super::compressed_image::CompressedImageView;
use super::foxglove::{FoxgloveError, FoxgloveImage};
use super::header::HeaderView;
use super::image::ImageView;
use super::time::Stamp;

/// A supported form of images.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ImageForm {
    compressed: bool,
    wire: Wire,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wire {
    Cdr,
    Ros1,
    FoxgloveCdr,
    FoxgloveRos1,
    FoxgloveProtobuf,
    FoxgloveJson,
}

/// The content of a type's messages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Carries {
    Images(ImageForm),
    /// Images in an unsupported form, with the reason.
    Unreadable(String),
    /// No images.
    Other,
}

/// Why a message is not an image of its form.
#[derive(Debug, thiserror::Error)]
pub enum ImageFormError {
    #[error(transparent)]
    Message(#[from] CdrError),
    #[error(transparent)]
    Foxglove(#[from] FoxgloveError),
}

impl Carries {
    /// Returns the content of messages of `type_name` with `serialization`. If the serialization is
    /// unknown, the usual one of the type applies.
    pub fn by_type(type_name: &str, serialization: &str) -> Self {
        let serialization = match serialization {
            "" if type_name.contains("/msg/") => "cdr",
            "" if type_name.contains('/') => "ros1",
            "" => "protobuf",
            stated => stated,
        };
        let (foxglove, compressed) = match type_name.replacen("/msg/", "/", 1).as_str() {
            "sensor_msgs/Image" => (false, false),
            "sensor_msgs/CompressedImage" => (false, true),
            "foxglove.RawImage" | "foxglove_msgs/RawImage" => (true, false),
            "foxglove.CompressedImage" | "foxglove_msgs/CompressedImage" => (true, true),
            "foxglove.CompressedVideo"
            | "foxglove_msgs/CompressedVideo"
            | "ffmpeg_image_transport_msgs/FFMPEGPacket"
            | "theora_image_transport/Packet" => {
                return Self::Unreadable(format!(
                    "{type_name} is a video stream, expected single images; decode it to a video file and read that with `shuffledet import`"
                ));
            }
            _ => return Self::Other,
        };
        let wire = match (foxglove, serialization) {
            (false, "cdr") => Wire::Cdr,
            (false, "ros1") => Wire::Ros1,
            (true, "cdr") => Wire::FoxgloveCdr,
            (true, "ros1") => Wire::FoxgloveRos1,
            (true, "protobuf") => Wire::FoxgloveProtobuf,
            (true, "json") => Wire::FoxgloveJson,
            _ => {
                let expected = match foxglove {
                    false => "cdr or ros1",
                    true => "protobuf, json, cdr or ros1",
                };
                return Self::Unreadable(format!(
                    "{type_name} is serialized as {serialization:?}; expected {expected}"
                ));
            }
        };
        Self::Images(ImageForm { compressed, wire })
    }
}

impl ImageForm {
    /// Whether the images are files, as in `sensor_msgs/msg/CompressedImage`, rather than pixels.
    pub fn is_compressed(self) -> bool {
        self.compressed
    }

    /// Whether the messages already have the form that [`to_cdr`](Self::to_cdr) returns.
    pub fn is_cdr(self) -> bool {
        self.wire == Wire::Cdr
    }

    /// Fills `out` with `message` as `sensor_msgs/msg/Image` or `CompressedImage`.
    ///
    /// Errors: the message is truncated or has another type, or its stamp is out of range for a ROS
    /// stamp.
    pub fn to_cdr(self, message: &[u8], out: &mut Vec<u8>) -> Result<(), ImageFormError> {
        match (self.wire, self.compressed) {
            (Wire::Cdr, _) => {
                out.clear();
                out.extend_from_slice(message);
            }
            (Wire::Ros1, true) => {
                let r = &mut Reader::ros1("sensor_msgs/CompressedImage", message);
                let header = ros1_header(r)?;
                let (format, data) = (r.str("format")?, r.bytes("data")?);
                let image = CompressedImageView {
                    header,
                    format,
                    data,
                };
                image.write(out)?;
            }
            (Wire::Ros1, false) => {
                let r = &mut Reader::ros1("sensor_msgs/Image", message);
                let image = ImageView {
                    header: ros1_header(r)?,
                    height: r.u32("height")?,
                    width: r.u32("width")?,
                    encoding: r.str("encoding")?,
                    is_bigendian: r.u8("is_bigendian")? != 0,
                    step: r.u32("step")?,
                    data: r.bytes("data")?,
                };
                image.write(out)?;
            }
            (Wire::FoxgloveCdr, compressed) => {
                let name = foxglove_name(compressed);
                let r = &mut Reader::new(name, message)?;
                FoxgloveImage::of_ros(r, compressed)?.write(out)?;
            }
            (Wire::FoxgloveRos1, compressed) => {
                let r = &mut Reader::ros1(foxglove_name(compressed), message);
                FoxgloveImage::of_ros(r, compressed)?.write(out)?;
            }
            (Wire::FoxgloveProtobuf, compressed) => {
                FoxgloveImage::write_protobuf(message, compressed, out)?;
            }
            (Wire::FoxgloveJson, compressed) => {
                FoxgloveImage::write_json(message, compressed, out)?;
            }
        }
        Ok(())
    }
}

fn foxglove_name(compressed: bool) -> &'static str {
    match compressed {
        true => "foxglove_msgs/msg/CompressedImage",
        false => "foxglove_msgs/msg/RawImage",
    }
}

/// Reads a ROS 1 header, which has a sequence number that ROS 2 does not have.
fn ros1_header<'a>(r: &mut Reader<'a>) -> Result<HeaderView<'a>, CdrError> {
    r.u32("header.seq")?;
    Ok(HeaderView {
        stamp: Stamp::read(r)?,
        frame_id: r.str("header.frame_id")?,
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Returns all supported forms.
    fn forms() -> Vec<ImageForm> {
        let mut forms = Vec::new();
        for type_name in [
            "sensor_msgs/msg/Image",
            "sensor_msgs/CompressedImage",
            "foxglove.RawImage",
            "foxglove_msgs/msg/CompressedImage",
        ] {
            for serialization in ["cdr", "ros1", "protobuf", "json"] {
                if let Carries::Images(form) = Carries::by_type(type_name, serialization) {
                    forms.push(form);
                }
            }
        }
        forms
    }

    #[test]
    fn types_are_known_by_their_names_and_serializations() {
        assert_eq!(forms().len(), 12);
        let carried = Carries::by_type;
        assert!(
            matches!(carried("sensor_msgs/msg/Image", "cdr"), Carries::Images(f) if f.is_cdr())
        );
        let Carries::Unreadable(why) = carried("foxglove.CompressedVideo", "protobuf") else {
            panic!("a video is no image");
        };
        assert!(why.contains("video stream") && why.contains("shuffledet import"));
        let Carries::Unreadable(why) = carried("foxglove.RawImage", "flatbuffer") else {
            panic!("flatbuffers are not read");
        };
        assert!(why.contains("flatbuffer") && why.contains("protobuf"));
        for other in ["", "std_msgs/msg/String", "sensor_msgs/msg/CameraInfo"] {
            assert_eq!(carried(other, "cdr"), Carries::Other);
        }
    }

    /// Returns bytes as ROS 1 writes them: lengths and fields one after the other.
    fn ros1(parts: &[&[u8]]) -> Vec<u8> {
        parts.concat()
    }

    #[test]
    fn ros1_images_become_those_of_ros2() {
        let head: [&[u8]; 5] = [
            &7u32.to_le_bytes(),
            &1_700_000_000u32.to_le_bytes(),
            &123u32.to_le_bytes(),
            &3u32.to_le_bytes(),
            b"cam",
        ];
        let raw: [&[u8]; 8] = [
            &2u32.to_le_bytes(),
            &1u32.to_le_bytes(),
            &5u32.to_le_bytes(),
            b"mono8",
            &[0],
            &1u32.to_le_bytes(),
            &2u32.to_le_bytes(),
            &[8, 9],
        ];
        let file: [&[u8]; 4] = [
            &4u32.to_le_bytes(),
            b"jpeg",
            &2u32.to_le_bytes(),
            &[0xff, 0xd8],
        ];
        let header = HeaderView {
            stamp: Stamp {
                sec: 1_700_000_000,
                nanosec: 123,
            },
            frame_id: "cam",
        };
        let mut cdr = Vec::new();
        let form = |compressed| ImageForm {
            compressed,
            wire: Wire::Ros1,
        };
        let message = ros1(&[&head[..], &raw[..]].concat());
        form(false).to_cdr(&message, &mut cdr).unwrap();
        let image = ImageView::parse(&cdr).unwrap();
        assert_eq!((image.header, image.encoding), (header, "mono8"));
        assert_eq!((image.height, image.width, image.step), (2, 1, 1));
        assert_eq!(image.data, [8, 9]);
        for length in 0..message.len() {
            assert!(form(false).to_cdr(&message[..length], &mut cdr).is_err());
        }
        let message = ros1(&[&head[..], &file[..]].concat());
        form(true).to_cdr(&message, &mut cdr).unwrap();
        let image = CompressedImageView::parse(&cdr).unwrap();
        assert_eq!((image.header, image.format), (header, "jpeg"));
        assert_eq!(image.data, [0xff, 0xd8]);
        let error = form(true).to_cdr(&message[..20], &mut cdr).unwrap_err();
        assert_eq!(
            error.to_string(),
            "sensor_msgs/CompressedImage: format at byte 19: expected at least 4 more bytes, found 1; the message is \
             truncated or has another type"
        );
    }

    proptest! {
        #[test]
        fn any_bytes_are_converted_or_refused(message in prop::collection::vec(any::<u8>(), 0..200)) {
            for form in forms() {
                let mut cdr = Vec::new();
                let _ = form.to_cdr(&message, &mut cdr);
                // headers and padding: allocations do not follow the lengths that the message
                // claims
                prop_assert!(cdr.capacity() <= 2 * message.len() + 256);
            }
        }
    }
}
