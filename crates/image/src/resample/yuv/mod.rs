//! The resampler of luma and chroma. Each component is resized by itself, in 16-bit fixed point of
//! 6 bits, and the colours are computed at the size of the result.
//!
//! A row of a component is first resized to the tensor's width. Two such rows of each component
//! become one row of the tensor.

mod portable;
#[cfg(not(target_arch = "x86_64"))]
#[path = "absent.rs"]
mod processor;
#[cfg(target_arch = "x86_64")]
#[path = "avx2.rs"]
mod processor;
mod taps;
#[cfg(test)]
mod tests;

use portable::Portable;
use taps::{Side, Tap};

use crate::Letterbox;
use crate::planes::{Levels, Planes};
use crate::yuv::{Coding, Samples, YuvView};

/// The number of pixels processed together.
const GROUP: usize = 16;

/// A level of 1 in fixed point.
const ONE: i16 = 1 << 6;

/// The loops over pixels. All implementations give the same bits.
trait Kernel: Send {
    /// Makes the tables for rows of luma (0) or chroma (1) whose samples are `stride` bytes apart.
    fn set_columns(&mut self, component: usize, taps: &[Tap], stride: usize);

    /// Resizes a row of at least [`GROUP`] bytes, with all samples that the taps name. Takes `black`
    /// off each sample first, down to 0.
    fn narrow(&self, component: usize, row: &[u8], black: u8, out: &mut [i16]);

    /// Merges two rows of each component, by the weights of the lower ones of luma and chroma, into
    /// one row of the tensor's planes. The planes have one length, at most the rows'.
    fn merge(
        &self,
        rows: [[&[i16]; 2]; 3],
        parts: [i16; 2],
        colours: &Colours,
        levels: &Levels,
        out: [&mut [f32]; 3],
    );
}

/// Keeps its tables and rows between frames.
pub struct YuvResampler {
    kernel: Box<dyn Kernel>,
    /// What the tables were made for.
    shape: Option<Shape>,
    /// The samples of a row that are read, of luma and chroma.
    reads: [Reads; 2],
    /// By row of the result, of luma and chroma.
    taps: [Vec<Tap>; 2],
    /// The two rows computed last, of each component.
    made: [[Row; 2]; 3],
    /// A row of fewer bytes than a group.
    short: [u8; GROUP],
}

#[derive(Debug, Clone, Copy, PartialEq)]
struct Shape {
    origin: (u32, u32),
    from: (u32, u32),
    to: (u32, u32),
    sharing: (u32, u32),
    coding: Coding,
    /// Of luma, and of chroma if there is any.
    strides: [Option<usize>; 2],
}

#[derive(Debug, Clone, Copy, Default)]
struct Reads {
    /// The first sample.
    first: usize,
    /// The number of bytes from it on.
    bytes: usize,
}

#[derive(Default)]
struct Row {
    /// Its row number in the component.
    number: Option<usize>,
    /// In whole groups.
    values: Vec<i16>,
}

impl YuvResampler {
    pub fn new() -> Self {
        Self::with_kernel(processor::kernel().unwrap_or_else(|| Box::new(Portable::default())))
    }

    /// Creates one that computes the same without instructions of a certain processor.
    #[cfg(test)]
    pub fn portable() -> Self {
        Self::with_kernel(Box::new(Portable::default()))
    }

    fn with_kernel(kernel: Box<dyn Kernel>) -> Self {
        Self {
            kernel,
            shape: None,
            reads: Default::default(),
            taps: Default::default(),
            made: Default::default(),
            short: [0; GROUP],
        }
    }

    /// Fills the image's part of `planes`.
    pub fn fill(&mut self, image: &YuvView<'_>, letterbox: Letterbox, planes: &mut Planes<'_>) {
        self.prepare(image, letterbox.size);
        let colours = Colours::new(image.coding);
        let components = match image.chroma {
            Some([blue, red]) => [Some(image.luma), Some(blue), Some(red)],
            None => [Some(image.luma), None, None],
        };
        for y in 0..letterbox.size.1 as usize {
            let taps = [self.taps[0][y], self.taps[1][y]];
            for (index, samples) in components.iter().enumerate() {
                let component = index.min(1);
                if let Some(samples) = samples {
                    let black = if index == 0 { colours.black } else { 0 };
                    self.make_rows(index, samples, black, taps[component].lines);
                }
            }
            let rows = self.made.each_ref();
            let rows = rows.map(|made| made.each_ref().map(|row| &row.values[..]));
            let parts = taps.map(|tap| tap.part);
            let levels = planes.levels;
            let out = planes.row(letterbox, y);
            self.kernel.merge(rows, parts, &colours, &levels, out);
        }
    }

