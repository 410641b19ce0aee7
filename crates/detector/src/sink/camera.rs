//! Pictures as the recording of a camera.

use std::path::Path;

use crate::pipeline::{Camera, Transport};
use shuffledet_bag::{BagError, Qos, RecordingWriter, TopicId, TopicSpec, WrittenRecording};
use shuffledet_image::jpeg::JpegEncoder;
use shuffledet_image::{BgrView, Picture};
use shuffledet_msg::{
    CameraInfo, CdrError, CompressedImageView, Definition, HeaderView, ImageView, Stamp, definition,
};

/// What image_transport puts behind the name of the image that a CompressedImage stands for.
const COMPRESSED: &str = "/compressed";

/// As camera drivers offer their images by default; subscribers that want best effort take reliable, too.
const IMAGES: Qos = Qos {
    depth: 10,
    reliable: true,
    transient_local: false,
};

/// What the camera's messages are to be like.
#[derive(Debug, Clone)]
pub struct CameraSpec {
    pub camera: Camera,
    pub frame_id: String,
    /// From 1 to 100, for pictures that are not image files yet.
    pub jpeg_quality: i32,
    /// Written for every picture, with its header, on [`info_topic`].
    pub info: Option<CameraInfo>,
}

/// Writes each picture, and its CameraInfo after it, logged at its own stamp.
pub struct CameraRecording {
    writer: RecordingWriter,
    image: TopicId,
    transport: Transport,
    frame_id: String,
    info: Option<(TopicId, CameraInfo)>,
    encoder: JpegEncoder,
    message: Vec<u8>,
}

#[derive(Debug, thiserror::Error)]
pub enum CameraRecordingError {
    #[error(transparent)]
    Bag(#[from] BagError),
    #[error(transparent)]
    Message(#[from] CdrError),
    #[error("encoding {width}x{height} pixels as JPEG: {source}")]
    Jpeg {
        width: u32,
        height: u32,
        source: turbojpeg::Error,
    },
    #[error("JPEG encoder: {0}")]
    Encoder(turbojpeg::Error),
    #[error("{ns} ns after 1970 is beyond what a ROS stamp can say, which ends in January 2038")]
    Stamp { ns: u64 },
}

impl CameraRecording {
    /// Begins a recording at `path` as [`RecordingWriter::create`] does.
    pub fn create(
        path: &Path,
        force: bool,
        spec: CameraSpec,
    ) -> Result<Self, CameraRecordingError> {
        let encoder = JpegEncoder::new(spec.jpeg_quality).map_err(CameraRecordingError::Encoder)?;
        let mut writer = RecordingWriter::create(path, force)?;
        let mut add = |name: &str, definition: &Definition| {
            writer.add_topic(&TopicSpec {
                name,
                type_name: definition.name,
                definition: &definition.schema(),
                qos: IMAGES,
            })
        };
        let Camera { topic, transport } = &spec.camera;
        let image = add(topic, transport.message())?;
        let info = match spec.info {
            Some(info) => Some((
                add(&info_topic(&spec.camera), &definition::CAMERA_INFO)?,
                info,
            )),
            None => None,
        };
        Ok(Self {
            writer,
            image,
            transport: *transport,
            frame_id: spec.frame_id,
            info,
            encoder,
            message: Vec::new(),
        })
    }

    /// Writes the picture, seen `stamp_ns` nanoseconds after 1970. A CompressedImage takes the picture's file over byte
    /// for byte where there is one, and is encoded as JPEG where not; an Image is bgr8.
    pub fn write(
        &mut self,
        stamp_ns: u64,
        picture: &Picture<'_>,
    ) -> Result<(), CameraRecordingError> {
        let stamp = i64::try_from(stamp_ns).ok().and_then(Stamp::from_ns);
        let stamp = stamp.ok_or(CameraRecordingError::Stamp { ns: stamp_ns })?;
        let header = HeaderView {
            stamp,
            frame_id: &self.frame_id,
        };
        match (self.transport, picture.file) {
            (Transport::Raw, _) => raw(header, &picture.pixels).write(&mut self.message)?,
            (Transport::Compressed, Some(file)) => CompressedImageView {
                header,
                format: file.format,
                data: file.bytes,
            }
            .write(&mut self.message)?,
            (Transport::Compressed, None) => {
                let pixels = &picture.pixels;
                let data = self.encoder.encode(pixels);
                CompressedImageView {
                    header,
                    // as camera drivers write it, and as files that are taken over are named: image_transport's own
                    // "bgr8; jpeg compressed bgr8" tells its subscribers no more of an 8-bit colour image
                    format: "jpeg",
                    data: &data.map_err(|source| CameraRecordingError::Jpeg {
                        width: pixels.width(),
                        height: pixels.height(),
                        source,
                    })?,
                }
                .write(&mut self.message)?;
            }
        }
        self.writer.write(self.image, stamp_ns, &self.message)?;
        if let Some((topic, info)) = &mut self.info {
            info.header = header.into();
            info.write(&mut self.message)?;
            self.writer.write(*topic, stamp_ns, &self.message)?;
        }
        Ok(())
    }

    /// Completes the file and writes `metadata.yaml`.
    pub fn finish(self) -> Result<WrittenRecording, BagError> {
        self.writer.finish()
    }
}

fn raw<'a>(header: HeaderView<'a>, pixels: &BgrView<'a>) -> ImageView<'a> {
    ImageView {
        header,
        height: pixels.height(),
        width: pixels.width(),
        encoding: "bgr8",
        is_bigendian: false,
        // rows are at most `i32` bytes long in a picture that was decoded here
        step: pixels.step() as u32,
        data: pixels.data(),
    }
}

/// Where image_transport's camera subscribers look for the CameraInfo of an image: `camera_info` in the image's own
/// namespace. A compressed topic `.../image_raw/compressed` stands for the image `.../image_raw`.
pub fn info_topic(camera: &Camera) -> String {
    let topic = camera.topic.as_str();
    let image = match camera.transport {
        Transport::Raw => topic,
        Transport::Compressed => topic.strip_suffix(COMPRESSED).unwrap_or(topic),
    };
    let namespace = image
        .rsplit_once('/')
        .map_or("", |(namespace, _)| namespace);
    format!("{namespace}/camera_info")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn camera_info_is_the_images_sibling() {
        for (topic, transport, expected) in [
            (
                "/camera/front/image_raw/compressed",
                Transport::Compressed,
                "/camera/front/camera_info",
            ),
            (
                "/camera/front/image_raw",
                Transport::Raw,
                "/camera/front/camera_info",
            ),
            (
                "/camera/front/image_raw",
                Transport::Compressed,
                "/camera/front/camera_info",
            ),
            ("/image", Transport::Raw, "/camera_info"),
            ("/image/compressed", Transport::Compressed, "/camera_info"),
            ("/image/compressed", Transport::Raw, "/image/camera_info"),
            ("/compressed", Transport::Compressed, "/camera_info"),
        ] {
            let camera = Camera {
                topic: topic.to_owned(),
                transport,
            };
            assert_eq!(info_topic(&camera), expected, "{topic} {transport:?}");
        }
    }
}
