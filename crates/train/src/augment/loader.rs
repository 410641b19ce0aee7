//! Prepares batches on threads of their own, in the order of the steps.

use std::ops::Range;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;

use rand::Rng;
use shuffledet_core::Resolution;
use shuffledet_image::ImageDecoder;

use super::{Augmentation, Purpose, Renderer, Targets, mosaic, order, random};
use crate::data::{Picture, Sample};

/// Batches that each thread prepares ahead.
const AHEAD: usize = 2;

/// The pictures of a step.
#[derive(Debug)]
pub struct Batch {
    pub step: u64,
    pub size: Resolution,
    /// Pictures x 3 x height x width.
    pub images: Vec<f32>,
    /// By picture.
    pub targets: Vec<Targets>,
    /// Pictures that could not be read, with the reason; they are grey and have no objects.
    pub unreadable: Vec<(String, String)>,
}

/// What batches are made of.
#[derive(Debug)]
pub struct Source {
    pub samples: Vec<Sample>,
    pub renderer: Renderer,
    pub augmentation: Augmentation,
    pub batch_size: usize,
    pub seed: u64,
}

/// Threads that prepare batches. Dropping it ends them.
pub struct Loader {
    /// By thread: thread `i` of `n` prepares the steps `i`, `i + n`, ... of the range.
    batches: Vec<Receiver<Batch>>,
    threads: Vec<JoinHandle<()>>,
    next: usize,
}

impl Loader {
    /// Prepares the batches of `steps` with `threads` threads, at least one.
    pub fn start(source: Arc<Source>, steps: Range<u64>, threads: usize) -> Self {
        let threads = threads.max(1);
        let (mut batches, mut handles) = (Vec::new(), Vec::new());
        for thread in 0..threads {
            let (sender, receiver) = sync_channel(AHEAD);
            let (source, steps) = (Arc::clone(&source), steps.clone());
            batches.push(receiver);
            handles.push(std::thread::spawn(move || {
                prepare(&source, steps.skip(thread).step_by(threads), &sender);
            }));
        }
        Self {
            batches,
            threads: handles,
            next: 0,
        }
    }

    /// Returns the batch of the next step; `None` after the last.
    pub fn next_batch(&mut self) -> Option<Batch> {
        let batch = self.batches[self.next].recv().ok();
        self.next = (self.next + 1) % self.batches.len();
        batch
    }
}

impl Drop for Loader {
    fn drop(&mut self) {
        // a thread ends when nobody takes its batches
        self.batches.clear();
        for thread in self.threads.drain(..) {
            // a panic there has ended its batches already
            let _ = thread.join();
        }
    }
}

fn prepare(source: &Source, steps: impl Iterator<Item = u64>, batches: &SyncSender<Batch>) {
    let mut decoder = ImageDecoder::new();
    for step in steps {
        if batches.send(source.batch(step, &mut decoder)).is_err() {
            break;
        }
    }
}

impl Source {
    /// Returns the batch of `step`: a pure function of the files and of this source.
    pub fn batch(&self, step: u64, decoder: &mut ImageDecoder) -> Batch {
        let size = self.augmentation.size_of(self.seed, step);
        let length = 3 * size.width as usize * size.height as usize;
        let mut batch = Batch {
            step,
            size,
            images: vec![0.0; length * self.batch_size],
            targets: Vec::with_capacity(self.batch_size),
            unreadable: Vec::new(),
        };
        let samples = order::batch(self.samples.len(), self.batch_size, self.seed, step);
        for (slot, (tensor, sample)) in batch
            .images
            .chunks_exact_mut(length)
            .zip(samples)
            .enumerate()
        {
            let mut random = random(self.seed, Purpose::Picture, step, slot as u64);
            let mut draw = |random: &mut _, sample: usize, tensor: &mut [f32]| {
                self.draw(
                    random,
                    &self.samples[sample],
                    size,
                    tensor,
                    decoder,
                    &mut batch.unreadable,
                )
            };
            let targets =
                match random.random_bool(f64::from(self.augmentation.mosaic.clamp(0.0, 1.0))) {
                    false => draw(&mut random, sample, tensor),
                    true => {
                        let mut parts = std::array::from_fn(|part| {
                            let sample = match part {
                                0 => sample,
                                _ => random.random_range(0..self.samples.len()),
                            };
                            let mut part = vec![0.0; length];
                            let targets = draw(&mut random, sample, &mut part);
                            (part, targets)
                        });
                        mosaic::join(&mut random, size, &mut parts);
                        let [(joined, targets), ..] = parts;
                        tensor.copy_from_slice(&joined);
                        targets
                    }
                };
            batch.targets.push(targets);
        }
        batch
    }

    fn draw(
        &self,
        random: &mut impl Rng,
        sample: &Sample,
        size: Resolution,
        tensor: &mut [f32],
        decoder: &mut ImageDecoder,
        unreadable: &mut Vec<(String, String)>,
    ) -> Targets {
        let drawn = Picture::read(&sample.path, decoder).and_then(|picture| {
            self.renderer
                .draw(random, &self.augmentation, sample, &picture, size, tensor)
        });
        drawn.unwrap_or_else(|reason| {
            unreadable.push((sample.file_name.clone(), reason));
            tensor.fill(0.0);
            // nothing is learned from it
            Targets {
                objects: Vec::new(),
                annotated: vec![false; sample.annotated.len()],
            }
        })
    }
}