    /// Makes the two rows of a component whose numbers are `lines`, unless they are there.
    fn make_rows(&mut self, index: usize, samples: &Samples<'_>, black: u8, lines: [usize; 2]) {
        let component = index.min(1);
        let reads = self.reads[component];
        let made = &mut self.made[index];
        if made[1].number == Some(lines[0]) {
            made.swap(0, 1);
        }
        for (made, number) in made.iter_mut().zip(lines) {
            if made.number != Some(number) {
                let mut row = &samples.row(number, reads.first)[..reads.bytes];
                if row.len() < GROUP {
                    self.short[..row.len()].copy_from_slice(row);
                    row = &self.short;
                }
                self.kernel.narrow(component, row, black, &mut made.values);
                made.number = Some(number);
            }
        }
    }

    fn prepare(&mut self, image: &YuvView<'_>, to: (u32, u32)) {
        for row in self.made.iter_mut().flatten() {
            row.number = None;
        }
        let shape = Shape {
            origin: image.origin,
            from: (image.width(), image.height()),
            to,
            sharing: image.sharing,
            coding: image.coding,
            strides: [Some(image.luma), image.chroma.map(|[blue, _]| blue)]
                .map(|samples| samples.map(|samples| samples.stride)),
        };
        if self.shape == Some(shape) {
            return;
        }
        self.shape = Some(shape);
        let side = |origin, from, to, sharing| Side {
            origin,
            from,
            to,
            sharing,
            coding: shape.coding,
        };
        let columns = side(shape.origin.0, shape.from.0, to.0, shape.sharing.0);
        let rows = side(shape.origin.1, shape.from.1, to.1, shape.sharing.1);
        let unshared = |side: Side| Side { sharing: 1, ..side };
        // images of different sizes take turns: the buffers are kept
        for (component, (columns, rows)) in [(unshared(columns), unshared(rows)), (columns, rows)]
            .into_iter()
            .enumerate()
        {
            let taps = &mut self.taps[component];
            columns.write_taps(taps);
            let first = taps.iter().map(|tap| tap.lines[0]).min().unwrap_or(0);
            let last = taps.iter().map(|tap| tap.lines[1]).max().unwrap_or(0);
            for line in taps.iter_mut().flat_map(|tap| &mut tap.lines) {
                *line -= first;
            }
            let stride = shape.strides[component].unwrap_or(1);
            let bytes = (last - first) * stride + 1;
            self.reads[component] = Reads { first, bytes };
            self.kernel.set_columns(component, taps, stride);
            rows.write_taps(taps);
        }
        let groups = (to.0 as usize).div_ceil(GROUP);
        for (index, made) in self.made.iter_mut().enumerate() {
            for row in made {
                row.values.resize(GROUP * groups, 0);
                if index > 0 && image.chroma.is_none() {
                    row.values.fill(NO_COLOUR);
                }
            }
        }
    }
}

/// The chroma of grey.
const NO_COLOUR: i16 = 128 * ONE;

/// The weights of luma and chroma, as fractions of 15 bits.
struct Colours {
    /// The luma of black.
    black: u8,
    /// Luma's weight, less 1.
    luma: i16,
    /// The weight of Cb in blue, less 2.
    blue: i16,
    /// The weight of Cr in red, less 2.
    red: i16,
    /// The weights of Cb and Cr in green.
    green: [i16; 2],
}

impl Colours {
    fn new(coding: Coding) -> Self {
        let fixed = |weight: f64| (weight * 32_768.0).round() as i16;
        let with = |black, luma: f64, blue: f64, red: f64, green: [f64; 2]| Self {
            black,
            luma: fixed(luma - 1.0),
            blue: fixed(blue - 2.0),
            red: fixed(red - 2.0),
            green: green.map(fixed),
        };
        match coding {
            // ITU-T T.871, section 7
            Coding::Jpeg => with(0, 1.0, 1.772, 1.402, [-0.344_136, -0.714_136]),
            // ITU-R BT.601, as rounded in OpenCV
            Coding::Video => with(16, 1.164, 2.018, 1.596, [-0.391, -0.813]),
        }
    }
}
