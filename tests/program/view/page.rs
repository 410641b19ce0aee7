//! The page in a real browser: pictures arrive, boxes lie where the detections say, parameters change
//! or are refused, and a new run is followed. `SHUFFLEDET_KEEP_VIEW=DIR` keeps screenshots.

use std::fs;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use opencv::core::{Mat, MatTraitConst, Vec3b, Vector};
use opencv::imgcodecs::{IMREAD_COLOR, imdecode};
use serde_json::{Value, json};
use shuffledet_core::{DropReason, Mark, Outcome, ProviderStatus, Trace};
use shuffledet_image::BgrView;
use shuffledet_image::jpeg::JpegEncoder;
use shuffledet_testing::browser::{Tab, chromium};
use shuffledet_view::{
    Control, Hub, Limits, ParameterView, Place, RunFacts, Scene, SceneBox, SceneTrack, Served, Shot,
};

/// A run with one parameter.
struct Settings(Mutex<f64>);

impl Control for Settings {
    fn facts(&self) -> RunFacts {
        RunFacts {
            title: "/shuffledet".to_owned(),
            model: "nanodet_plus_m_416".to_owned(),
            state: "active".to_owned(),
            providers: vec![
                ProviderStatus {
                    provider: "cuda".to_owned(),
                    reason: Some("library missing: install <CUDA>".to_owned()),
                    ..ProviderStatus::default()
                },
                ProviderStatus {
                    provider: "cpu".to_owned(),
                    used: true,
                    ..ProviderStatus::default()
                },
            ],
        }
    }

    fn parameters(&self) -> Vec<ParameterView> {
        vec![ParameterView {
            name: "detector.score_threshold".to_owned(),
            kind: "number".to_owned(),
            description: "Detections with a lower score are left out.".to_owned(),
            range: "0 to 1".to_owned(),
            value: json!(*self.0.lock().unwrap()),
            default: None,
        }]
    }

    fn parameters_yaml(&self) -> Result<String, String> {
        Ok("/**:\n".to_owned())
    }

    fn parameters_fixed(&self) -> Option<String> {
        None
    }

    fn set_parameter(&self, name: &str, value: &Value) -> Result<(), String> {
        let score = value.as_f64().filter(|score| (0.0..=1.0).contains(score));
        *self.0.lock().unwrap() =
            score.ok_or_else(|| format!("{name}: {value} is out of range"))?;
        Ok(())
    }
}

/// A white rectangle on grey, 640 pixels wide and 480 high, with these sides.
const OBJECT: [usize; 4] = [200, 120, 440, 300];
const SIZE: [u32; 2] = [640, 480];

fn shot(sec: i64) -> Shot {
    let [left, top, right, bottom] = OBJECT;
    let mut pixels = vec![60; (SIZE[0] * SIZE[1] * 3) as usize];
    for row in top..bottom {
        let start = (row * SIZE[0] as usize + left) * 3;
        pixels[start..start + (right - left) * 3].fill(255);
    }
    let image = BgrView::new(SIZE[0], SIZE[1], SIZE[0] as usize * 3, &pixels).unwrap();
    let sides = OBJECT.map(|side| side as f32);
    Shot {
        jpeg: JpegEncoder::new(90).unwrap().encode(&image).unwrap(),
        scene: Scene {
            size: SIZE,
            stamp: [sec, 5],
            boxes: vec![SceneBox {
                sides,
                label: "car".to_owned(),
                score: 0.87,
            }],
            tracks: vec![SceneTrack {
                sides,
                id: "12".to_owned(),
                label: "car".to_owned(),
                state: "confirmed".into(),
                age_s: 3.2,
                unseen_s: 0.0,
                distance_m: Some(14.3),
                collision_s: Some(2.5),
            }],
            regions: vec![[0, 60, 640, 420]],
            horizon: Some(200.0),
            faults: vec!["blurred".into()],
        },
    }
}

