//! The kinds of scenes.

use super::Profile;

/// A kind of scene.
#[derive(Debug, Clone)]
pub struct Scenario {
    pub name: &'static str,
    pub width: u32,
    pub height: u32,
    /// In pixels.
    pub focal: f64,
    /// Of the camera above the ground, in metres.
    pub camera_height: f64,
    /// How far the camera looks down, in radians.
    pub pitch: f64,
    pub rate_hz: f64,
    pub duration_s: f64,
    /// The mean speed of the camera in metres per second; 0 for a fixed one.
    pub speed: f64,
    /// The standard deviation of the yaw rate, in radians per second.
    pub turning: f64,
    /// The standard deviation of the pitch, in radians.
    pub shaking: f64,
    pub traffic: Traffic,
    pub profile: Profile,
    /// Objects of which less is visible are not in the truth.
    pub least_visible: f64,
}

/// How many objects there are.
#[derive(Debug, Clone, Copy, Default)]
pub struct Traffic {
    /// Per 100 m of the way.
    pub parked: f64,
    /// Cars ahead in the same direction.
    pub ahead: usize,
    /// Per minute.
    pub oncoming: f64,
    pub crossing: f64,
    /// People per 100 m of the way.
    pub walking: f64,
    /// People per minute who cross the way.
    pub people_crossing: f64,
    /// People in front of a fixed or slow camera.
    pub crowd: usize,
}

impl Scenario {
    /// Returns a car's camera of 1242 x 375 pixels at 10 Hz.
    fn driving(name: &'static str, speed: f64, turning: f64) -> Self {
        Self {
            name,
            width: 1242,
            height: 375,
            focal: 721.0,
            camera_height: 1.65,
            pitch: 0.0,
            rate_hz: 10.0,
            duration_s: 25.0,
            speed,
            turning,
            shaking: 0.004,
            traffic: Traffic {
                parked: 8.0,
                ahead: 3,
                oncoming: 12.0,
                crossing: 3.0,
                walking: 4.0,
                people_crossing: 2.0,
                crowd: 0,
            },
            profile: Profile::NANODET_PLUS,
            least_visible: 0.3,
        }
    }

    /// Returns a street camera of 1920 x 1080 pixels among people.
    fn crowd(name: &'static str, rate_hz: f64, speed: f64, people: usize) -> Self {
        Self {
            name,
            width: 1920,
            height: 1080,
            focal: 1100.0,
            camera_height: 1.8,
            pitch: 0.03,
            rate_hz,
            duration_s: 16.0,
            speed,
            turning: if speed > 0.0 { 0.08 } else { 0.0 },
            shaking: if speed > 0.0 { 0.006 } else { 0.0 },
            traffic: Traffic {
                crowd: people,
                parked: if speed > 0.0 { 3.0 } else { 0.0 },
                ..Traffic::default()
            },
            profile: Profile::NANODET_PLUS,
            least_visible: 0.25,
        }
    }

    /// Returns all kinds of scenes.
    pub fn all() -> Vec<Scenario> {
        let high = |scenario: Scenario| Scenario {
            camera_height: 5.0,
            pitch: 0.25,
            ..scenario
        };
        vec![
            Self::driving("town", 7.0, 0.05),
            Self::driving("turns", 7.0, 0.22),
            Scenario {
                traffic: Traffic {
                    parked: 1.0,
                    ahead: 6,
                    oncoming: 30.0,
                    ..Traffic::default()
                },
                profile: Profile::STRONG,
                ..Self::driving("highway", 24.0, 0.02)
            },
            Scenario {
                profile: Profile::FASTESTDET,
                traffic: Traffic {
                    walking: 14.0,
                    people_crossing: 8.0,
                    ..Self::driving("", 4.0, 0.1).traffic
                },
                ..Self::driving("people", 4.0, 0.1)
            },
            Scenario {
                rate_hz: 25.0,
                duration_s: 15.0,
                width: 960,
                height: 540,
                focal: 620.0,
                profile: Profile::FASTESTDET,
                ..Self::driving("dashcam", 12.0, 0.08)
            },
            high(Self::crowd("square", 30.0, 0.0, 24)),
            Scenario {
                profile: Profile::STRONG,
                ..Self::crowd("crowd", 25.0, 0.0, 30)
            },
            Self::crowd("walk", 14.0, 1.2, 18),
            Scenario {
                profile: Profile::FASTESTDET,
                ..high(Self::crowd("slow_square", 5.0, 0.0, 16))
            },
        ]
    }
}
