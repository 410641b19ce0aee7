//! The outputs of finished frames.

pub mod camera;
pub mod coco;
pub mod label_info;
pub mod messages;
pub mod mot;
pub mod pictures;
pub mod recording;
pub mod track_pictures;

pub use camera::{CameraRecording, CameraSpec};
pub use coco::CocoFile;
pub use label_info::write_label_info;
pub use messages::ResultMessages;
pub use mot::{MotFile, MotRow};
pub use pictures::{PictureFolder, PreviewSample};
pub use recording::{RecordingContents, ResultRecording};
pub use track_pictures::TrackPictures;