fn serve(port: u16, sec: i64) -> (Arc<Hub>, Served) {
    let cameras = ["/camera/front/image_raw", "/camera/<rear>"];
    let hub = Hub::new(cameras.map(str::to_owned).to_vec(), 10.0);
    let place = Place {
        address: IpAddr::V4(Ipv4Addr::LOCALHOST),
        port,
        allowed_hosts: Vec::new(),
    };
    let control = Arc::new(Settings(Mutex::new(0.4)));
    let shared = Arc::clone(&hub);
    let served = Served::start(&place, Limits::default(), shared, control, "--view").unwrap();
    hub.log(false, "/camera/front/image_raw: 3 frames failed: <decode>");
    for camera in 0..cameras.len() {
        hub.show(camera, shot(sec));
        record(&hub, camera);
    }
    (hub, served)
}

fn record(hub: &Hub, camera: usize) {
    let now = Instant::now();
    let at = |ms| now + Duration::from_millis(ms);
    let mut trace = Trace::default();
    for (mark, ms) in [
        (Mark::Received, 0),
        (Mark::Dequeued, 1),
        (Mark::Decoded, 5),
        (Mark::Prepared, 6),
        (Mark::Inferred, 18),
        (Mark::Boxed, 19),
        (Mark::Suppressed, 20),
        (Mark::Ordered, 20),
        (Mark::Tracked, 21),
        (Mark::Published, 22),
    ] {
        trace.mark_at(mark, at(ms));
    }
    hub.record(camera, now, &Outcome::Published, &trace);
    hub.record(camera, now, &Outcome::Dropped(DropReason::TooOld), &trace);
}

/// The screenshot as OpenCV sees it.
fn screenshot(tab: &mut Tab, name: &str) -> Mat {
    let png = tab.screenshot();
    if let Some(keep) = std::env::var_os("SHUFFLEDET_KEEP_VIEW") {
        fs::write(std::path::Path::new(&keep).join(name), &png).unwrap();
    }
    imdecode(&Vector::<u8>::from_iter(png), IMREAD_COLOR).unwrap()
}

/// Whether a pixel is neither grey nor white.
fn is_coloured(image: &Mat, x: i32, y: i32) -> bool {
    let pixel = image.at_2d::<Vec3b>(y, x).unwrap();
    pixel.iter().max().unwrap() - pixel.iter().min().unwrap() > 60
}

