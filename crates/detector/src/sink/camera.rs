//! Writes images as the recording of a camera.

use std::path::Path;

use crate::pipeline::camera::info_topic;
use crate::pipeline::{Camera, Transport};
use shuffledet_bag::{BagError, Qos, RecordingWriter, TopicId, TopicSpec, WrittenRecording};
use shuffledet_image::jpeg::JpegEncoder;
use shuffledet_image::{BgrView, Picture};
use shuffledet_msg::{
    CameraInfo, CdrError, CompressedImageView, Definition, HeaderView, ImageView, Stamp, definition,
};

/// The default QoS of camera drivers; best-effort subscribers accept a reliable publisher, too.
const IMAGES: Qos = Qos {
    depth: 10,
    reliable: true,
    transient_local: false,
};

/// The properties of the camera's messages.
#[derive(Debug, Clone)]
pub struct CameraSpec {
    pub camera: Camera,
    pub frame_id: String,
    /// From 1 to 100, for images that are not files yet.
    pub jpeg_quality: i32,
    /// Written for every image, with its header, on [`info_topic`].
    pub info: Option<CameraInfo>,
}

/// Writes each image and its CameraInfo, logged at the image's stamp.
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
    #[error("{ns} ns after 1970 is out of range for a ROS stamp, which ends in January 2038")]
    Stamp { ns: u64 },
}

impl CameraRecording {
    /// Starts a recording at `path` like [`RecordingWriter::create`].
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

    /// Writes the image, taken `stamp_ns` nanoseconds after 1970. A CompressedImage copies the
    /// image's file unchanged if there is one, and is encoded as JPEG otherwise. An Image is bgr8.
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
                    // as camera drivers write it, and as the names of copied files;
                    // image_transport's "bgr8; jpeg compressed bgr8" adds nothing for an 8-bit
                    // colour image
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
        // rows of an image decoded here are at most `i32` bytes long
        step: pixels.step() as u32,
        data: pixels.data(),
    }
}
