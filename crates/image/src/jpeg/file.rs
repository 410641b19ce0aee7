//! The markers of a JPEG file: the content of its header, and the end of its image if there is no
//! end marker.

use super::exif::{self, Orientation};

/// The part of a file before its first scan.
pub struct JpegFile<'a> {
    bytes: &'a [u8],
    /// From marker to end, in order, without stray bytes in between.
    segments: Segments<'a>,
    /// The position of the first scan's marker.
    scans: usize,
}

/// Iterates over the segments after the start marker.
#[derive(Debug, Clone, Copy)]
struct Segments<'a> {
    bytes: &'a [u8],
    at: usize,
}

/// A marker with its body.
struct Segment<'a> {
    marker: u8,
    /// The position of its `ff`.
    start: usize,
    end: usize,
    body: &'a [u8],
}

const START: u8 = 0xd8;
const END: u8 = 0xd9;
const SCAN: u8 = 0xda;
const RESTART_INTERVAL: u8 = 0xdd;
const APP1: u8 = 0xe1;
pub const END_MARKER: [u8; 2] = [0xff, END];

impl<'a> JpegFile<'a> {
    /// Returns `None` if the file ends before its first scan, or if libjpeg could not parse its
    /// header either.
    pub fn new(bytes: &'a [u8]) -> Option<Self> {
        if !bytes.starts_with(&[0xff, START]) {
            return None;
        }
        let segments = Segments { bytes, at: 2 };
        let mut all = segments;
        let scans = all.find(|segment| segment.marker == SCAN)?.start;
        let mut header = segments.take_while(|segment| segment.start < scans);
        let sane = header.all(|segment| ![START, END].contains(&segment.marker));
        sane.then_some(Self {
            bytes,
            segments,
            scans,
        })
    }

    fn header(&self) -> impl Iterator<Item = Segment<'a>> {
        let scans = self.scans;
        self.segments
            .take_while(move |segment| segment.start < scans)
    }

    /// Returns the orientation in the first EXIF block.
    pub fn orientation(&self) -> Orientation {
        let mut applications = self.header().filter(|segment| segment.marker == APP1);
        applications
            .find_map(|segment| segment.body.strip_prefix(b"Exif\0\0"))
            .map_or(Orientation::Upright, exif::orientation)
    }

    /// Whether restart markers divide its scans.
    pub fn has_restarts(&self) -> bool {
        self.header()
            .any(|segment| segment.marker == RESTART_INTERVAL)
    }

    /// Whether the header has bytes that belong to no segment.
    pub fn has_strays(&self) -> bool {
        let ends = std::iter::once(2).chain(self.header().map(|segment| segment.end));
        let starts = self.header().map(|segment| segment.start);
        let starts = starts.chain([self.scans]);
        ends.zip(starts).any(|(end, start)| end != start)
    }

    /// Returns where the image ends, by parsing its scans.
    pub fn end(&self) -> End {
        let mut progress = Progress::default();
        for segment in self.header() {
            progress.header(&segment);
        }
        let (mut at, mut end) = (self.scans, self.scans);
        loop {
            let mut rest = Segments {
                bytes: self.bytes,
                at,
            };
            let Some(segment) = rest.next() else {
                break;
            };
            match segment.marker {
                // another image begins
                START => break,
                END => return End::Marked { at: end },
                SCAN => {
                    progress.scan(segment.body);
                    end = scan_end(self.bytes, segment.end);
                    at = end;
                }
                _ => at = segment.end,
            }
        }
        End::Unmarked {
            at: without_padding(self.bytes, end),
            complete: progress.is_complete(),
        }
    }

    /// Returns the length of the run of equal bytes with which the image's data ends.
    pub fn padding(&self) -> usize {
        let data = &self.bytes[..self.end().at()];
        let mut backwards = data.iter().rev();
        let Some(last) = backwards.next() else {
            return 0;
        };
        1 + backwards.take_while(|&byte| byte == last).count()
    }

    /// Writes the file up to `end` into `whole`: without stray bytes in its header, with `filling`
    /// in place of missing data, and with an end marker.
    pub fn write_whole(&self, end: usize, filling: &[u8], whole: &mut Vec<u8>) {
        whole.clear();
        whole.extend([0xff, START]);
        for segment in self.header() {
            whole.extend(&self.bytes[segment.start..segment.end]);
        }
        whole.extend(&self.bytes[self.scans..end]);
        whole.extend(filling);
        whole.extend(END_MARKER);
    }
}