#[test]
fn the_page_shows_boxes_where_the_detections_are() {
    let Some(chromium) = chromium() else {
        eprintln!("skipped: the_page_shows_boxes_where_the_detections_are: needs Chromium");
        return;
    };
    let (hub, served) = serve(0, 7);
    let mut tab = Tab::open(&chromium, &served.url(), (1280, 900));
    let shown =
        |sec: i64| format!("document.querySelector('canvas[data-stamp=\"{sec}.5\"]') !== null");
    tab.wait_until(&shown(7));
    assert!(hub.wants_picture(0, Instant::now()));
    // the seconds of the plot
    tab.wait_until("document.querySelectorAll('#legend li').length > 3");
    for (layer, is_on) in [
        ("tracks", false),
        ("regions", false),
        ("horizon", false),
        ("boxes", true),
    ] {
        let click = format!("document.querySelector('[data-layer={layer}]').click()");
        if !is_on {
            tab.evaluate(&click);
        }
    }
    let place = tab.evaluate(
        "(() => { const r = document.querySelector('canvas[data-stamp]').getBoundingClientRect(); \
         return [r.left + scrollX, r.top + scrollY, r.width, r.height]; })()",
    );
    let place: Vec<f64> = serde_json::from_value(place).unwrap();
    let image = screenshot(&mut tab, "boxes.png");
    let at = |x: f64, y: f64| {
        let (sx, sy) = (place[2] / f64::from(SIZE[0]), place[3] / f64::from(SIZE[1]));
        (place[0] + x * sx, place[1] + y * sy)
    };
    let [left, top, right, bottom] = OBJECT.map(|side| side as f64);
    let (x, y) = ((left + right) / 2.0, (top + bottom) / 2.0);
    let near = |(x, y): (f64, f64), along_x: bool| -> Option<f64> {
        // the middle of the coloured pixels across the expected edge
        let offsets = (-12..=12).filter(|&offset| {
            let (dx, dy) = if along_x { (offset, 0) } else { (0, offset) };
            is_coloured(&image, x.round() as i32 + dx, y.round() as i32 + dy)
        });
        let offsets: Vec<_> = offsets.map(f64::from).collect();
        (!offsets.is_empty()).then(|| offsets.iter().sum::<f64>() / offsets.len() as f64)
    };
    for (edge, along_x) in [
        (at(left, y), true),
        (at(right, y), true),
        (at(x, top), false),
        (at(x, bottom), false),
    ] {
        let offset = near(edge, along_x).expect("an edge of the box");
        assert!(offset.abs() <= 1.5, "{edge:?}: {offset} px off");
    }
    // nothing inside the object
    let (inside_x, inside_y) = at(x, y);
    assert!(!is_coloured(&image, inside_x as i32, inside_y as i32));

    for layer in ["tracks", "regions", "horizon"] {
        tab.evaluate(&format!(
            "document.querySelector('[data-layer={layer}]').click()"
        ));
    }
    let text = tab.evaluate("document.body.innerText");
    let text = text.as_str().unwrap();
    for expected in [
        "car #12 at 14.3 m",
        "reached in 2.5 s",
        "library missing: install <CUDA>",
        "3 frames failed: <decode>",
        "too_old 1",
        "/camera/<rear>",
    ] {
        assert!(text.contains(expected), "{expected}: {text}");
    }
    for (width, dark) in [(1280, false), (1280, true), (375, false), (375, true)] {
        tab.look((width, 900), dark);
        let fits = "document.documentElement.scrollWidth <= innerWidth";
        assert_eq!(tab.evaluate(fits), true, "{width}");
        screenshot(
            &mut tab,
            &format!("{width}{}.png", if dark { "-dark" } else { "" }),
        );
    }
    assert_eq!(tab.complaints, [""; 0]);
}

#[test]
fn parameters_change_on_the_page_and_a_new_run_is_followed() {
    let Some(chromium) = chromium() else {
        eprintln!(
            "skipped: parameters_change_on_the_page_and_a_new_run_is_followed: needs Chromium"
        );
        return;
    };
    let (_hub, served) = serve(0, 7);
    let mut tab = Tab::open(&chromium, &served.url(), (1280, 900));
    tab.wait_until("document.querySelector('canvas[data-stamp=\"7.5\"]') !== null");
    tab.evaluate("document.querySelector('#parameters summary').click()");
    tab.wait_until("document.querySelector('.parameter button') !== null");
    for (value, is_error, expected) in [
        ("0.3", false, "detector.score_threshold is set"),
        ("3", true, "out of range"),
        ("x", true, "expected a number, found x"),
    ] {
        tab.evaluate(&format!(
            "document.querySelector('.parameter input').value = '{value}'; document.querySelector('.parameter button').click()"
        ));
        tab.wait_until(&format!(
            "document.querySelector('.said').textContent.includes({expected:?}) && \
             document.querySelector('.said').classList.contains('error') === {is_error}"
        ));
    }
    let port = served.address().port();
    drop(served);
    tab.wait_until("document.querySelector('#connection').className === 'lost'");
    let (_hub, _served) = serve(port, 8);
    tab.wait_until("document.querySelector('canvas[data-stamp=\"8.5\"]') !== null");
    tab.wait_until("document.querySelector('#connection').className === 'live'");
    assert_eq!(
        tab.evaluate("document.querySelectorAll('figure').length"),
        2
    );
}
