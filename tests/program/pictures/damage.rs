//! What cameras, drivers and transports do to files and messages.

use proptest::prelude::*;
use proptest::sample::{Index, select};

use shuffledet_detector::pipeline::Transport;
use shuffledet_image::JpegScale;
use shuffledet_image::encoding::SUPPORTED;
use shuffledet_msg::{HeaderView, ImageView};

use crate::pictures::corpus::{compressed_message, files, pixels};

/// A message with an image, and how its camera's JPEGs are decoded.
#[derive(Debug, Clone)]
pub struct Sent {
    /// What it is, for the reader of a failure.
    pub what: String,
    pub transport: Transport,
    pub message: Vec<u8>,
    pub scale: JpegScale,
}

pub const SCALES: [JpegScale; 5] = [
    JpegScale::Full,
    JpegScale::Half,
    JpegScale::Quarter,
    JpegScale::Eighth,
    JpegScale::Auto,
];

/// What becomes of a file on its way.
#[derive(Debug, Clone)]
enum Damage {
    None,
    Cut(Index),
    /// The last bytes are gone.
    End(usize),
    Padded(usize, u8),
    Overwritten(Vec<(Index, u8)>),
    /// A byte within the first segment of that marker: its length, its parameters.
    Segment(u8, usize, u8),
    /// Without its segments of that marker.
    Without(u8),
    Twice(u8),
    Stray(u8, usize),
    /// Cut within the first segment of that marker.
    CutIn(u8, usize),
}

/// DQT, SOF0, SOF2, DHT, SOS, DRI, APP0, APP1, APP14.
const MARKERS: [u8; 9] = [0xdb, 0xc0, 0xc2, 0xc4, 0xda, 0xdd, 0xe0, 0xe1, 0xee];

fn damage() -> impl Strategy<Value = Damage> {
    let marker = || select(MARKERS.as_slice());
    prop_oneof![
        6 => Just(Damage::None),
        2 => any::<Index>().prop_map(Damage::Cut),
        1 => (1..4usize).prop_map(Damage::End),
        1 => (1..40usize, select(vec![0, 0xff, 0x55])).prop_map(|(n, byte)| Damage::Padded(n, byte)),
        2 => prop::collection::vec((any::<Index>(), any::<u8>()), 1..6).prop_map(Damage::Overwritten),
        4 => (marker(), 1..20usize, prop_oneof![any::<u8>(), select(vec![0, 1, 0xff, 0xc5])])
            .prop_map(|(marker, at, byte)| Damage::Segment(marker, at, byte)),
        1 => marker().prop_map(Damage::Without),
        1 => select(vec![0xd8, 0xd9]).prop_map(Damage::Twice),
        1 => (marker(), 1..5usize).prop_map(|(marker, count)| Damage::Stray(marker, count)),
        2 => (marker(), 0..20usize).prop_map(|(marker, at)| Damage::CutIn(marker, at)),
    ]
}

impl Damage {
    fn apply(&self, file: &mut Vec<u8>) {
        let find = |file: &[u8], marker: u8| file.windows(2).position(|two| two == [0xff, marker]);
        match *self {
            Damage::None => {}
            Damage::Cut(at) => file.truncate(at.index(file.len() + 1)),
            Damage::End(count) => file.truncate(file.len().saturating_sub(count)),
            Damage::Padded(count, byte) => {
                file.truncate(file.len().saturating_sub(2));
                file.resize(file.len() + count, byte);
            }
            Damage::Overwritten(ref changes) => {
                let length = file.len();
                for &(at, byte) in changes.iter().filter(|_| length > 0) {
                    file[at.index(length)] = byte;
                }
            }
            Damage::Segment(marker, at, byte) => {
                let byte_at = find(file, marker).map(|start| start + at);
                if let Some(target) = byte_at.and_then(|at| file.get_mut(at)) {
                    *target = byte;
                }
            }
            Damage::Without(marker) => {
                while let Some(start) = find(file, marker)
                    && let Some(&[high, low]) = file.get(start + 2..start + 4)
                {
                    let end = start + 2 + usize::from(u16::from_be_bytes([high, low]));
                    file.drain(start..end.min(file.len()));
                }
            }
            Damage::Twice(marker) => {
                if let Some(start) = find(file, marker) {
                    file.splice(start..start, [0xff, marker]);
                }
            }
            Damage::Stray(marker, count) => {
                if let Some(start) = find(file, marker) {
                    file.splice(start..start, vec![0x11; count]);
                }
            }
            Damage::CutIn(marker, at) => {
                if let Some(start) = find(file, marker) {
                    file.truncate(start + at);
                }
            }
        }
    }
}

fn scale() -> impl Strategy<Value = JpegScale> {
    prop_oneof![3 => Just(JpegScale::Full), 3 => Just(JpegScale::Auto), 1 => select(SCALES.as_slice())]
}

/// A message with a compressed image.
pub fn compressed() -> impl Strategy<Value = Sent> {
    (select(files()), damage(), scale()).prop_map(|((kind, mut file), damage, scale)| {
        damage.apply(&mut file);
        Sent {
            what: format!("{kind}, {damage:?}"),
            transport: Transport::Compressed,
            message: compressed_message(&file),
            scale,
        }
    })
}

fn raw() -> impl Strategy<Value = Sent> {
    let encoding = prop_oneof![
        12 => select(SUPPORTED.as_slice()).prop_map(str::to_owned),
        1 => Just("32FC1".to_owned()),
    ];
    let sides = select(vec![
        (1, 1),
        (2, 2),
        (2, 4),
        (3, 3),
        (4, 2),
        (16, 12),
        (33, 17),
        (40, 24),
    ]);
    let wrong = prop_oneof![4 => Just(0i32), 1 => -9..9i32];
    let number = any::<u32>();
    (
        encoding,
        sides,
        wrong.clone(),
        wrong,
        0..3u32,
        any::<bool>(),
        number,
        scale(),
    )
        .prop_map(
            |(
                encoding,
                (width, height),
                step_off,
                data_off,
                padding,
                is_bigendian,
                seed,
                scale,
            )| {
                let bytes = match encoding.as_str() {
                    "bgr8" | "rgb8" | "8UC3" => 3,
                    "bgra8" | "rgba8" | "32FC1" => 4,
                    "mono16" | "yuv422" | "yuv422_yuy2" | "uyvy" | "yuyv" => 2,
                    _ => 1,
                };
                let rows = if encoding.starts_with("nv") {
                    height * 3 / 2
                } else {
                    height
                };
                let step = width * bytes + padding;
                let length = (step * rows).saturating_add_signed(data_off);
                let data = pixels(length as usize, 1, 1, seed);
                let image = ImageView {
                    header: HeaderView::default(),
                    height,
                    width,
                    encoding: &encoding,
                    is_bigendian,
                    step: step.saturating_add_signed(step_off),
                    data: &data,
                };
                let mut message = Vec::new();
                image.write(&mut message).unwrap();
                Sent {
                    what: format!(
                        "{encoding} {width}x{height}, step {}, {length} bytes",
                        image.step
                    ),
                    transport: Transport::Raw,
                    message,
                    scale,
                }
            },
        )
}

/// Any image message; some are of the other type than their topic says.
pub fn sent() -> impl Strategy<Value = Sent> {
    let swap = |sent: Sent| Sent {
        transport: match sent.transport {
            Transport::Raw => Transport::Compressed,
            Transport::Compressed => Transport::Raw,
        },
        ..sent
    };
    prop_oneof![
        40 => compressed(),
        20 => raw(),
        1 => raw().prop_map(swap),
        1 => compressed().prop_map(swap),
    ]
}
