//! The content of a picture as the page draws it. Places are pixels of the camera's image.

use std::borrow::Cow;

use serde::Serialize;

/// A detection.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SceneBox {
    /// Left, top, right, bottom.
    #[serde(rename = "box")]
    pub sides: [f32; 4],
    pub label: String,
    /// In [0, 1].
    pub score: f32,
}

/// A track.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SceneTrack {
    /// Left, top, right, bottom.
    #[serde(rename = "box")]
    pub sides: [f32; 4],
    pub id: String,
    pub label: String,
    pub state: Cow<'static, str>,
    /// Seconds since the first box.
    pub age_s: f64,
    /// Seconds since the latest box.
    pub unseen_s: f64,
    /// From the camera, in metres, if it is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub distance_m: Option<f64>,
    /// Until the object is reached, in seconds, if it approaches.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub collision_s: Option<f64>,
}

/// All that is drawn over a picture.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Scene {
    /// Width and height of the image in pixels.
    pub size: [u32; 2],
    /// Seconds and nanoseconds of the image's stamp.
    pub stamp: [i64; 2],
    pub boxes: Vec<SceneBox>,
    pub tracks: Vec<SceneTrack>,
    /// The searched parts, each left, top, right and bottom; empty if the whole image is searched.
    pub regions: Vec<[u32; 4]>,
    /// The row of the horizon in the middle of the image, if it is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub horizon: Option<f64>,
    /// What is wrong with the picture: blurred, covered, ...
    pub faults: Vec<Cow<'static, str>>,
}

impl Scene {
    /// The boxes and the tracks that are shown at most, each.
    pub const MOST: usize = 300;

    /// Removes what is too much to show.
    pub(crate) fn bound(&mut self) {
        self.boxes.truncate(Self::MOST);
        self.tracks.truncate(Self::MOST);
        self.regions.truncate(Self::MOST);
    }
}

/// A picture and its scene.
#[derive(Debug, Clone)]
pub struct Shot {
    pub jpeg: Vec<u8>,
    pub scene: Scene,
}