/// The end of the last scan's data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// An end marker follows.
    Marked { at: usize },
    /// No end marker follows. `complete`: the scans have every coefficient of the image, unless
    /// data is missing within them.
    Unmarked { at: usize, complete: bool },
}

impl End {
    pub fn at(self) -> usize {
        match self {
            End::Marked { at } | End::Unmarked { at, .. } => at,
        }
    }
}

impl<'a> Iterator for Segments<'a> {
    type Item = Segment<'a>;

    /// Skips bytes that are not a marker, fill bytes and stuffed bytes, as libjpeg does.
    fn next(&mut self) -> Option<Segment<'a>> {
        let (start, marker) = loop {
            let start = self.at + self.bytes.get(self.at..)?.iter().position(|&b| b == 0xff)?;
            let fill = self.bytes[start..].iter().position(|&b| b != 0xff)?;
            let marker = self.bytes[start + fill];
            self.at = start + fill + 1;
            if marker != 0 {
                break (start + fill - 1, marker);
            }
        };
        // TEM, RST0 to RST7, SOI and EOI have no body
        let body = if marker == 0x01 || (0xd0..=END).contains(&marker) {
            &[]
        } else {
            let length = self.bytes.get(self.at..self.at + 2)?;
            // the length includes its own two bytes
            let length = usize::from(u16::from_be_bytes([length[0], length[1]]));
            let body = self.bytes.get(self.at + 2..self.at + length)?;
            self.at += length;
            body
        };
        Some(Segment {
            marker,
            start,
            end: self.at,
            body,
        })
    }
}

/// Returns where the entropy-coded data that begins at `at` ends: at a marker other than a restart,
/// or at the end of the file.
fn scan_end(bytes: &[u8], mut at: usize) -> usize {
    while let Some(next) = bytes[at..].iter().position(|&b| b == 0xff) {
        at += next;
        match bytes.get(at + 1) {
            Some(0 | 0xd0..=0xd7) => at += 2,
            // a fill byte, or the last byte of the file that begins a marker
            Some(0xff) => at += 1,
            _ => return at,
        }
    }
    bytes.len()
}

/// Cameras return buffers of a fixed size. Zeros at the file's end are not data, except one after
/// an `ff`, which belongs to it: the last byte of a scan is filled up with ones.
fn without_padding(bytes: &[u8], end: usize) -> usize {
    if end < bytes.len() {
        return end;
    }
    let zeros = bytes[..end].iter().rev().take_while(|&&b| b == 0).count();
    let stuffed = end > zeros && bytes[end - zeros - 1] == 0xff;
    end - zeros + zeros.min(1 + usize::from(stuffed))
}

/// The bits of the coefficients in the scans so far.
#[derive(Default)]
struct Progress {
    progressive: bool,
    components: Vec<Component>,
}

struct Component {
    id: u8,
    /// The lowest bit so far, by coefficient.
    least: [u8; 64],
}

impl Progress {
    /// Records a frame header.
    fn header(&mut self, segment: &Segment<'_>) {
        let is_frame = (0xc0..=0xcf).contains(&segment.marker)
            && ![0xc4, 0xc8, 0xcc].contains(&segment.marker);
        if !is_frame {
            return;
        }
        self.progressive = [0xc2, 0xca].contains(&segment.marker);
        let components = segment.body.get(6..).unwrap_or_default().chunks_exact(3);
        self.components = components
            .map(|component| Component {
                id: component[0],
                least: [u8::MAX; 64],
            })
            .collect();
    }

    fn scan(&mut self, body: &[u8]) {
        let Some((&count, rest)) = body.split_first() else {
            return;
        };
        let Some((ids, band)) = rest.split_at_checked(2 * usize::from(count)) else {
            return;
        };
        let &[first, last, approximation] = band else {
            return;
        };
        // the other processes have all of a component in one scan, whatever its parameters
        let (first, last, least) = match self.progressive {
            true => (first, last, approximation & 0x0f),
            false => (0, 63, 0),
        };
        let ids = ids.chunks_exact(2).map(|pair| pair[0]);
        for id in ids {
            let component = self.components.iter_mut().find(|c| c.id == id);
            let band = usize::from(first)..=usize::from(last);
            if let Some(band) = component.and_then(|c| c.least.get_mut(band)) {
                band.fill(least);
            }
        }
    }

    fn is_complete(&self) -> bool {
        let mut components = self.components.iter();
        !self.components.is_empty() && components.all(|c| c.least.iter().all(|&bit| bit == 0))
    }
}
